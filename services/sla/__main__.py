"""What runs beside the machine: the projection, the gauges, the calendars' daily compilation.

The projection comes first, because `Commands` waits for it; the upkeep last, because it gives commands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.beside import beside
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
    async with beside(projection.run()):
        yield projection


@asynccontextmanager
async def keeping_up(database: Database, commands: Commands, clock: Clock) -> AsyncIterator[None]:
    """What the service does by itself, besides its machine and its projection."""
    async with (
        beside(upkeep.observe(database, clock)),
        beside(upkeep.compile_daily(database, commands, clock)),
        beside(upkeep.forget_old(database, clock)),
    ):
        yield
