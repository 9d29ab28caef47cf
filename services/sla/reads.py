"""What the projection answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from libs.common.errors import NotFound
from libs.common.events import SECOND
from libs.common.events.codec import moment
from libs.common.http import Page, PageRequest, page_of
from libs.common.postgres import Database
from services.sla.api_models import (
    Attainment,
    AttainmentItem,
    BreachView,
    CalendarView,
    ClockView,
    Group,
    Metric,
    StepView,
    TargetView,
)
from services.sla.core.clocks import NEVER, Table, open_time
from services.sla.core.state import ALWAYS

GROUPS: Final[dict[Group, str]] = {
    "channel": "channel",
    "visibility": "visibility",
    "medium": "medium",
    "queue": "queue",
    "target": "target",
}
TARGETS: Final = """
    SELECT DISTINCT ON (target_id) target_id AS id, doc::text AS doc FROM sla_targets
    WHERE workspace = $1 AND target_id > $2 ORDER BY target_id, partition LIMIT $3
"""
TARGET: Final = "SELECT doc::text FROM sla_targets WHERE workspace = $1 AND target_id = $2 ORDER BY partition LIMIT 1"
CALENDARS: Final = """
    SELECT DISTINCT ON (calendar_id) calendar_id AS id, doc::text AS doc FROM sla_calendars
    WHERE workspace = $1 AND calendar_id > $2 ORDER BY calendar_id, partition LIMIT $3
"""
CALENDAR: Final = """
    SELECT doc::text FROM sla_calendars WHERE workspace = $1 AND calendar_id = $2 ORDER BY partition LIMIT 1
"""
CLOCKS: Final = """
    SELECT *, steps::text AS ladder FROM sla_clocks WHERE workspace = $1 AND contact_id = $2 ORDER BY metric
"""
BREACHES: Final = """
    SELECT * FROM sla_clocks WHERE workspace = $1 AND breached_at IS NOT NULL
    AND (breached_at, contact_id, metric) < ($2, $3, $4)
    AND ($5::text IS NULL OR queue = $5) AND ($6::text IS NULL OR channel = $6)
    ORDER BY breached_at DESC, contact_id DESC, metric DESC LIMIT $7
"""
LAST: Final = (NEVER, "\uffff", "\uffff")


def attainment_query(column: str) -> str:
    return f"""
        SELECT {column} AS name, count(*) FILTER (WHERE outcome = 'met') AS met,
        count(*) FILTER (WHERE outcome = 'missed') AS missed,
        avg(elapsed_seconds / seconds) FILTER (WHERE met_at IS NOT NULL) AS ratio
        FROM sla_clocks WHERE workspace = $1 AND metric = $2 AND decided_at > $3 AND outcome IN ('met', 'missed')
        GROUP BY {column} ORDER BY {column}
    """  # noqa: S608 - a column's name of GROUPS


# -- configuration -------------------------------------------------------------------------------------------------


async def target(database: Database, workspace: str, target_id: str) -> TargetView:
    """Raises NotFound."""
    doc = await database.pool.fetchval(TARGET, workspace, target_id)
    if doc is None:
        raise NotFound("there is no such target")
    return target_view(doc)


async def targets(database: Database, workspace: str, page: PageRequest) -> Page[TargetView]:
    rows = await _page(database, TARGETS, workspace, page)
    return page_of(rows, page, lambda row: target_view(row["doc"]), lambda row: (row["id"],))


def target_view(doc: str) -> TargetView:
    fields = msgspec.json.decode(doc)
    shown = {name: fields[name] for name in TargetView.model_fields}
    return TargetView(**shown)


async def calendar(database: Database, workspace: str, calendar_id: str, now: int) -> CalendarView:
    """Raises NotFound; `always` is built in."""
    if calendar_id == ALWAYS:
        return calendar_view({"calendar_id": ALWAYS, "version": 0, "hours": "24/7", "timezone": "UTC"}, None, now)
    doc = await database.pool.fetchval(CALENDAR, workspace, calendar_id)
    if doc is None:
        raise NotFound("there is no such calendar")
    return _calendar_view(doc, now)


async def calendars(database: Database, workspace: str, page: PageRequest, now: int) -> Page[CalendarView]:
    rows = await _page(database, CALENDARS, workspace, page)
    return page_of(rows, page, lambda row: _calendar_view(row["doc"], now), lambda row: (row["id"],))


async def _page(database: Database, query: str, workspace: str, page: PageRequest) -> Sequence[Any]:
    after = page.keys(str)
    rows: Sequence[Any] = await database.pool.fetch(query, workspace, after[0] if after else "", page.fetch)
    return rows


def _calendar_view(doc: str, now: int) -> CalendarView:
    fields = msgspec.json.decode(doc)
    return calendar_view(fields, table_of(fields), now)


def table_of(fields: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    return tuple((opens, closes) for opens, closes in fields["open"])


def calendar_view(fields: Mapping[str, Any], table: Table, now: int) -> CalendarView:
    """`table` is None for what is always open."""
    edges = [edge for interval in table or () for edge in interval if edge > now]
    return CalendarView(
        calendar_id=fields["calendar_id"],
        version=fields["version"],
        hours=fields["hours"],
        timezone=fields["timezone"],
        country=fields.get("country"),
        subdivision=fields.get("subdivision"),
        open_now=table is None or any(opens <= now < closes for opens, closes in table),
        next_change_at=moment(edges[0]) if edges else None,
        compiled_until=moment(table[-1][1]) if table else None,
    )


# -- clocks --------------------------------------------------------------------------------------------------------


async def clocks(database: Database, workspace: str, contact_id: str, now: int) -> Page[ClockView]:
    rows = await database.pool.fetch(CLOCKS, workspace, contact_id)
    return Page(items=[clock_view(row, await _table(database, workspace, row), now) for row in rows])


async def _table(database: Database, workspace: str, row: Any) -> Table:
    if row["calendar"] == ALWAYS or row["ended_at"] is not None:
        return None
    doc = await database.pool.fetchval(CALENDAR, workspace, row["calendar"])
    return table_of(msgspec.json.decode(doc)) if doc is not None else None


def clock_view(row: Any, table: Table, now: int) -> ClockView:
    steps = [StepView(**step | {"raised_at": moment(step["raised_at"])}) for step in msgspec.json.decode(row["ladder"])]
    return ClockView(
        target=row["target"],
        metric=row["metric"],
        state=clock_state(row),
        started_at=moment(row["started_at"]),
        due_at=moment(row["due_at"]),
        remaining_seconds=remaining(row, table, now),
        warned_at=moment(row["warned_at"]),
        breached_at=moment(row["breached_at"]),
        met_at=moment(row["met_at"]),
        ended_at=moment(row["ended_at"]),
        reason=row["breach_reason"] if row["outcome"] == "missed" else row["end_reason"],
        steps=steps,
    )


def clock_state(row: Any) -> Any:
    """`breached` stays once the promise is broken, also when it was fulfilled later (`met_at`)."""
    decided = {"met": "met", "missed": "breached", "cancelled": "cancelled"}
    return decided.get(row["outcome"]) or ("paused" if row["paused_at"] is not None else "running")


def remaining(row: Any, table: Table, now: int) -> float | None:
    if row["ended_at"] is not None:
        return None
    if row["paused_at"] is not None:
        return float(row["seconds"] - row["elapsed_seconds"])
    due: int = row["due_at"]
    left = open_time(table, now, due) if now <= due else -open_time(table, due, now)
    return left / SECOND


# -- attainment ----------------------------------------------------------------------------------------------------


async def attainment(
    database: Database, workspace: str, by: Group, metric: Metric, window_seconds: int, now: int
) -> Attainment:
    since = now - window_seconds * SECOND
    rows = await database.pool.fetch(attainment_query(GROUPS[by]), workspace, metric, since)
    items = [attainment_item(by, row) for row in rows]
    met, missed = sum(item.met for item in items), sum(item.missed for item in items)
    return Attainment(
        by=by,
        metric=metric,
        window_seconds=window_seconds,
        items=items,
        attainment=met / (met + missed) if items else None,
        parity_gap=parity_gap([item.attainment for item in items]),
    )


def attainment_item(by: Group, row: Any) -> AttainmentItem:
    met, missed = row["met"], row["missed"]
    return AttainmentItem(
        **{by: row["name"]}, met=met, missed=missed, attainment=met / (met + missed), wait_over_target=row["ratio"]
    )


def parity_gap(shares: Sequence[float]) -> float:
    return max(shares) - min(shares) if shares else 0.0


# -- breaches ------------------------------------------------------------------------------------------------------


async def breaches(
    database: Database, workspace: str, page: PageRequest, *, queue: str | None, channel: str | None
) -> Page[BreachView]:
    """The newest first."""
    after = page.keys(int, str, str) or LAST
    rows = await database.pool.fetch(BREACHES, workspace, *after, queue, channel, page.fetch)
    return page_of(rows, page, breach_view, lambda row: (row["breached_at"], row["contact_id"], row["metric"]))


def breach_view(row: Any) -> BreachView:
    return BreachView(
        **{name: row[name] for name in ("contact_id", "target", "metric", "queue", "channel", "medium", "visibility")},
        started_at=moment(row["started_at"]),
        due_at=moment(row["due_at"]),
        breached_at=moment(row["breached_at"]),
        reason=row["breach_reason"],
        met_at=moment(row["met_at"]),
        open=row["ended_at"] is None,
    )
