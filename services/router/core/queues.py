"""Contacts that wait, by what they need: a bucket a (requirement, channel, target seconds, who was asked).

Contacts that fewer agents are being asked for than their queue wants are `short`: they have buckets of their own.

Inside a bucket the order never changes with time, so each lane is a binary heap. Nothing is searched for in a heap: an
entry (order, contact id, version) is dead when its contact has another version by now, and is dropped when it comes to
the top, or when most entries are dead.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from libs.common.events import SECOND
from libs.common.events.values import Medium, Requirement
from services.router.core.limits import DEAD_ENTRIES_MIN, EARLY_UNIT, EXACT_BITS, EXPRESS_REACH_MIN
from services.router.core.requirements import Skills, meets
from services.router.core.state import Agent, Contact

if TYPE_CHECKING:
    from services.router.core.desks import Profile

Entry = tuple[int, str, int]
"""(order inside the lane, contact id, the contact's version)."""
Kind = tuple[str, Medium]
"""A channel and its medium: what a contact costs depends on both."""
NeedKey = tuple[Requirement | None, Requirement]
Asked = tuple[tuple[str, int], ...]
"""(agent, shift), ascending."""
BucketKey = tuple[NeedKey, str, Medium, int, Asked, bool, bool, tuple[Requirement, ...]]
LANES: Final = range(3)
MAIN, AGEING, EXPRESS = LANES
"""By promise, by age, by reach."""
Score = tuple[int, int]
"""Numerator and denominator: slack in units of 1,000 s while early, lateness in units of the target when late."""


class Need:
    """A requirement as contacts have it (their own, the queue's), and which profiles meet it."""

    __slots__ = ("excluded", "own", "profiles", "requirement")

    def __init__(self, key: NeedKey) -> None:
        self.own, self.requirement = key
        self.excluded = frozenset(self.own.exclude_agents if self.own is not None else ())
        self.profiles: list[Profile] = []

    def met_by(self, skills: Skills) -> bool:
        return meets(skills, self.requirement) and meets(skills, self.own)

    def is_served(self, kind: Kind) -> bool:
        """Whether somebody is available who, without other work, could take a contact of this kind."""
        return any(profile.is_there(kind, self.excluded) for profile in self.profiles)

    def has_on_roster(self, kind: Kind) -> bool:
        """Whether somebody, there or not, could ever take a contact of this kind."""
        return any(profile.can_ever_hold(kind, self.excluded) for profile in self.profiles)

    def allows(self, agent: Agent) -> bool:
        """Whether the agent meets it and isn't excluded."""
        return agent.id not in self.excluded and self.met_by(agent.skills)


def steps_open(needs: Sequence[Need], kind: Kind) -> int:
    """Of the need now and those of the steps that load may open: the number of the first that is served, else 0."""
    if len(needs) == 1:
        return 0
    return next((step for step, need in enumerate(needs) if need.is_served(kind)), 0)


def steps_ahead(contact: Contact) -> Iterator[int]:
    """The steps that load may open: those to come, up to the first that insists on its time."""
    ahead = range(contact.relaxed + 1, len(contact.rules.relax) + 1)
    return takewhile(lambda step: contact.rules.relax[step - 1].skip == "nobody_available", ahead)


class Promises:
    """When a bucket's contacts are due: to count those before one without looking at them."""

    __slots__ = ("_of", "ascending")

    def __init__(self, promises: Mapping[str, int]) -> None:
        self._of = dict(promises)
        self.ascending = sorted(promises.values())

    def enter(self, contact_id: str, promise: int) -> None:
        self._of[contact_id] = promise
        insort(self.ascending, promise)

    def leave(self, contact_id: str) -> None:
        del self.ascending[bisect_left(self.ascending, self._of.pop(contact_id))]


class Bucket:
    __slots__ = (
        "_promises", "asked", "channel", "final", "firsts", "is_anybodys", "kind", "lanes", "live", "medium", "needs",
        "short", "target",
    )  # fmt: skip

    def __init__(self, key: BucketKey, needs: tuple[Need, ...]) -> None:
        _, self.channel, self.medium, seconds, self.asked, self.final, self.short, _ = key
        self.kind: Kind = (self.channel, self.medium)
        self.needs = needs
        """What its contacts need now, and what they would need at each step that load may open."""
        self.target: Final = seconds * SECOND
        self.is_anybodys = not self.asked and not needs[0].excluded
        """Nobody is excluded, and nobody was asked in vain."""
        self.live = 0
        self.lanes: tuple[list[Entry], ...] = tuple([] for _ in LANES)
        self.firsts: list[Entry | None] = [None for _ in LANES]
        """Who comes first in each lane, as the floor's lines have it."""
        self._promises: Promises | None = None
        """Kept from when somebody first asks: most buckets' contacts are never counted."""

    @property
    def need(self) -> Need:
        return self.needs[0]

    @property
    def open_need(self) -> Need:
        """By which its contacts may be offered as long as who is available stays the same."""
        return self.needs[steps_open(self.needs, self.kind)]

    def push(self, contact: Contact) -> None:
        self.live += 1
        heappush(self.lanes[MAIN], (promise_key(contact), contact.id, contact.version))
        heappush(self.lanes[AGEING], (contact.waiting_since, contact.id, contact.version))
        if is_express(contact):
            heappush(self.lanes[EXPRESS], (-contact.reach, contact.id, contact.version))
        if self._promises is not None:
            self._promises.enter(contact.id, due_of(contact))

    def forget(self, contact_id: str, contacts: Mapping[str, Contact]) -> None:
        """The contact has left: its entries are dead, and dead entries are dropped when there are too many."""
        self.live -= 1
        if self._promises is not None:
            self._promises.leave(contact_id)
        for heap in self.lanes:
            if len(heap) > DEAD_ENTRIES_MIN + 2 * self.live:
                heap[:] = [entry for entry in heap if _alive(entry, contacts)]
                heapify(heap)

    def living(self, contacts: Mapping[str, Contact]) -> list[Entry]:
        """An entry for everybody in it, in no order that decides."""
        return [entry for entry in self.lanes[MAIN] if _alive(entry, contacts)]

    def promises(self, contacts: Mapping[str, Contact]) -> Sequence[int]:
        """When its contacts are due, ascending, in microseconds."""
        if self._promises is None:
            self._promises = Promises({entry[1]: entry[0] + self.target for entry in self.living(contacts)})
        return self._promises.ascending


def top(heap: list[Entry], contacts: Mapping[str, Contact]) -> Entry | None:
    """The first living entry; dead ones before it are dropped, which changes nothing that anybody can see."""
    while heap:
        entry = heap[0]
        contact = contacts.get(entry[1])
        if contact is not None and contact.version == entry[2]:
            return entry
        heappop(heap)
    return None


def _alive(entry: Entry, contacts: Mapping[str, Contact]) -> bool:
    contact = contacts.get(entry[1])
    return contact is not None and contact.version == entry[2]


def promise_key(contact: Contact) -> int:
    """κ = a − b·T in microseconds, exactly: b is in thousandths, T in whole seconds."""
    return contact.waiting_since - contact.boost * contact.target_seconds * (SECOND // 1_000)


def due_of(contact: Contact) -> int:
    """a + (1 − b)·T in microseconds: when it is due."""
    return promise_key(contact) + contact.target_seconds * SECOND


def score_at(due: int, target: int, now: int) -> Score:
    """Of what is due then. All in microseconds."""
    late = now - due
    return (late, target) if late >= 0 else (late, EARLY_UNIT)


def score_of(contact: Contact, now: int) -> Score:
    return score_at(due_of(contact), contact.target_seconds * SECOND, now)


def earlier_than(due: int, target: int, other: int, now: int) -> int:
    """The moment before which a contact of the `other` target must be due to come before one that is due then in the
    main order: who is early by promise, who is late by lateness in targets. All in microseconds."""
    late = now - due
    return due if late < 0 else now - late * other // target


def is_higher(one: Score, other: Score) -> bool:
    """Whether one score is above the other, exactly: by cross-multiplication."""
    return one[0] * other[1] > other[0] * one[1]


def exactly(score: Score) -> int:
    """Orders scores as they are, equal ones alike: different fractions lie at least 1 / (unit · unit) apart."""
    return (score[0] << EXACT_BITS) // score[1]


def thousandths(score: Score) -> int:
    return score[0] * 1_000 // score[1]


def half_points(score: Score) -> int:
    """Rounded to the nearest half point, and up from the middle."""
    return (4 * score[0] + score[1]) // (2 * score[1])


def is_express(contact: Contact) -> bool:
    return contact.visibility == "public" and contact.reach >= EXPRESS_REACH_MIN
