"""Heartbeats: those of a pool within a second go on the log as one command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from libs.common.clock import Clock
from libs.common.drafts import command_draft
from libs.common.errors import NotFound
from libs.common.events import pool_key
from libs.common.events.commands import RenewLeases
from libs.common.idempotency import drawn_command_id
from libs.common.log.port import Log, LogError
from libs.common.pools import Pools
from libs.common.telemetry import log as say

GATHER_SECONDS: Final = 1.0
ACTOR: Final = "heartbeats"

Pool = tuple[str, str]


class Leases:
    def __init__(self, log: Log, pools: Pools, clock: Clock) -> None:
        self._log = log
        self._pools = pools
        self._clock = clock
        self._gathered: dict[Pool, dict[str, int]] = {}
        self._some = asyncio.Event()

    def renew(self, workspace: str, pool: str, agent: str, seconds: int) -> None:
        """Gather one heartbeat; the last of an agent counts."""
        self._gathered.setdefault((workspace, pool), {})[agent] = seconds
        self._some.set()

    async def flush(self) -> None:
        """Append what is gathered, one command a pool."""
        gathered, self._gathered = self._gathered, {}
        self._some.clear()
        for (workspace, pool), leases in sorted(gathered.items()):
            await self._append(workspace, pool, dict(sorted(leases.items())))

    async def _append(self, workspace: str, pool: str, leases: dict[str, int]) -> None:
        command = RenewLeases(
            key=pool_key(workspace, pool),
            at=self._clock.now(),
            command_id=drawn_command_id(),
            actor=ACTOR,
            leases=leases,
        )
        try:
            partition = await self._pools.partition(workspace, pool)
            await self._log.append(partition, [command_draft(command)])
        except (LogError, NotFound) as failure:
            say.warning("heartbeats lost; the next ones come soon", error=failure, count=len(leases))

    async def _flush_each_second(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self.flush()

    @asynccontextmanager
    async def flushing(self) -> AsyncIterator[None]:
        """Flushes in the background, and once more at the end."""
        async with asyncio.TaskGroup() as tasks:
            beating = tasks.create_task(self._flush_each_second())
            try:
                yield
            finally:
                beating.cancel()
                await self.flush()
