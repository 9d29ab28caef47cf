"""Webhooks as standardwebhooks.com has them: an id that stays, a timestamp and a signature of every attempt."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import httpcore
import msgspec
from standardwebhooks import Webhook

from libs.common.clock import Clock
from libs.common.events import SECOND
from services.notifier.egress import Guard, GuardedBackend, Resolver, SystemResolver, UnsafeTarget
from services.notifier.limits import (
    ANSWER_BYTES_MAX,
    CALL_SECONDS_MAX,
    IDLE_CONNECTION_SECONDS,
    IDLE_CONNECTIONS_MAX,
    SECRET_BYTES_MAX,
    SECRET_BYTES_MIN,
)

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins, and no secret
GONE: Final = 410
USER_AGENT: Final = "omniroute-webhooks/1"


class DeliveryFailed(Exception):
    """Each subclass states, once, whether trying again can help. `reason` is a tag; nothing says what was sent."""

    retry = True
    reason = "failed"
    status: int | None = None
    retry_after_seconds = 0


class Unreachable(DeliveryFailed):
    """No address, no connection, no TLS."""

    reason = "unreachable"


class TimedOut(DeliveryFailed):
    reason = "timed_out"


class BadAnswer(DeliveryFailed):
    """What came is no HTTP."""

    reason = "bad_answer"


class Refused(DeliveryFailed):
    """An answer that isn't 2xx. A redirect is one too: nobody is led elsewhere."""

    reason = "refused"

    def __init__(self, status: int, retry_after_seconds: int = 0) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class Gone(DeliveryFailed):
    """The receiver wants nothing more, ever: its subscription ends."""

    retry = False
    reason = "gone"
    status = GONE


class Unsafe(DeliveryFailed):
    """The name leads to an internal address."""

    retry = False
    reason = "unsafe_target"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: what goes where. `id` is the `webhook-id`."""

    id: str
    url: str
    secret: str
    body: bytes


def is_secret(secret: str) -> bool:
    """`whsec_` and base64 (padded or not) of 16 to 128 bytes."""
    encoded = secret.removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(SECRET_PREFIX) and SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX


def secret_of(key: bytes) -> str:
    return SECRET_PREFIX + base64.b64encode(key).decode()


class Webhooks:
    """Sends letters. `wall` is the world's clock, not one that tests move: receivers compare it with theirs."""

    def __init__(self, connections: httpcore.AsyncConnectionPool, wall: Clock, call_seconds_max: float) -> None:
        self._connections = connections
        self._wall = wall
        self._call_seconds_max = call_seconds_max

    async def send(self, letter: Letter) -> int:
        """The 2xx status of the answer. Raises a DeliveryFailed."""
        try:
            async with asyncio.timeout(self._call_seconds_max):
                return await self._call(letter)
        except (TimeoutError, httpcore.TimeoutException) as failure:
            raise TimedOut from failure
        except UnsafeTarget as failure:
            raise Unsafe from failure
        except (httpcore.NetworkError, httpcore.UnsupportedProtocol, OSError) as failure:
            raise Unreachable from failure
        except httpcore.ProtocolError as failure:
            raise BadAnswer from failure

    async def _call(self, letter: Letter) -> int:
        headers: list[tuple[bytes | str, bytes | str]] = [*self.headers(letter).items()]
        async with self._connections.stream("POST", letter.url, headers=headers, content=letter.body) as response:
            await discard(response)
            status, asked = response.status, retry_after(response.headers)
        if 200 <= status < 300:
            return status
        raise Gone if status == GONE else Refused(status, asked)

    def headers(self, letter: Letter) -> dict[str, str]:
        sent_at = datetime.fromtimestamp(self._wall.now() // SECOND, UTC)
        return {
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": USER_AGENT,
            "webhook-id": letter.id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": Webhook(letter.secret).sign(letter.id, sent_at, letter.body.decode()),
        }


async def discard(response: httpcore.Response) -> None:
    """Read the answer, so that the connection can be used again; too long an answer costs the connection."""
    taken = 0
    async for chunk in response.aiter_stream():
        taken += len(chunk)
        if taken > ANSWER_BYTES_MAX:
            return


def retry_after(headers: list[tuple[bytes, bytes]]) -> int:
    """Seconds that the receiver asks for; 0 when it doesn't, or gives a date."""
    value = next((value for name, value in headers if name.lower() == b"retry-after"), b"").strip()
    return int(value) if value.isdigit() and len(value) < 10 else 0


@asynccontextmanager
async def open_webhooks(
    guard: Guard, wall: Clock, resolve: Resolver | None = None, *, call_seconds_max: float = CALL_SECONDS_MAX
) -> AsyncIterator[Webhooks]:
    """No proxy of the environment, no redirect, no cookie: httpcore knows none of them. Whom to trust is read here,
    since that takes long: without a context every connection would read it."""
    system = SystemResolver()
    connections = httpcore.AsyncConnectionPool(
        ssl_context=httpcore.default_ssl_context(),
        network_backend=GuardedBackend(guard, resolve or system),
        max_connections=None,
        max_keepalive_connections=IDLE_CONNECTIONS_MAX,
        keepalive_expiry=IDLE_CONNECTION_SECONDS,
    )
    try:
        async with connections:
            yield Webhooks(connections, wall, call_seconds_max)
    finally:
        system.close()
