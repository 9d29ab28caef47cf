"""One program at a time on a database that holds the log: a second one is refused.

The lock is the server's, held by a connection that is there for nothing else. While that connection is lost another
program may come in: what either writes stays right, since every commit checks its partition's epoch, and whoever
can't have the lock back ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from libs.common.beside import beside
from libs.common.postgres import CONNECT_SECONDS_MAX, DATABASE_TROUBLE, connection_settings
from libs.common.settings import SettingsError
from libs.common.telemetry import log

WATCH_SECONDS: Final = 2.0
STATEMENT_SECONDS_MAX: Final = 5.0
REFUSALS_MAX: Final = 20
"""Looks in a row: longer than the server takes to see that the connection we lost is gone."""
KEEP_ALIVE: Final = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "4"}
"""A machine that went without a word has lost its lock after 30 seconds."""

TAKE: Final = "SELECT pg_try_advisory_lock(hashtext('omniroute.alone'))"
"""Whoever has it is told so again."""
LET_GO: Final = "SELECT pg_advisory_unlock_all()"
IN_USE: Final = "OMNIROUTE_DATABASE_URL: another program works on this database; several need OMNIROUTE_KAFKA"


@asynccontextmanager
async def alone_on(url: str, *, watch_seconds: float = WATCH_SECONDS) -> AsyncIterator[None]:
    """Keeps other programs from working on the database; raises SettingsError, at the start or later, when one does.

    Raises OSError or asyncpg.PostgresError when the database can't be reached at the start."""
    hold = Hold(url)
    try:
        if not await hold.take():
            raise SettingsError([IN_USE])
        async with beside(hold.keep(watch_seconds)):
            yield
    finally:
        await hold.let_go()


class Hold:
    """The lock and the connection that has it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None

    async def take(self) -> bool:
        """Whether the lock is ours, now."""
        if self._connection is None:
            settings = connection_settings("omniroute-alone", statement_seconds=STATEMENT_SECONDS_MAX)
            self._connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS_MAX,
                command_timeout=STATEMENT_SECONDS_MAX,
                server_settings=settings | KEEP_ALIVE,
            )
        return await self._connection.fetchval(TAKE) is True

    async def keep(self, watch_seconds: float) -> None:
        """For ever; a lost lock is taken again. Raises SettingsError when another program keeps it."""
        refusals = 0
        while refusals < REFUSALS_MAX:
            await asyncio.sleep(watch_seconds)
            try:
                refusals = 0 if await self.take() else refusals + 1
            except DATABASE_TROUBLE as failure:
                log.warning("database_lock_lost", error=failure)
                self._drop()
        raise SettingsError([IN_USE])

    async def let_go(self) -> None:
        if self._connection is not None:
            with suppress(*DATABASE_TROUBLE):
                await self._connection.execute(LET_GO)
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
