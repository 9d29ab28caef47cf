"""The numbers of the moment: what waits, who works. Read from the projection; the gauges and the live figures too."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import structlog

from libs.common.clock import Clock
from libs.common.events import SECOND
from libs.common.events.codec import rfc3339
from libs.common.events.values import Requirement
from libs.common.http import ViewModel
from libs.common.postgres import DATABASE_TROUBLE, Database
from services.router import metrics
from services.router.core.floor import NO_AGENT, NOBODY_ANSWERS
from services.router.core.requirements import meets
from services.router.core.state import Queue
from services.router.outlook import Outlook
from services.router.routing_view import expected

GAUGES_EVERY_SECONDS: Final = 2.0
FIGURES_EVERY_SECONDS: Final = 1.0
"""How often the live figures are drawn, once for all who watch a workspace."""
HISTORY_DAYS: Final = 90
"""How long contacts that have ended can be asked for."""
PURGED_AT_ONCE_MAX: Final = 5_000
UNROUTABLE: Final = (NO_AGENT, NOBODY_ANSWERS)
IN_LINE: Final = ("waiting", "offered")
PRESENCES: Final = ("available", "busy", "away", "offline")

OPEN_CONTACTS: Final = """
    SELECT pool, state, queue, channel, CASE WHEN unroutable THEN doc->>'unroutable' END AS unroutable,
    count(*) AS count, min(waiting_since) AS since FROM router_entities
    WHERE kind = 'contact' AND state IN ('waiting', 'offered', 'assigned', 'parked', 'wrap_up')
    AND ($1::text IS NULL OR workspace = $1) AND ($2::text IS NULL OR queue = $2)
    AND ($3::text IS NULL OR pool = $3)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 3, 4
"""
QUEUES_WAITED_IN: Final = """
    SELECT DISTINCT workspace, pool, partition, queue FROM router_entities
    WHERE kind = 'contact' AND state = 'waiting' ORDER BY 1, 2, 4
"""
AGENTS: Final = """
    SELECT coalesce(agent.state, 'offline') AS presence, count(*) AS count, coalesce(sum(agent.units), 0) AS units,
        coalesce(sum(held.units), 0) AS used
    FROM router_entities agent LEFT JOIN (
        SELECT workspace, one.id, sum(one.units) AS units FROM router_entities AS contact,
        unnest(coalesce(offered_to, ARRAY[agent]), coalesce(offered_units, ARRAY[contact.units])) AS one (id, units)
        WHERE kind = 'contact' AND state IN ('offered', 'assigned', 'wrap_up')
        AND ($1::text IS NULL OR workspace = $1) GROUP BY 1, 2
    ) held ON held.workspace = agent.workspace AND held.id = agent.id
    WHERE agent.kind = 'agent' AND agent.state <> 'deleted'
    AND ($1::text IS NULL OR agent.workspace = $1) AND ($2::text IS NULL OR agent.pool = $2) GROUP BY 1
"""
PROFILES: Final = """
    SELECT (doc->'skills')::text, coalesce(state, 'offline'), count(*) FROM router_entities
    WHERE workspace = $1 AND kind = 'agent' AND pool = $2 AND state <> 'deleted' GROUP BY 1, 2
"""

log = structlog.get_logger()


class WaitingLine(ViewModel):
    queue: str
    channel: str
    waiting: int
    offered: int
    longest_wait_seconds: float | None
    """Of who waits there longest, by the customer's oldest unanswered message."""


class Figures(ViewModel):
    at: str
    contacts: dict[str, int]
    """Open contacts by state."""
    unroutable: int
    """Contacts that nobody can or will take."""
    lines: list[WaitingLine]
    agents: dict[str, int]
    """Agents by presence."""
    capacity_units: int
    """Of the agents who are available."""
    capacity_used: int

    def differ_from(self, other: Figures) -> bool:
        """Whether anything but the time has changed; a wait grows by itself."""
        return self._counts() != other._counts()

    def _counts(self) -> dict[str, Any]:
        return self.model_dump(exclude={"at": True, "lines": {"__all__": {"longest_wait_seconds"}}})


class QueueFigures(ViewModel):
    queue_id: str
    pool: str
    at: str
    waiting: int
    offered: int
    assigned: int
    parked: int
    wrap_up: int
    unroutable: int
    longest_wait_seconds: float | None
    expected_wait_seconds: float | None = None
    """For somebody who comes now and is like who came last."""
    expected_wait_interval: tuple[float, float] | None = None
    """Between these the wait ends four times in five."""
    expected_wait_unknown: str | None = None
    """Why there is no number: `nobody_available`, `too_few_seen`, `too_many_waiting` or `unroutable`."""
    attainment: float | None = None
    """Null here: the share of targets met is what `GET /v1/attainment` answers."""
    agents: dict[str, int]
    """All agents of the queue's pool by presence."""
    able: dict[str, int]
    """Those of them who meet the queue's requirement, before any relaxation."""


Rows = Sequence[Any]


class Stats:
    """Figures of a workspace, shared by everyone who asks within a second."""

    def __init__(self, database: Database, clock: Clock, outlook: Outlook) -> None:
        self._database = database
        self._clock = clock
        self._outlook = outlook

    async def workspace(self, workspace: str) -> Figures:
        contacts, agents = await self._rows(workspace, None, None)
        now = self._clock.now()
        units, used = capacity(agents)
        return Figures(
            at=rfc3339(now),
            contacts=_by_state(contacts),
            unroutable=sum(row["count"] for row in contacts if row["unroutable"]),
            lines=_lines(contacts, now),
            agents=presences(agents),
            capacity_units=units,
            capacity_used=used,
        )

    async def queue(self, workspace: str, queue: Queue, pool: str, partition: int) -> QueueFigures:
        wait = expected(await self._outlook.of_queue(workspace, pool, partition, queue.id))
        contacts, agents = await self._rows(workspace, queue.id, pool)
        now = self._clock.now()
        states: dict[str, Any] = {"waiting": 0, "offered": 0, "assigned": 0, "parked": 0, "wrap_up": 0}
        return QueueFigures(
            queue_id=queue.id,
            pool=pool,
            at=rfc3339(now),
            **(states | {state: count for state, count in _by_state(contacts).items() if state in states}),
            unroutable=sum(row["count"] for row in contacts if row["unroutable"]),
            longest_wait_seconds=_longest(contacts, now),
            **msgspec.structs.asdict(wait),
            agents=presences(agents),
            able=await self._able(workspace, pool, queue.requirement),
        )

    async def _able(self, workspace: str, pool: str, requirement: Requirement | None) -> dict[str, int]:
        """Agents by presence, of the profiles that meet the requirement: a pool has many agents and few profiles."""
        able = Counter(dict.fromkeys(PRESENCES, 0))
        for skills, presence, count in await self._database.pool.fetch(PROFILES, workspace, pool):
            if meets(msgspec.json.decode(skills or "{}"), requirement):
                able[presence] += count
        return dict(able)

    async def _rows(self, workspace: str | None, queue: str | None, pool: str | None) -> tuple[Rows, Rows]:
        async with self._database.pool.acquire() as connection:
            contacts = await connection.fetch(OPEN_CONTACTS, workspace, queue, pool)
            return contacts, await connection.fetch(AGENTS, workspace, pool)

    async def draw_gauges(self) -> None:
        contacts, agents = await self._rows(None, None, None)
        self._draw_waiting(contacts)
        await self._draw_expected_waits()
        for state, count in presences(agents).items():
            metrics.AGENTS.labels(state).set(count)
        units, used = capacity(agents)
        metrics.AGENT_CAPACITY_USED_RATIO.set(used / units if units else 0)

    def _draw_waiting(self, contacts: Rows) -> None:
        now = self._clock.now()
        metrics.CONTACTS_WAITING.clear()
        metrics.OLDEST_WAIT_SECONDS.clear()
        metrics.CONTACTS_UNROUTABLE.clear()
        for (queue, reason), count in sorted(_unroutable(contacts).items()):
            metrics.CONTACTS_UNROUTABLE.labels(queue, reason).set(count)
        for line in sorted(_lines(contacts, now), key=lambda line: line.longest_wait_seconds or 0):
            metrics.CONTACTS_WAITING.labels(line.queue, line.channel).set(line.waiting + line.offered)
            metrics.OLDEST_WAIT_SECONDS.labels(line.queue).set(line.longest_wait_seconds or 0)  # The longest wins.

    async def _draw_expected_waits(self) -> None:
        """Of the queues in which somebody waits; without a series where nobody knows."""
        waits: dict[str, float] = {}
        for workspace, pool, partition, queue in await self._database.pool.fetch(QUEUES_WAITED_IN):
            seconds = (await self._outlook.of_queue(workspace, pool, partition, queue)).seconds
            if seconds is not None:
                waits[queue] = max(seconds, waits.get(queue, 0.0))  # The longest wins, as above.
        metrics.EXPECTED_WAIT_SECONDS.clear()
        for queue, seconds in waits.items():
            metrics.EXPECTED_WAIT_SECONDS.labels(queue).set(seconds)

    async def purge(self) -> None:
        """Forget contacts that ended long ago, a bounded number at once."""
        oldest = self._clock.now() - HISTORY_DAYS * 86_400 * SECOND
        for table, column in (("router_entities", "ended_at"), ("router_events", "at")):
            await self._database.pool.execute(
                f"DELETE FROM {table} WHERE ctid IN (SELECT ctid FROM {table} WHERE {column} < $1 LIMIT $2)",  # noqa: S608 - both names are ours
                oldest,
                PURGED_AT_ONCE_MAX,
            )

    async def run(self) -> None:
        """For ever: a database that is away for a while leaves the gauges as they were."""
        while True:
            try:
                await self.draw_gauges()
                await self.purge()
            except (msgspec.MsgspecError, *DATABASE_TROUBLE) as error:  # Or a newer version wrote what we can't read.
                log.warning("gauges_delayed", service="router", error=type(error).__name__)
            await asyncio.sleep(GAUGES_EVERY_SECONDS)


def presences(agents: Rows) -> dict[str, int]:
    return dict.fromkeys(PRESENCES, 0) | {row["presence"]: row["count"] for row in agents}


def capacity(agents: Rows) -> tuple[int, int]:
    """Of those who are available: all their units, and those that are taken."""
    here = [row for row in agents if row["presence"] == "available"]
    return sum(int(row["units"]) for row in here), sum(int(row["used"]) for row in here)


def _by_state(contacts: Rows) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in contacts:
        counts[row["state"]] += row["count"]
    return dict(counts)


def _unroutable(contacts: Rows) -> Counter[tuple[str, str]]:
    """How many contacts are flagged, by (queue, reason); 0 for what has contacts and none of them flagged."""
    counts = Counter({(row["queue"] or "", reason): 0 for row in contacts for reason in UNROUTABLE})
    for row in contacts:
        if row["unroutable"]:
            counts[row["queue"] or "", row["unroutable"]] += row["count"]
    return counts


def _lines(contacts: Rows, now: int) -> list[WaitingLine]:
    lines: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in contacts:
        if row["state"] in IN_LINE:
            lines[row["queue"] or "", row["channel"] or ""].append(row)
    return [
        WaitingLine(
            queue=queue,
            channel=channel,
            waiting=_by_state(rows).get("waiting", 0),
            offered=_by_state(rows).get("offered", 0),
            longest_wait_seconds=_longest(rows, now),
        )
        for (queue, channel), rows in sorted(lines.items())
    ]


def _longest(contacts: Iterable[Any], now: int) -> float | None:
    since = [row["since"] for row in contacts if row["state"] in IN_LINE and row["since"] is not None]
    return max(0.0, (now - min(since)) / SECOND) if since else None
