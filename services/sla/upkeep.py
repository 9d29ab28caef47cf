"""What comes round by itself: the gauges, the calendars' compilation, the end of old history.

Every process may do all of it: the compilation's commands have ids of the day, so the second one changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from libs.common.calendars import DAY, Hours, compile_hours, outdated
from libs.common.clock import Clock
from libs.common.commands import Commands
from libs.common.errors import Problem
from libs.common.events import SECOND
from libs.common.events.commands import PutCalendar
from libs.common.housekeeping import repeat
from libs.common.postgres import Database
from services.sla import metrics
from services.sla.api import put_calendar_command
from services.sla.reads import table_of

OBSERVE_SECONDS: Final = 15
LOOK_SECONDS: Final = 600
HISTORY_DAYS: Final = 90
FORGOTTEN_AT_ONCE_MAX: Final = 10_000
ACTOR: Final = "sla"

ATTAINMENT: Final = """
    SELECT channel, avg((outcome = 'met')::int)::float AS share FROM sla_clocks
    WHERE metric = 'first_response' AND decided_at > $1 AND outcome IN ('met', 'missed') GROUP BY channel
"""
CALENDARS: Final = """
    SELECT workspace, (array_agg(doc::text ORDER BY partition))[1] AS doc,
        json_object_agg(partition, version)::text AS versions
    FROM sla_calendars GROUP BY workspace, calendar_id ORDER BY workspace, calendar_id
"""
FORGET: Final = """
    DELETE FROM sla_clocks WHERE (workspace, contact_id, metric) IN (
        SELECT workspace, contact_id, metric FROM sla_clocks WHERE ended_at < $1 LIMIT $2)
"""

log = structlog.get_logger()


async def observe(database: Database, clock: Clock) -> None:
    async def once() -> None:
        since = clock.now() - metrics.ATTAINMENT_WINDOW_SECONDS * SECOND
        rows = await database.pool.fetch(ATTAINMENT, since)
        metrics.observe_attainment({row["channel"]: row["share"] for row in rows})

    await repeat(once, OBSERVE_SECONDS)


class Round(NamedTuple):
    """How many calendars were compiled again, and how many couldn't be."""

    compiled: int
    failed: int


async def compile_daily(database: Database, commands: Commands, clock: Clock) -> None:
    """Compile every calendar whose year ahead has changed: it got short, or holidays or the zone's rules moved."""
    done = 0

    async def once() -> None:
        nonlocal done
        today = clock.now() // DAY
        if today > done:
            made = await compile_outdated(database, commands, clock.now())
            done = done if made.failed else today

    await repeat(once, LOOK_SECONDS)


async def compile_outdated(database: Database, commands: Commands, now: int) -> Round:
    """One that fails holds up none of the others: it is tried again the next time."""
    compiled = failed = 0
    for row in await database.pool.fetch(CALENDARS):
        try:
            compiled += await compile_again(commands, row, now)
        except Problem as problem:
            log.warning("calendar_delayed", workspace=row["workspace"], code=problem.code)
            failed += 1
    return Round(compiled, failed)


async def compile_again(commands: Commands, row: Any, now: int) -> bool:
    """Whether there was anything to do. Raises a Problem. Each partition's copy replaces the version that was read
    there, and nothing else: who changed or deleted the calendar meanwhile has the last word."""
    command = await asyncio.to_thread(recompiled, row["workspace"], msgspec.json.decode(row["doc"]), now)
    if command is None:
        return False
    versions = msgspec.json.decode(row["versions"], type=dict[int, int])
    await commands.broadcast(lambda partition: msgspec.structs.replace(command, replaces=versions.get(partition, 0)))
    return True


def recompiled(workspace: str, calendar: dict[str, Any], now: int) -> PutCalendar | None:
    """The command that brings a calendar up to date; None when it is. A calendar whose rules are no longer known
    (a country that the holidays dropped) keeps its table and is logged."""
    hours = Hours(calendar["hours"], calendar["timezone"], calendar["country"], calendar["subdivision"])
    try:
        table = compile_hours(hours, now)
    except Problem as refusal:
        log.error("calendar_not_compiled", workspace=workspace, calendar=calendar["calendar_id"], code=refusal.code)
        return None
    if not outdated(table_of(calendar), table, now):
        return None
    command_id = f"compile.{workspace}.{calendar['calendar_id']}.{calendar['version']}.{now // DAY}"
    return put_calendar_command(
        workspace, calendar["calendar_id"], hours, table, command_id=command_id, actor=ACTOR, at=now
    )


async def forget_old(database: Database, clock: Clock) -> None:
    """History of clocks that ended long ago: at most so many a round, so that no transaction is long."""

    async def once() -> None:
        await database.pool.execute(FORGET, clock.now() - HISTORY_DAYS * DAY, FORGOTTEN_AT_ONCE_MAX)

    await repeat(once, LOOK_SECONDS)
