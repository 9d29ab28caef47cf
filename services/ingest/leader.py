"""One process at a time does what needs doing once: an advisory lock, held for as long as its session lives.

Nothing's correctness depends on it, only that work isn't done twice.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from libs.common.postgres import DATABASE_TROUBLE, Database
from services.ingest.limits import LEADER_RETRY_SECONDS


class Leadership:
    """Whether this process leads in `what`. Another takes over within seconds of its end."""

    def __init__(self, database: Database, what: str) -> None:
        self._database = database
        self._number = zlib.crc32(what.encode())
        self._leading = asyncio.Event()

    async def leading(self) -> None:
        """Return at once while we lead; otherwise when we do."""
        await self._leading.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run(), name="leadership")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            with suppress(*DATABASE_TROUBLE):
                async with self._database.pool.acquire() as connection:
                    await self._hold(connection)
            self._leading.clear()
            await asyncio.sleep(LEADER_RETRY_SECONDS)

    async def _hold(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        """Take the lock as soon as it is free, and look after the session that holds it."""
        try:
            while True:
                await self._look(connection)
                await asyncio.sleep(LEADER_RETRY_SECONDS)
        finally:
            self._leading.clear()
            with suppress(*DATABASE_TROUBLE):
                await connection.execute("SELECT pg_advisory_unlock_all()")

    async def _look(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        """Take the lock if it is free; once held, see that the session still lives."""
        if self._leading.is_set():
            await connection.execute("SELECT 1")
        elif await connection.fetchval("SELECT pg_try_advisory_lock($1)", self._number):
            self._leading.set()
