"""What comes round by itself: the hours of queues are compiled again before their tables end, or when the rules moved.

Every process may do it: the commands have ids of the day, and each replaces the version that was read and no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from libs.common.beside import beside
from libs.common.calendars import DAY, Hours, outdated
from libs.common.clock import Clock
from libs.common.commands import Commands
from libs.common.errors import Problem
from libs.common.events import pool_key
from libs.common.events.commands import CompileQueueHours
from libs.common.housekeeping import repeat
from libs.common.postgres import Database
from libs.common.telemetry import log
from services.router.api_admission import table_ahead
from services.router.core.state import Queue

LOOK_SECONDS: Final = 600
ACTOR: Final = "router"
QUEUES_WITH_HOURS: Final = """
    SELECT workspace, pool, doc::text AS doc FROM router_entities
    WHERE kind = 'queue' AND state IS DISTINCT FROM 'deleted' AND doc->>'hours' IS NOT NULL ORDER BY workspace, id
"""


@asynccontextmanager
async def keeping_hours(database: Database, commands: Commands, clock: Clock) -> AsyncIterator[None]:
    """Compiles what is outdated, once a day, in the background."""
    async with beside(compile_daily(database, commands, clock)):
        yield


async def compile_daily(database: Database, commands: Commands, clock: Clock) -> None:
    done = 0

    async def once() -> None:
        nonlocal done
        today = clock.now() // DAY
        if today > done and await compile_outdated(database, commands, clock.now()):
            done = today

    await repeat(once, LOOK_SECONDS)


async def compile_outdated(database: Database, commands: Commands, now: int) -> bool:
    """Whether all are up to date now; one that fails holds up none of the others."""
    well = True
    for row in await database.pool.fetch(QUEUES_WITH_HOURS):
        command = await asyncio.to_thread(recompiled, row, now)
        try:
            if command is not None:
                await commands.run(command)
        except Problem as problem:
            log.warning("hours_delayed", workspace=row["workspace"], code=problem.code)
            well = False
    return well


def recompiled(row: Any, now: int) -> CompileQueueHours | None:
    """The command that brings a queue's hours up to date; None when they are, or when nobody can compile them now."""
    queue = msgspec.json.decode(row["doc"], type=Queue)
    assert queue.hours is not None, "only queues with hours are asked for"
    said = queue.hours
    try:
        table = table_ahead(Hours(said.hours, said.timezone, said.country, said.subdivision), now)
    except Problem as refusal:
        log.error("hours_not_compiled", workspace=row["workspace"], queue=queue.id, code=refusal.code)
        return None
    if not table or not outdated(said.open, table, now):
        return None
    return CompileQueueHours(
        key=pool_key(row["workspace"], row["pool"]), at=now, actor=ACTOR, queue_id=queue.id, replaces=queue.version,
        command_id=f"hours.{row['workspace']}.{row['pool']}.{queue.id}.{queue.version}.{now // DAY}", open=table,
    )  # fmt: skip
