"""Calls for later: opened as linked contacts when their time has come, by the process that leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from libs.common.beside import beside
from libs.common.clock import Clock
from libs.common.errors import Unavailable
from libs.common.postgres import DATABASE_TROUBLE, Database
from libs.common.telemetry import log
from services.ingest.leader import Leadership
from services.ingest.limits import CALLBACK_POLL_SECONDS, CALLBACKS_A_LOOK
from services.ingest.linking import open_scheduled
from services.ingest.outbox import Outbox
from services.ingest.turn import Turn, in_turn

DUE: Final = """
    SELECT workspace, linked_id, contact_id, due_at FROM ingest_callbacks WHERE due_at <= $1
    ORDER BY due_at, linked_id LIMIT $2
"""
NEXT: Final = "SELECT min(due_at) FROM ingest_callbacks"


class Callbacks:
    def __init__(self, database: Database, clock: Clock, outbox: Outbox, leadership: Leadership) -> None:
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._leadership = leadership

    async def none_due(self) -> bool:
        due = await self.next_due()
        return due is None or due > self._clock.now()

    async def next_due(self) -> int | None:
        """When the next call is to be opened."""
        due: int | None = await self._database.pool.fetchval(NEXT)
        return due

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with beside(self._look()):
            yield

    async def _look(self) -> None:
        while True:
            await self._leadership.leading()
            try:
                await self.step()
            except (Unavailable, *DATABASE_TROUBLE) as failure:
                log.warning("callbacks_delayed", error=type(failure).__name__)
            await asyncio.sleep(CALLBACK_POLL_SECONDS)

    async def step(self) -> int:
        """Open what is due; how many."""
        now = self._clock.now()
        rows = await self._database.pool.fetch(DUE, now, CALLBACKS_A_LOOK)
        for row in rows:

            async def work(turn: Turn, origin: str = row["contact_id"], linked_id: str = row["linked_id"],
                           due_at: int = row["due_at"]) -> None:  # fmt: skip
                await open_scheduled(turn, origin, linked_id, due_at)

            await in_turn(self._database, self._outbox.wake, row["workspace"], now, work)
        return len(rows)
