"""How long a waiting contact will wait until an agent has it, as far as one can know, and between which bounds.

Three things are looked at: who comes first for the same agents; how fast these agents free capacity, from what they
hold now and how long such work took within the last hour (`pace.py`); and who will still arrive and go first. A contact
that arrives later goes first only if its promise is earlier, so one with a target of T seconds overtakes until T
seconds before the waiting contact's own promise. The wait is the shortest time t in which the agents free as much as
all these take, and the time that an offer takes to be accepted on top of it:

    free now + leaving · t  =  ahead + own + Σ arriving · min(t, time for which they go first)

Those who ask more of an agent than the contact does don't count: they leave the gaps that they don't fit to smaller
ones. Of those who could overtake about three in ten do, since most find somebody free. The bounds hold four times in
five. These figures are what seeded days gave (`python -m benchmarks.expected_wait`). Where nobody is there, or too
little was seen, the answer is a reason instead of a number. Pure; seconds unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal, NamedTuple

from libs.common.events import SECOND
from services.router.core.desks import Profile, cost
from services.router.core.expected_wait import available, count_before, free_units, peers_of, shared
from services.router.core.limits import COMPLETIONS_MIN
from services.router.core.queues import Kind, Need

OVERTAKING_SHARE: Final = 0.3
OVERTAKING_SHARE_HIGH: Final = 0.6
"""For the upper bound: in a rush fewer find somebody free."""
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


class Line(NamedTuple):
    """What stands between a contact and an agent, in units of capacity."""

    own: float
    ahead: float
    free: float
    leaving_per_second: float
    overtaking: tuple[tuple[float, float], ...]
    """(units a second, for so many seconds)."""


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
    """The first time at which as many units are free as the line takes; None when that never comes.

    `overtaking` is the share of those who could go first that do.
    """
    missing, waited = line.ahead + line.own - line.free, 0.0
    if missing <= 0:
        return 0.0
    for end in [*sorted({seconds for _, seconds in line.overtaking}), inf]:
        taken = overtaking * sum(rate for rate, seconds in line.overtaking if seconds > waited)
        gain = line.leaving_per_second - taken
        if gain > 0 and waited + missing / gain <= end:
            return waited + missing / gain
        missing -= gain * (end - waited)
        waited = end
    return None


def line_of(able: dict[Profile, int], groups: Iterable[Group], pace: Pace, asked: Asked, now: int) -> Line:
    capacity = next(peers_of(asked.need)).capacity  # Agents of one pool cost their work alike, or nearly so.
    own = cost(capacity, asked.kind)

    def units(need: Need, kind: Kind) -> float:
        """What such a contact takes from the one who asks, on average."""
        each = cost(capacity, kind)
        return 0.0 if each > own else each * share(able, need)

    return Line(
        own=own,
        ahead=sum(before(group, asked, now) * units(group.need, group.kind) for group in groups),
        free=free_units(asked.need, asked.kind),
        leaving_per_second=leaving(asked.need, pace),
        overtaking=tuple(
            (flow.per_second * units(flow.need, flow.kind), seconds)
            for flow in pace.arrivals
            if (seconds := (asked.promise - now) / SECOND - flow.target_seconds) > 0
        ),
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
