"""A wire to PostgreSQL that can be cut: at once, or at the moment a commit passes."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Self
from urllib.parse import parse_qs, urlsplit

COMMIT = b"COMMIT;"


class At(Enum):
    """When the wire breaks by itself."""

    NEVER = auto()
    BEFORE_COMMIT = auto()
    AFTER_COMMIT = auto()
    """The server gets the commit; its answer is lost."""
    HELD = auto()
    """Nothing breaks: the commit waits until it is released."""


class Cut:
    """Passes bytes between a port of its own and the server of `database_url`."""

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        self._socket = parse_qs(parts.query)["host"][0] + "/.s.PGSQL.5432"
        self._database = parts.path
        self._wires: set[asyncio.StreamWriter] = set()
        self._up = True
        self.at = At.NEVER
        self.refused = asyncio.Event()
        self.held = asyncio.Event()
        self.released = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.down()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://postgres@127.0.0.1:{port}{self._database}"

    def down(self) -> None:
        self._up = False
        self.refused.clear()
        for wire in self._wires:
            wire.transport.abort()

    def up(self) -> None:
        self._up = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._up:
            self.refused.set()
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        both = {writer, server_writer}
        self._wires |= both
        await asyncio.gather(self._pass(reader, server_writer, both), self._pass(server_reader, writer, both))
        self._wires -= both

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, both: set[asyncio.StreamWriter]
    ) -> None:
        try:
            while data := await source.read(65_536):
                if COMMIT in data and self.at is At.HELD:
                    self.held.set()
                    await self.released.wait()
                elif COMMIT in data and self.at is not At.NEVER:
                    await self._break(data, target)
                    break
                target.write(data)
                await target.drain()
        except OSError:
            pass  # The other side is gone.
        for wire in both:
            wire.close()

    async def _break(self, data: bytes, target: asyncio.StreamWriter) -> None:
        if self.at is At.AFTER_COMMIT:
            target.write(data)
            await target.drain()
        self.at = At.NEVER
