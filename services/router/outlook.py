"""Expected waits from the projection: what is looked at is read once for all who ask within a few seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from libs.common.clock import Clock
from libs.common.events import SECOND
from libs.common.events.values import Medium, Requirement
from libs.common.postgres import Database
from services.router.core.admission import QUEUE_FULL
from services.router.core.floor import Floor
from services.router.core.requirements import speaking
from services.router.core.state import Contact, Rules
from services.router.expected_wait import Asked, Estimate, Group, Pace, expected_wait
from services.router.floors import WAITING_MAX, agents_floor
from services.router.pace import TYPES, Arrival, Said, Seen, arrival_of, asked_by, asked_now, came_to_wait, pace_of
from services.router.reads import Reads

LOOKED_AT_SECONDS: Final = 3_600
"""How far back."""
DECISIONS_MAX: Final = 5_000
"""The last so many decisions are looked at, however much is done in an hour."""
BROUGHT: Final = ("opened", "reopened", "overflowed", "fallback")
"""Why a customer's contact came to wait where it did: not because an agent passed it on, nor among colleagues."""
KEPT_SECONDS: Final = 5
SCENES_MAX: Final = 100

DECISIONS: Final = """
    SELECT at, type, contact_id, doc::text FROM router_events
    WHERE workspace = $1 AND pool = $2 AND at > $3 AND type = ANY($4::text[])
    ORDER BY at DESC, contact_id, sequence DESC LIMIT $5
"""
WAITING: Final = f"""
    SELECT channel, target_us, medium, own, rules, relaxed, language,
        array_agg(promise_at ORDER BY promise_at) AS promises
    FROM (
        SELECT channel, target_us, promise_at, doc->>'medium' AS medium, (doc->'own')::text AS own,
            (doc->'rules')::text AS rules, (doc->>'relaxed')::int AS relaxed,
            doc->>'language' AS language
        FROM router_entities
        WHERE workspace = $1 AND pool = $2 AND kind = 'contact' AND state = 'waiting'
            AND (NOT unroutable OR doc->>'unroutable' = '{QUEUE_FULL}')
            AND NOT (queue = ANY($4::text[]) AND doc->>'opens_at' IS NOT NULL)
        ORDER BY promise_at LIMIT $3
    ) AS waiting GROUP BY 1, 2, 3, 4, 5, 6, 7
"""  # noqa: S608 - the flag is ours
"""Who waits for an agent now: also who came to a full queue, for it keeps its place; not who waits for an opening, as
may be in queues with hours, $4."""
POOLS: Final = "SELECT DISTINCT pool, partition FROM router_entities WHERE workspace = $1 AND kind = 'agent'"
_SAID: Final = msgspec.json.Decoder(Said)
_OWN: Final = msgspec.json.Decoder(Requirement | None)
_RULES: Final = msgspec.json.Decoder(Rules)


class Way(NamedTuple):
    """A channel as those came who came last, and how long it takes to a human on it."""

    channel: str
    medium: Medium
    pool: str
    queue: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Scene:
    """A pool as it was at `at`."""

    at: int
    pool: str
    floor: Floor
    groups: list[Group]
    pace: Pace
    last: int | None
    """The latest promise that was looked at, if there were more."""
    latest: dict[str, Arrival]
    """Queue → who came last."""
    ways: dict[str, tuple[str, Arrival]]
    """Channel → the queue that most of its contacts came to, and who came to it last."""

    def of_contact(self, contact: Contact, now: int) -> Estimate:
        if contact.unroutable not in (None, QUEUE_FULL):
            return Estimate(reason="unroutable")
        return self._estimate(asked_by(self.floor, contact), now)

    def of_queue(self, queue: str, now: int) -> Estimate:
        """Of somebody who comes now and is like who came last."""
        arrival = self.latest.get(queue)
        return Estimate(reason="too_few_seen") if arrival is None else self._of_arrival(arrival, now)

    def ways_now(self, now: int) -> list[Way]:
        return [
            Way(channel, arrival.kind[1], self.pool, queue, self._of_arrival(arrival, now))
            for channel, (queue, arrival) in sorted(self.ways.items())
        ]

    def _of_arrival(self, arrival: Arrival, now: int) -> Estimate:
        return self._estimate(asked_now(self.floor, arrival, now), now)

    def _estimate(self, asked: Asked, now: int) -> Estimate:
        if self.last is not None and asked.promise > self.last:
            return Estimate(reason="too_many_waiting")
        return expected_wait(self.groups, self.pace, asked, now)


class Outlook:
    def __init__(self, database: Database, clock: Clock, seconds: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._reads = Reads(database)
        self._clock = clock
        self._seconds = seconds
        self._scenes: dict[tuple[str, str], tuple[Scene, float]] = {}
        """Each until it is too old, by the clock or by `seconds`: a clock may stand still."""

    async def of_contact(self, workspace: str, pool: str, partition: int, contact: Contact) -> Estimate:
        scene = await self._scene(workspace, pool, partition)
        return scene.of_contact(contact, self._clock.now())

    async def of_queue(self, workspace: str, pool: str, partition: int, queue: str) -> Estimate:
        scene = await self._scene(workspace, pool, partition)
        return scene.of_queue(queue, self._clock.now())

    async def ways(self, workspace: str) -> list[Way]:
        """The channels on which somebody came within the last hour, the soonest way to a human first."""
        found: dict[str, Way] = {}
        for row in await self._database.pool.fetch(POOLS, workspace):
            scene = await self._scene(workspace, row["pool"], row["partition"])
            for way in scene.ways_now(self._clock.now()):
                found[way.channel] = min(found.get(way.channel, way), way, key=_soonest)
        return sorted(found.values(), key=_soonest)

    async def _scene(self, workspace: str, pool: str, partition: int) -> Scene:
        kept, now = self._scenes.get((workspace, pool)), self._clock.now()
        if kept is not None and now - kept[0].at < KEPT_SECONDS * SECOND and self._seconds() < kept[1]:
            return kept[0]
        if len(self._scenes) >= SCENES_MAX:
            self._scenes.clear()
        scene = await self._look(workspace, pool, partition, now)
        self._scenes[workspace, pool] = scene, self._seconds() + KEPT_SECONDS
        return scene

    async def _look(self, workspace: str, pool: str, partition: int, now: int) -> Scene:
        floor = await agents_floor(self._reads, workspace, pool, partition)
        since = now - LOOKED_AT_SECONDS * SECOND
        fields = workspace, pool, since, list(TYPES), DECISIONS_MAX
        rows = await self._database.pool.fetch(DECISIONS, *fields)
        seen = [Seen(row["at"], row["type"], row["contact_id"], _SAID.decode(row["doc"])) for row in reversed(rows)]
        if len(seen) == DECISIONS_MAX:
            since = seen[0].at
        closing = [queue.id for queue in floor.queues.values() if queue.hours is not None]
        waiting = await self._database.pool.fetch(WAITING, workspace, pool, WAITING_MAX, closing)
        groups = [_group(floor, row) for row in waiting]
        came = [one.said for one in came_to_wait(seen)]
        return Scene(
            at=now, pool=pool, floor=floor, groups=groups, pace=pace_of(floor, seen, since, now),
            last=_last(groups), latest={said.queue: arrival_of(said) for said in came}, ways=_ways(came),
        )  # fmt: skip


def _group(floor: Floor, row: Any) -> Group:
    rules = _RULES.decode(row["rules"])
    requirement = rules.relax[row["relaxed"] - 1].requirement if row["relaxed"] else rules.requirement
    spoken = speaking(requirement, row["language"], rules.language_level)
    need = floor.need(_OWN.decode(row["own"] or "null"), spoken)
    return Group(need, (row["channel"], row["medium"]), row["target_us"], row["promises"])


def _last(groups: list[Group]) -> int | None:
    """The latest promise, when there may be later ones."""
    if sum(len(group.promises) for group in groups) < WAITING_MAX:
        return None
    return max(group.promises[-1] for group in groups)


def _ways(arrived: list[Said]) -> dict[str, tuple[str, Arrival]]:
    came = [said for said in arrived if said.reason in BROUGHT]
    counts = Counter((said.channel, said.queue) for said in came)
    last = {(said.channel, said.queue): arrival_of(said) for said in came}
    most = sorted(counts, key=lambda place: (counts[place], place))
    return {channel: (queue, last[channel, queue]) for channel, queue in most}


def _soonest(way: Way) -> tuple[bool, float, str]:
    """Known before unknown, then by the wait."""
    return way.estimate.seconds is None, way.estimate.seconds or 0.0, way.channel
