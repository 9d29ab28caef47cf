"""One call: guarded when it connects, bounded in time and size, never led elsewhere."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from libs.common.clock import SystemClock
from services.notifier.channels.webhook import (
    BadAnswer,
    DeliveryFailed,
    Gone,
    Letter,
    Refused,
    TimedOut,
    Unreachable,
    Unsafe,
    Webhooks,
    is_secret,
    open_webhooks,
    secret_of,
)
from services.notifier.egress import Address, Guard
from services.notifier.limits import ANSWER_BYTES_MAX
from tests.integration.notifier.receiver import SECRET

LOOPBACK = [ip_network("127.0.0.0/8")]
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """A name server whose answers the test writes; the last one of a name stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        answers = self._answers[host.partition(".")[0]]
        return [ip_address(text) for text in (answers.pop(0) if len(answers) > 1 else answers[0])]


@asynccontextmanager
async def server(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server on loopback whose connections `answer` handles."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The caller hung up.
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    yield listening.sockets[0].getsockname()[1]
    listening.close()


def saying(raw: bytes) -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return answer


def letter(url: str) -> Letter:
    return Letter(id="dlv_1", url=url, secret=SECRET, body=b'{"type":"x"}')


async def sent(answer: Answer, **options: Any) -> int:
    guard = Guard(LOOPBACK)
    async with server(answer) as port, open_webhooks(guard, SystemClock(), **options) as webhooks:
        return await webhooks.send(letter(f"http://127.0.0.1:{port}/hook"))


@pytest.mark.parametrize(
    ("rule", "raw", "failure"),
    [
        ("a refusal", b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n", Refused),
        ("a server's trouble", b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n", Refused),
        ("gone", b"HTTP/1.1 410 X\r\ncontent-length: 0\r\n\r\n", Gone),
        ("no HTTP", b"hello\r\n\r\n", BadAnswer),
        ("nothing", b"", BadAnswer),
    ],
)
async def test_what_is_no_2xx_failed(rule: str, raw: bytes, failure: type[DeliveryFailed]) -> None:
    with pytest.raises(failure):
        await sent(saying(raw))


async def test_a_redirect_is_not_followed() -> None:
    visited: list[int] = []

    async def inner(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        visited.append(1)

    async with server(inner) as port:
        elsewhere = f"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n"
        with pytest.raises(Refused) as refused:
            await sent(saying(elsewhere.encode()))
    assert (refused.value.status, visited) == (302, [])


async def test_no_more_of_an_answer_is_read_than_the_cap() -> None:
    written = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 10000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            written += 65_536

    assert await sent(endless) == 200
    assert written < 100 * ANSWER_BYTES_MAX


async def test_an_answer_that_trickles_ends_at_the_deadline() -> None:
    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    with pytest.raises(TimedOut):
        await sent(trickle, call_seconds_max=0.3)


async def called(names: Names, host: str, times: int = 1) -> tuple[list[int | type[DeliveryFailed]], int]:
    """How so many calls of `http://<host>` ended, on new connections, and how many arrived."""
    arrived = 0

    async def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        arrived += 1
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    async with server(count) as port, open_webhooks(Guard(LOOPBACK), SystemClock(), names) as webhooks:
        ended = [await outcome(webhooks, f"http://{host}:{port}/") for _ in range(times)]
    return ended, arrived


async def outcome(webhooks: Webhooks, url: str) -> int | type[DeliveryFailed]:
    try:
        return await webhooks.send(letter(url))
    except DeliveryFailed as failure:
        return type(failure)


async def test_the_address_that_was_checked_is_the_one_that_is_dialled() -> None:
    names = Names(hook=[["127.0.0.1"]])
    assert await called(names, "hook.example") == ([200], 1)
    assert names.asked == ["hook.example"]


async def test_a_name_that_turns_inwards_is_not_called_any_more() -> None:
    names = Names(hook=[["127.0.0.1"], ["10.0.0.1"]])
    assert await called(names, "hook.example", times=2) == ([200, Unsafe], 1)


@pytest.mark.parametrize("inner", ["10.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"])
async def test_one_unsafe_address_among_good_ones_is_enough(inner: str) -> None:
    assert await called(Names(hook=[["127.0.0.1", inner]]), "hook.example") == ([Unsafe], 0)


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "localhost"])
async def test_odd_ways_to_write_an_internal_address(host: str) -> None:
    """The system's resolver reads them all; what it reads is checked."""
    async with open_webhooks(Guard(), SystemClock()) as webhooks:
        assert await outcome(webhooks, f"http://{host}:9/") is Unsafe


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert os.environ["http_proxy"]
    assert await sent(saying(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n")) == 200


def certified(host: str, file: Path) -> ssl.SSLContext:
    """A server's side of TLS; who trusts `file` trusts it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    named = x509.SubjectAlternativeName([x509.DNSName(host)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    certificate = builder.add_extension(named, critical=True).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(plain + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_whom_to_trust_is_read_once_and_not_at_every_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = tmp_path / "trusted.pem"
    tls = certified("hook.example", trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    names = Names(hook=[["127.0.0.1"]])
    answer = saying(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    async with server(answer, tls) as port, open_webhooks(Guard(LOOPBACK), SystemClock(), names) as webhooks:
        trusted.unlink()
        ended = [await outcome(webhooks, f"https://hook.example:{port}/") for _ in range(2)]
    assert ended == [200, 200]


async def test_nobody_there() -> None:
    async with server(saying(b"")) as port:
        pass
    async with open_webhooks(Guard(LOOPBACK), SystemClock()) as webhooks:
        assert await outcome(webhooks, f"http://127.0.0.1:{port}/") is Unreachable


@pytest.mark.parametrize(
    ("rule", "secret", "good"),
    [
        ("ours", secret_of(b"k" * 32), True),
        ("padding may be left out", "whsec_" + "QUFBQUFBQUFBQUFBQUFBQQ", True),
        ("short", secret_of(b"k" * 15), False),
        ("long", secret_of(b"k" * 129), False),
        ("no prefix", "QUFBQUFBQUFBQUFBQUFBQQ==", False),
        ("no base64", "whsec_" + "!" * 32, False),
        ("no ASCII", "whsec_" + "é" * 32, False),
        ("lines", "whsec_QUFBQUFBQUFB\r\nQUFBQUFBQQ==", False),
        ("empty", "whsec_", False),
    ],
)
def test_is_secret(rule: str, secret: str, good: bool) -> None:
    assert is_secret(secret) is good, rule
