"""Agents by what tells them apart: a profile has the same skills, peers of one profile also hold the same work.

Choosing among ten thousand agents looks at one per group of peers, the one who was given work longest ago.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import Final

from libs.common.events.values import Capacity, Medium
from services.router.core.interruption import NO_MARGIN, Margins, margin, margins
from services.router.core.queues import Bucket, Kind
from services.router.core.state import Agent, Contact, units_held

DEFAULT_COST: Final[Mapping[str, int]] = {"voice": 120, "live": 40, "async": 20}
ProfileKey = tuple[tuple[str, int], ...]
CapacityKey = tuple[
    int, tuple[tuple[str, int], ...], tuple[tuple[str, int], ...], tuple[tuple[str, tuple[str, ...]], ...], int
]
PeersKey = tuple[CapacityKey, int, tuple[tuple[Kind, int], ...], Margins, tuple[str, ...]]
"""Capacity, units used, contacts held of each kind, what may be paused or is kept, and preferred queues."""


def profile_key(agent: Agent) -> ProfileKey:
    return tuple(sorted(agent.skills.items()))


def capacity_key(capacity: Capacity) -> CapacityKey:
    return (
        capacity.units, tuple(sorted(capacity.cost.items())), tuple(sorted(capacity.max.items())),
        tuple(sorted(capacity.interrupted_by.items())), capacity.wake_up_reserve,
    )  # fmt: skip


def cost(capacity: Capacity, kind: Kind) -> int:
    """Units that a contact takes: its channel's, else its medium's, else the usual ones of the medium."""
    channel, medium = kind
    for name in (channel, medium):
        if name in capacity.cost:
            return capacity.cost[name]
    return DEFAULT_COST[medium]


def can_ever_hold(capacity: Capacity, kind: Kind) -> bool:
    """Whether an agent without any work has room for one."""
    fits = cost(capacity, kind) <= capacity.units
    return fits and all(capacity.max.get(name, 1) > 0 for name in kind)


class Profile:
    """Everybody with the same skills."""

    __slots__ = ("buckets", "desks", "here", "opening", "peers", "size", "skills", "takes_calls", "versatility")

    def __init__(self, skills: dict[str, int]) -> None:
        self.skills = skills
        self.desks: dict[CapacityKey, dict[str, Desk]] = {}
        """All of them, by their capacity; there are few different ones."""
        self.peers: dict[PeersKey, Peers] = {}
        """Groups of available agents only."""
        self.here = 0
        """How many are available."""
        self.buckets: dict[Kind, dict[Bucket, None]] = {}
        """What they can serve; the order of the keys decides nothing."""
        self.opening: dict[Bucket, None] = {}
        """What load may open to them; the order decides nothing."""
        self.size = 0
        self.versatility = 0
        self.takes_calls = False

    def sweep(self) -> None:
        """Forget empty buckets."""
        self.opening = {bucket: None for bucket in self.opening if bucket.live}
        self.buckets = {
            kind: {bucket: None for bucket in buckets if bucket.live} for kind, buckets in self.buckets.items()
        }

    def join(self, desk: Desk) -> None:
        self.desks.setdefault(desk.capacity, {})[desk.agent.id] = desk
        self.size += 1

    def leave(self, desk: Desk) -> None:
        desks = self.desks[desk.capacity]
        del desks[desk.agent.id]
        self.size -= 1
        if not desks:
            del self.desks[desk.capacity]

    def can_ever_hold(self, kind: Kind, without: frozenset[str]) -> bool:
        """Whether somebody of these, without any work, has room for one."""
        firsts = (_first(desks, without) for desks in self.desks.values())
        return any(desk is not None and can_ever_hold(desk.agent.capacity, kind) for desk in firsts)

    def is_there(self, kind: Kind, without: frozenset[str]) -> bool:
        """The same of those who are available."""
        for peers in self.peers.values():  # A loop, because every pick asks this of all that load may open.
            if peers.can_ever_hold(kind) and (not without or peers.first(without) is not None):
                return True
        return False


def _first(desks: Mapping[str, Desk], without: frozenset[str]) -> Desk | None:
    """One of these who isn't among `without`; their capacity is the same."""
    return next((desk for agent_id, desk in desks.items() if agent_id not in without), None)


class Peers:
    """Available agents of one profile: with the same capacity and preferred queues, as many contacts of each kind, and
    as much to pause."""

    __slots__ = (
        "_ever", "_free_for_calls", "_room", "capacity", "chats", "counts", "interruptible", "key", "margins",
        "members", "preferred", "profile", "used",
    )  # fmt: skip

    def __init__(self, key: PeersKey, profile: Profile, desk: Desk) -> None:
        self.key = key
        self.profile = profile
        self.capacity = desk.agent.capacity
        self.counts = dict(desk.counts)
        self.used = desk.used
        self.margins = key[3]
        self.preferred = desk.agent.preferred_queues
        self.chats = sum(n for (_, medium), n in self.counts.items() if medium == "live")
        self.interruptible = sum(n * cost(self.capacity, kind) for kind, n in self.counts.items() if kind[1] == "async")
        self.members: list[tuple[int, str]] = []
        """(last assigned at, id), ascending."""
        self._ever: dict[Kind, bool] = {}
        self._room: dict[Kind, bool] = {}
        self._free_for_calls: bool | None = None

    def has_room(self, kind: Kind) -> bool:
        room = self._room.get(kind)
        if room is None:
            room = self._room[kind] = has_room(self.capacity, self.used, self.counts, kind, self.margins)
        return room

    def can_ever_hold(self, kind: Kind) -> bool:
        """Whether one would fit if they held nothing."""
        able = self._ever.get(kind)
        if able is None:
            able = self._ever[kind] = can_ever_hold(self.capacity, kind)
        return able

    @property
    def is_call_ready(self) -> bool:
        """Whether they take calls and one fits beside what it couldn't interrupt.

        What is only protected counts as if it could be: it is soon done, and whoever has it would otherwise be filled
        with new work, just where calls come often. (In simulated days the worst channel lost ten points by that.)
        """
        if self._free_for_calls is None:
            _, kept, yielding = margin(self.margins, "voice")
            used = self.used - yielding + kept
            self._free_for_calls = has_room(self.capacity, used, self.counts, ("voice", "voice"))
        return self.profile.takes_calls and self._free_for_calls

    def first(self, without: frozenset[str]) -> tuple[int, str] | None:
        """The member who was given work longest ago and isn't among `without`."""
        if not without:
            return self.members[0]
        return next((member for member in self.members if member[1] not in without), None)


def has_room(
    capacity: Capacity, used: int, counts: Mapping[Kind, int], kind: Kind, margins: Margins = ()
) -> bool:
    """Whether one more fits the units, at least by a pause, and the channel's and the medium's maximum."""
    channel, medium = kind
    pausable, kept, _ = margin(margins, medium) if margins else NO_MARGIN
    needed = used + kept + cost(capacity, kind)
    if needed > capacity.units and (used > capacity.units or needed - pausable > capacity.units):
        return False
    most = capacity.max
    if channel in most and sum(n for (name, _), n in counts.items() if name == channel) >= most[channel]:
        return False
    return medium not in most or sum(n for (_, name), n in counts.items() if name == medium) < most[medium]


class Desk:
    """An agent at work: the entity, and what follows from the contacts it holds (offers and wrap-ups included)."""

    __slots__ = ("agent", "capacity", "counts", "held", "parked", "paused", "peers", "profile", "used")

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.capacity = capacity_key(agent.capacity)
        self.profile: Profile | None = None
        self.peers: Peers | None = None
        self.held: dict[str, Contact] = {}
        self.counts: dict[Kind, int] = {}
        self.used = 0
        self.paused: dict[str, Contact] = {}
        """Those of `held` that take no units now."""
        self.parked: dict[Medium, dict[str, None]] = {}
        """Their parked contacts, which may wake."""

    @property
    def pieces(self) -> int:
        """How many pieces of work and offers take its units; a group is one."""
        return sum(self.counts.values())

    def take(self, contact: Contact) -> None:
        if contact.id in self.held:
            return
        kind = (contact.channel, contact.medium)
        self.held[contact.id] = contact
        if not contact.units:
            return  # Another of its group counts for all of them.
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.used += units_held(contact, self.agent.id)
        if contact.paused_at is not None:
            self.pause(contact)

    def drop(self, contact: Contact) -> None:
        if self.held.pop(contact.id, None) is None or not contact.units:
            return
        kind = (contact.channel, contact.medium)
        self.counts[kind] -= 1
        if not self.counts[kind]:
            del self.counts[kind]
        if self.paused.pop(contact.id, None) is None:
            self.used -= units_held(contact, self.agent.id)

    def pause(self, contact: Contact) -> None:
        self.paused[contact.id] = contact
        self.used -= contact.units

    def unpause(self, contact: Contact) -> None:
        del self.paused[contact.id]
        self.used += contact.units

    def park(self, contact: Contact) -> None:
        self.parked.setdefault(contact.medium, {})[contact.id] = None

    def unpark(self, contact: Contact) -> None:
        parked = self.parked[contact.medium]
        del parked[contact.id]
        if not parked:
            del self.parked[contact.medium]

    def has_room(self, kind: Kind) -> bool:
        """Whether the agent is available and one more fits."""
        return self.peers is not None and self.peers.has_room(kind)

    @property
    def may_leave(self) -> bool:
        """Whether the agent waits for nothing more before leaving."""
        return self.agent.next_status is not None and not self.held

    def has_room_for_own(self, kind: Kind) -> bool:
        """Whether a parked one of theirs that wakes fits: the reserve is for those."""
        return self.peers is not None and self.fits(kind, self.margins(reserve=0))

    def fits(self, kind: Kind, margins: Margins) -> bool:
        return has_room(self.agent.capacity, self.used, self.counts, kind, margins)

    def margins(self, reserve: int | None = None) -> Margins:
        """What may be paused and what is kept, in the plain case nothing."""
        capacity = self.agent.capacity
        kept = capacity.wake_up_reserve if reserve is None else reserve
        if not (capacity.interrupted_by or self.paused or (kept and self.parked)):
            return ()
        return margins(self.agent, self.held.values(), self.parked, kept)

    def stand_up(self) -> None:
        """Leave the group of peers, if in one."""
        peers, self.peers = self.peers, None
        if peers is None:
            return
        del peers.members[bisect_left(peers.members, (self.agent.last_assigned_at, self.agent.id))]
        peers.profile.here -= 1
        if not peers.members:
            del peers.profile.peers[peers.key]

    def sit_down(self) -> None:
        """Join the group of peers that the agent belongs to now, when available."""
        agent, profile = self.agent, self.profile
        if agent.status != "available" or profile is None:
            return
        key = (self.capacity, self.used, tuple(sorted(self.counts.items())), self.margins(), agent.preferred_queues)
        peers = profile.peers.get(key)
        if peers is None:
            peers = profile.peers[key] = Peers(key, profile, self)
        insort(peers.members, (agent.last_assigned_at, agent.id))
        profile.here += 1
        self.peers = peers
