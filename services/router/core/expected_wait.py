"""How long a contact is expected to wait, as far as a decision may rest on it: whole numbers from the state alone.

    wait  =  (units of all who go first + its own − free units) / units a second that its agents free

Its agents are those who are available and meet what it needs at its present step. Who goes first is who waits with a
higher score, asks no more of an agent than the contact does, and could be taken by its agents; of those whom others can
take too, the share that falls to its agents. What they free a second are the units that they hold, each over the time
that a piece of its medium took within the last hour (`pace.py`). Who may still arrive and overtake is left out: the
shell's estimate, which is for people to read, looks further and has bounds (`services/router/expected_wait.py`).

The cost: once over the groups of its agents, a search in each bucket that waits, and the profiles of each requirement
of which somebody goes first. It doesn't grow with how many wait, nor with how many agents there are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from libs.common.events import SECOND
from libs.common.events.values import Capacity, Medium
from services.router.core.desks import CapacityKey, Peers, Profile, cost
from services.router.core.floor import Floor
from services.router.core.pace import Pace
from services.router.core.queues import Kind, Need, due_of, earlier_than
from services.router.core.state import Contact

SCALE: Final = 10**12
"""Units are divided by microseconds: so many times the quotient is exact enough."""


def expected_wait(floor: Floor, contact: Contact, now: int) -> int | None:
    """In seconds; None where nobody is there, or too little was seen to know."""
    need, kind = floor.need_of(contact), (contact.channel, contact.medium)
    if not need.is_served(kind):
        return None
    leaving = leaving_scaled(need, floor.pace, now)
    if leaving is None:
        return None
    costs = Costs(need)
    missing = units_ahead(floor, contact, costs, now) + costs.of(kind) - free_units(need, kind)
    if missing <= 0:
        return 0
    return missing * SCALE // leaving // SECOND if leaving else None


class Costs:
    """What a contact takes from these agents, on average and rounded down; most pools' cost their work alike."""

    def __init__(self, need: Need) -> None:
        self._agents: dict[CapacityKey, tuple[Capacity, int]] = {}
        for peers in peers_of(need):
            _, count = self._agents.get(peers.key[0], (peers.capacity, 0))
            self._agents[peers.key[0]] = (peers.capacity, count + len(peers.members))
        self._known: dict[Kind, int] = {}

    def of(self, kind: Kind) -> int:
        if kind not in self._known:
            units = sum(cost(capacity, kind) * count for capacity, count in self._agents.values())
            self._known[kind] = units // sum(count for _, count in self._agents.values())
        return self._known[kind]


def units_ahead(floor: Floor, contact: Contact, costs: Costs, now: int) -> int:
    able, own = available(floor.need_of(contact)), costs.of((contact.channel, contact.medium))
    promise, target = due_of(contact), contact.target_seconds * SECOND
    units = 0
    for bucket in floor.buckets.values():
        each = costs.of(bucket.kind)
        if not bucket.live or bucket.short or bucket.final or each > own:
            continue
        first = count_before(bucket.promises(floor.contacts), bucket.target, promise, target, now)
        if first:
            mine, all_of_them = shared(able, bucket.need)
            units += each * first * mine // max(1, all_of_them)
    return units


# -- what the shell's estimate counts in the same way -----------------------------------------------------------


def peers_of(need: Need) -> Iterator[Peers]:
    """The groups of available agents who meet it."""
    return (peers for profile in need.profiles for peers in profile.peers.values())


def available(need: Need) -> dict[Profile, int]:
    """How many agents of each profile are there and meet it."""
    return {profile: profile.here for profile in need.profiles if profile.here}


def shared(able: dict[Profile, int], need: Need) -> tuple[int, int]:
    """Of the available agents who meet this need, how many are among those who can serve the one who asks; and all."""
    mine = all_of_them = 0
    for profile in need.profiles:
        all_of_them += profile.here
        mine += able.get(profile, 0)
    return mine, all_of_them


def count_before(promises: Sequence[int], target: int, promise: int, own_target: int, now: int) -> int:
    """How many of these, with one target and ascending promises, come first in the main order. All in microseconds."""
    return bisect_left(promises, earlier_than(promise, own_target, target, now))


def free_units(need: Need, kind: Kind) -> int:
    """Room for such a contact that nobody has taken yet."""
    return sum(
        len(peers.members) * (peers.capacity.units - peers.used) for peers in peers_of(need) if peers.has_room(kind)
    )


def leaving_scaled(need: Need, pace: Pace, now: int) -> int | None:
    """Units that those who are there free, in `SCALE` microseconds; None where too little was seen."""
    held: dict[Medium, int] = {}
    for peers in peers_of(need):
        for kind, count in peers.counts.items():
            units = len(peers.members) * count * cost(peers.capacity, kind)
            held[kind[1]] = held.get(kind[1], 0) + units
    leaving = 0
    for medium, units in sorted(held.items()):
        took = pace.microseconds_of(medium, now)
        if took is None:
            return None
        leaving += units * SCALE // took
    return leaving
