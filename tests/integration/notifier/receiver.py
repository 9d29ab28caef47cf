"""A customer's endpoint: a real HTTP server that verifies what it gets, and answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WAIT_SECONDS = 20


@dataclass(frozen=True)
class Got:
    """A letter whose signature was right."""

    id: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def data(self) -> dict[str, Any]:
        return dict(self.body["data"])

    @property
    def which(self) -> tuple[str, int]:
        """The contact and the event's number."""
        return self.data["contact_id"], self.data["sequence"]


def welcome(_: Got) -> int:
    return 204


class Receiver:
    """`judge` says the status of each answer; while `open` is clear nothing is answered."""

    def __init__(self, secret: str = SECRET) -> None:
        self.secret = secret
        self.got: list[Got] = []
        self.accepted: list[Got] = []
        self.judge: Callable[[Got], int] = welcome
        self.answer_headers = ""
        self.open = asyncio.Event()
        self.open.set()
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.open.set()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook"

    async def letters(self, count: int) -> list[Got]:
        """The first so many letters, accepted or not."""
        await self._until(lambda: len(self.got) >= count)
        return self.got[:count]

    async def taken(self, count: int) -> list[Got]:
        """The first so many letters that were answered 2xx."""
        await self._until(lambda: len(self.accepted) >= count)
        return self.accepted[:count]

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS), self._news:
            await self._news.wait_for(holds)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The caller has no more to say.
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(_header(line) for line in head[1:] if line)
        raw = await reader.readexactly(int(headers["content-length"]))
        got = Got(headers["webhook-id"], headers, Webhook(self.secret).verify(raw, headers))
        status = self.judge(got)
        async with self._news:
            self.got.append(got)
            self._news.notify_all()
        await self.open.wait()
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{self.answer_headers}\r\n".encode())
        await writer.drain()
        if 200 <= status < 300:
            async with self._news:
                self.accepted.append(got)
                self._news.notify_all()


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()
