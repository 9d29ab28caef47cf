"""What runs beside the machine: the projection, the gauges, the calendars' daily compilation.

The projection comes first, because `Commands` waits for it; the upkeep last, because it gives commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from libs.common.clock import Clock
from libs.common.commands import Commands
from libs.common.log import Log
from libs.common.postgres import Database
from libs.common.projection import Projection
from services.sla import upkeep
from services.sla.projection import SlaMirror, SlaProjection


@asynccontextmanager
async def projecting(log: Log, database: Database) -> AsyncIterator[SlaProjection]:
    """Keeps the tables up to date; if that fails for good, so does whoever is in this context."""
    projection = Projection(log, database, SlaMirror())
    async with beside({"sla-projection": projection.run()}):
        yield projection


@asynccontextmanager
async def keeping_up(database: Database, commands: Commands, clock: Clock) -> AsyncIterator[None]:
    """What the service does by itself, besides its machine and its projection."""
    rounds: dict[str, Coroutine[None, None, None]] = {
        "sla-attainment": upkeep.observe(database, clock),
        "sla-calendars": upkeep.compile_daily(database, commands, clock),
        "sla-history": upkeep.forget_old(database, clock),
    }
    async with beside(rounds):
        yield


@asynccontextmanager
async def beside(work: dict[str, Coroutine[None, None, None]]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one, name=name) for name, one in work.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
