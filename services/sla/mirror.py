"""How records of the log become rows of the projection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from libs.common.events import Event
from libs.common.events.escalations import (
    ClockCancelled,
    ClockCorrected,
    ClockEvent,
    ClockMet,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    EscalationRaised,
    TargetBreached,
    TargetWarned,
)
from libs.common.log import Record
from services.sla.core.state import CALENDAR, TARGET

TABLES: Final = {TARGET: ("sla_targets", "target_id"), CALENDAR: ("sla_calendars", "calendar_id")}


def change(columns: str) -> str:
    """An update of one clock, which says what the clock's outcome is afterwards."""
    return (
        f"UPDATE sla_clocks SET {columns} WHERE workspace = $1 AND contact_id = $2 AND metric = $3"  # noqa: S608
        " RETURNING metric, channel, outcome, breached_at"
    )


START: Final = """
    INSERT INTO sla_clocks (workspace, contact_id, metric, partition, pool, target, target_version, queue, channel,
        medium, visibility, calendar, seconds, started_at, due_at, steps)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::text::jsonb)
    ON CONFLICT DO NOTHING
"""
PAUSE: Final = change("paused_at = $4, elapsed_seconds = $5")
RESUME: Final = change("paused_at = NULL, elapsed_seconds = NULL, due_at = $4")
CORRECT: Final = change("due_at = $4")
WARN: Final = change("warned_at = coalesce(warned_at, $4)")
BREACH: Final = change("breached_at = $4, breach_reason = $5, outcome = 'missed', decided_at = $4")
ESCALATE: Final = change("""steps = jsonb_set(
    jsonb_set(steps, ARRAY[$4::text, 'raised_at'], to_jsonb($5::bigint)),
    ARRAY[$4::text, 'late'], to_jsonb($6::boolean))""")
MEET: Final = change("""paused_at = NULL, met_at = $4, elapsed_seconds = $5, ended_at = coalesce(ended_at, $6),
    end_reason = 'met', outcome = CASE WHEN $7::boolean THEN 'missed' ELSE 'met' END,
    decided_at = coalesce(decided_at, $6)""")
CANCEL: Final = change("""paused_at = NULL, ended_at = $4, end_reason = $5,
    outcome = coalesce(outcome, 'cancelled'), decided_at = coalesce(decided_at, $4)""")
_JSON = msgspec.json.Encoder()


class Outcome(NamedTuple):
    metric: str
    channel: str
    outcome: str


async def write_entities(connection: Any, records: Iterable[Record]) -> None:
    """Targets and calendars as they are configured now; a deleted one has no row."""
    for record in records:
        kind, _, rest = record.key.partition("|")
        if kind in TABLES and record.value is not None:
            await _write_entity(connection, TABLES[kind], rest, record)


async def _write_entity(connection: Any, table: tuple[str, str], rest: str, record: Record) -> None:
    assert record.value is not None
    name, id_column = table
    key, _, subject = rest.partition("|")
    place = key.split("/", 1)[0], subject, record.partition
    entity = msgspec.json.decode(record.value)
    if entity["deleted"]:
        delete = f"DELETE FROM {name} WHERE workspace = $1 AND {id_column} = $2 AND partition = $3"  # noqa: S608
        await connection.execute(delete, *place)
        return
    upsert = (
        f"INSERT INTO {name} (workspace, {id_column}, partition, version, doc)"  # noqa: S608 - our own names
        f" VALUES ($1, $2, $3, $4, $5::text::json) ON CONFLICT (workspace, {id_column}, partition)"
        " DO UPDATE SET version = EXCLUDED.version, doc = EXCLUDED.doc"
    )
    await connection.execute(upsert, *place, entity["version"], record.value.decode())


async def write_event(connection: Any, partition: int, event: Event) -> Outcome | None:
    """One published event of a clock; the outcome when this event decided it. Other events change no row here."""
    match event:
        case ClockStarted():
            await connection.execute(START, *_of(event), partition, event.pool, *_start(event))
        case TargetBreached():
            return _outcome(await connection.fetchrow(BREACH, *_of(event), event.at, event.reason))
        case ClockMet():
            how = event.met_at, event.elapsed_seconds, event.at, event.late
            return _outcome(await connection.fetchrow(MEET, *_of(event), *how), unless_breached=True)
        case ClockCancelled():
            row = await connection.fetchrow(CANCEL, *_of(event), event.at, event.reason)
            return _outcome(row, unless_breached=True)
        case ClockEvent():
            await connection.execute(*_change(event))
    return None


def _change(event: ClockEvent) -> tuple[Any, ...]:
    """The statement and its arguments for what happens between a clock's start and its end."""
    match event:
        case ClockPaused():      return PAUSE, *_of(event), event.paused_at, event.elapsed_seconds
        case ClockResumed():     return RESUME, *_of(event), event.due_at
        case ClockCorrected():   return CORRECT, *_of(event), event.due_at
        case TargetWarned():     return WARN, *_of(event), event.at
        case EscalationRaised(): return ESCALATE, *_of(event), str(event.step), event.at, event.late
        case _:                  raise TypeError(f"{event.type} changes no clock")


def _outcome(row: Any, *, unless_breached: bool = False) -> Outcome | None:
    """A correction after a breach is no second outcome; a clock whose start is no longer on the log has none."""
    if row is None or (unless_breached and row["breached_at"] is not None):
        return None
    return Outcome(row["metric"], row["channel"], row["outcome"])


def _of(event: ClockEvent) -> tuple[str, str, str]:
    return event.workspace, event.contact_id, event.metric


def _start(event: ClockStarted) -> tuple[Any, ...]:
    steps = [{"at": step.at, "do": step.do, "to": step.to, "raised_at": None} for step in event.escalate]
    return (
        event.target,
        event.target_version,
        event.queue,
        event.channel,
        event.medium,
        event.visibility,
        event.calendar,
        event.seconds,
        event.started_at,
        event.due_at,
        _JSON.encode(steps).decode(),
    )
