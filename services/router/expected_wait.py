"""How long a waiting contact will wait until an agent has it, as far as one can know, and between which bounds.

Three things are looked at: who comes first for the same agents; how fast these agents free capacity, from what they
hold now and how long such work took within the last hour (`pace.py`); and who will still arrive and go first. The wait
is the shortest time t in which the agents free as much as all these take, and the time that an offer takes to be
accepted on top of it:

    free now + leaving · t  =  own + ahead(t) + arrived(t)

Who goes first is asked as of then, not as of now, for lateness counts in targets: a chat that is about to be late
passes letters that are late already, and a letter is passed by posts that arrive long after it. Those who ask more of
an agent than the contact does don't count: they leave the gaps that they don't fit to smaller ones. Of those who arrive
and could go first about one in seven does, since most find somebody free. The bounds hold four times in five. These
figures are what seeded days gave (`python -m benchmarks.expected_wait`). Where nobody is there, or too little was seen,
the answer is a reason instead of a number. Pure; seconds unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from libs.common.events import SECOND
from services.router.core.desks import Profile, cost
from services.router.core.expected_wait import available, count_before, free_units, peers_of, shared
from services.router.core.limits import COMPLETIONS_MIN
from services.router.core.queues import Kind, Need

OVERTAKING_SHARE: Final = 0.15
OVERTAKING_SHARE_HIGH: Final = 0.6
"""For the upper bound: in a rush fewer find somebody free."""
WAIT_SECONDS_MAX: Final = 31 * 86_400
"""Who would wait longer is never served, as far as one can know."""
EXACT: Final = 1.01
"""The times between which the wait is known before the rest is taken for a straight line."""
LOW: Final = 0.17
HIGH: Final = 2.1
"""The wait was between these times the estimate four times in five: a tenth was shorter, a tenth longer."""

Reason = Literal["nobody_available", "too_few_seen", "unroutable", "too_many_waiting"]


class Estimate(NamedTuple):
    """Without `seconds` there is a `reason`."""

    seconds: float | None = None
    low: float | None = None
    high: float | None = None
    reason: Reason | None = None


class Group(NamedTuple):
    """Contacts that wait with the same need, kind and target; `promises` ascend. Both in microseconds."""

    need: Need
    kind: Kind
    target: int
    promises: list[int]


class Arrivals(NamedTuple):
    """Contacts of one need, kind and target that keep arriving."""

    need: Need
    kind: Kind
    target_seconds: int
    lead_seconds: float
    """From their arrival to their promise, on average."""
    per_second: float


@dataclass(slots=True)
class Work:
    """Work of one medium within the last hour: how many pieces were finished, and the seconds it was held in all."""

    finished: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Pace:
    """What was seen within the last hour."""

    work: dict[str, Work] = field(default_factory=dict)
    """By medium."""
    arrivals: list[Arrivals] = field(default_factory=list)
    accepted: int = 0
    accepting_seconds: float = 0.0
    """Of all accepted offers, from the offer to the assignment."""

    @property
    def finished(self) -> int:
        return sum(work.finished for work in self.work.values())

    def tells(self) -> bool:
        """Whether enough was seen to estimate from."""
        return self.finished >= COMPLETIONS_MIN and self.accepted > 0

    def seconds_of(self, medium: str) -> float:
        """How long a piece of work takes; as long as any, where too little of its medium was seen."""
        own = self.work.get(medium, Work())
        if own.finished >= COMPLETIONS_MIN:
            return max(1.0, own.seconds / own.finished)
        return max(1.0, sum(work.seconds for work in self.work.values()) / self.finished)

    @property
    def seconds_to_accept(self) -> float:
        return self.accepting_seconds / self.accepted


class Asked(NamedTuple):
    """The contact that asks, or one that might come now. Promise and target in microseconds."""

    need: Need
    kind: Kind
    promise: int
    target: int


class Crowd(NamedTuple):
    """A group that waits, and the units that each of it takes."""

    group: Group
    units: float


class Flow(NamedTuple):
    """Contacts that arrive with `lead_seconds` until their promise."""

    units_per_second: float
    target_seconds: float
    lead_seconds: float

    def ahead(self, seconds: float, left: float, target: float) -> float:
        """Units of those who have arrived by then and have the higher score then than a contact whose promise is `left`
        seconds from now: while that is early an earlier promise, then more lateness in targets."""
        lateness = max(0.0, seconds - left) / target
        last = max(seconds, left) - self.lead_seconds - self.target_seconds * lateness
        return self.units_per_second * max(0.0, min(seconds, last))


class Line(NamedTuple):
    """What stands between a contact and an agent, in units of capacity."""

    asked: Asked
    now: int
    own: float
    free: float
    leaving_per_second: float
    crowds: tuple[Crowd, ...]
    flows: tuple[Flow, ...]

    def missing(self, seconds: float, overtaking: float) -> float:
        """Units that it still waits for after so many seconds. `overtaking` is the share of those who arrive and could
        go first that do."""
        left, target = (self.asked.promise - self.now) / SECOND, self.asked.target / SECOND
        then = self.now + round(seconds * SECOND)
        ahead = sum(before(crowd.group, self.asked, then) * crowd.units for crowd in self.crowds)
        arrived = sum(flow.ahead(seconds, left, target) for flow in self.flows)
        return self.own + ahead + overtaking * arrived - self.free - self.leaving_per_second * seconds


def expected_wait(groups: Iterable[Group], pace: Pace, asked: Asked, now: int) -> Estimate:
    able = available(asked.need)
    if not able:
        return Estimate(reason="nobody_available")
    if not pace.tells():
        return Estimate(reason="too_few_seen")
    line = line_of(able, groups, pace, asked, now)
    waits, longer = (seconds_until_free(line, share) for share in (OVERTAKING_SHARE, OVERTAKING_SHARE_HIGH))
    if waits is None:
        return Estimate(reason="nobody_available")
    seconds = waits + pace.seconds_to_accept
    high = seconds if longer is None else longer + pace.seconds_to_accept
    return Estimate(seconds, LOW * seconds, HIGH * high)


def seconds_until_free(line: Line, overtaking: float) -> float | None:
    """The time at which as many units are free as the line takes; None when that never comes."""
    low, high = 0.0, 1.0
    short = line.missing(low, overtaking)
    if short <= 0:
        return 0.0
    while (over := line.missing(high, overtaking)) > 0:
        low, high, short = high, 2 * high, over
        if high > WAIT_SECONDS_MAX:
            return None
    while high > EXACT * low and high - low > 1 / SECOND:
        middle = (low + high) / 2
        missing = line.missing(middle, overtaking)
        low, short, high, over = (middle, missing, high, over) if missing > 0 else (low, short, middle, missing)
    return low + (high - low) * short / (short - over)


def line_of(able: dict[Profile, int], groups: Iterable[Group], pace: Pace, asked: Asked, now: int) -> Line:
    capacity = next(peers_of(asked.need)).capacity  # Agents of one pool cost their work alike, or nearly so.
    own = cost(capacity, asked.kind)

    def units(need: Need, kind: Kind) -> float:
        """What such a contact takes from the one who asks, on average."""
        each = cost(capacity, kind)
        return 0.0 if each > own else each * share(able, need)

    crowds = (Crowd(group, units(group.need, group.kind)) for group in groups)
    flows = (
        Flow(one.per_second * units(one.need, one.kind), one.target_seconds, one.lead_seconds) for one in pace.arrivals
    )
    return Line(
        asked=asked,
        now=now,
        own=own,
        free=free_units(asked.need, asked.kind),
        leaving_per_second=leaving(asked.need, pace),
        crowds=tuple(crowd for crowd in crowds if crowd.units),
        flows=tuple(flow for flow in flows if flow.units_per_second),
    )


def share(able: dict[Profile, int], need: Need) -> float:
    """How much of this need falls to those who can serve the one who asks."""
    mine, all_of_them = shared(able, need)
    return mine / all_of_them if mine else 0.0


def before(group: Group, asked: Asked, now: int) -> int:
    return count_before(group.promises, group.target, asked.promise, asked.target, now)


def leaving(need: Need, pace: Pace) -> float:
    """Units a second that those who are there will free."""
    return sum(
        len(peers.members) * count * cost(peers.capacity, kind) / pace.seconds_of(kind[1])
        for peers in peers_of(need)
        for kind, count in peers.counts.items()
    )
