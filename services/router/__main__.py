"""What runs beside the router's machine in every process that answers for it: its projection and its gauges."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from libs.common.beside import beside
from libs.common.clock import Clock
from libs.common.log import Log
from libs.common.notes import Notes
from libs.common.postgres import Database
from libs.common.projection import Projection
from services.router.api_parts import Shell
from services.router.names import Names
from services.router.outlook import Outlook
from services.router.projection import RouterMirror, RouterProjection
from services.router.reads import Reads
from services.router.stats import Stats
from services.router.stream import Streams
from services.router.versions import Versions


@dataclass(frozen=True)
class Running:
    """`shell` is the part that the API needs, `projection` what tells how fresh its answers are."""

    shell: Shell
    projection: RouterProjection


@asynccontextmanager
async def running(port: Log, database: Database, clock: Clock) -> AsyncIterator[Running]:
    """Keeps the projection up to date; if it fails for good, so does whoever is in this context."""
    streams = Streams()
    projection = Projection(port, database, RouterMirror(streams))
    outlook = Outlook(database, clock)
    stats = Stats(database, clock, outlook)
    shell = Shell(
        reads=Reads(database),
        outlook=outlook,
        names=Names(database),
        notes=Notes(database),
        stats=stats,
        streams=streams,
        versions=Versions(database),
        clock=clock,
    )
    async with beside(projection.run()), beside(stats.run()):
        yield Running(shell, projection)
