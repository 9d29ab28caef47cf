"""What an agent with room could take next: the first contacts of buckets that they have the skills and the room for,
and weren't asked for in vain.

Few buckets are soon looked through; of many the floor's lines tell who comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from libs.common.events import SECOND
from services.router.core.choice import everyone_was_asked, still_asked
from services.router.core.desks import Desk, Peers
from services.router.core.floor import Floor
from services.router.core.fronts import Line
from services.router.core.limits import LOOKED_THROUGH_MAX
from services.router.core.queues import MAIN, Bucket, Entry, Kind, due_of, earlier_than
from services.router.core.state import Contact


class Sight:
    __slots__ = ("_desk", "_floor", "_served", "apart")

    def __init__(self, floor: Floor, desk: Desk) -> None:
        peers = desk.peers
        assert peers is not None, "only who is available is looked for"
        self._floor, self._desk = floor, desk
        served = {kind: buckets for kind, buckets in peers.profile.buckets.items() if peers.has_room(kind)}
        few = sum(len(buckets) for buckets in served.values()) <= LOOKED_THROUGH_MAX
        self._served: Mapping[Kind, Mapping[Bucket, None]] = {} if few else served
        """What is found along the floor's lines."""
        self.apart = fitting(floor, desk) if few else opened_to(floor, desk)
        """What is looked at one by one."""

    def along(self, lane: int) -> Iterator[Iterator[Bucket]]:
        """What fits, in the lane's order along each line."""
        for line in self._lines(lane):
            yield filter(self._is_open, line.along(self._served[line.kind]))

    def firsts(self, lane: int) -> Iterator[tuple[Bucket, Entry]]:
        """What fits and comes first along each line, and all that is apart."""
        heads = (bucket for line in self.along(lane) if (bucket := next(line, None)) is not None)
        for bucket in chain(heads, self.apart):
            entry = bucket.firsts[lane]
            if entry is not None:
                yield bucket, entry

    def count_before(self, contact: Contact, now: int) -> int:
        """How many buckets that fit have a contact of a higher score."""
        due, target = due_of(contact), contact.target_seconds * SECOND

        def bound(other: int) -> int:
            return earlier_than(due, target, other, now) - other

        firsts = ((bucket.firsts[MAIN], bound(bucket.target)) for bucket in self.apart)
        count = sum(first is not None and first[0] < before for first, before in firsts)
        for line in self._lines(MAIN):
            ahead = line.along(self._served[line.kind], before=bound(line.target))
            count += sum(map(self._is_open, ahead))
        return count

    def _lines(self, lane: int) -> Iterator[Line]:
        if self._served:
            yield from (line for line in self._floor.fronts.lines(lane) if line.kind in self._served)

    def _is_open(self, bucket: Bucket) -> bool:
        return is_open(self._floor, self._desk, bucket)


def fitting(floor: Floor, desk: Desk, *, short: bool = False) -> list[Bucket]:
    """Buckets with something that the agent has the skills and the room for and wasn't asked for in vain.

    Of contacts that wait, or of those that are `short` of offers.
    """
    peers = desk.peers
    assert peers is not None, "only who is available is looked for"
    own = [
        bucket
        for kind, buckets in peers.profile.buckets.items()
        if peers.has_room(kind)
        for bucket in buckets
        if bucket.live and bucket.short is short and is_open(floor, desk, bucket)
    ]
    return own + opened_to(floor, desk, short=short)


def opened_to(floor: Floor, desk: Desk, *, short: bool = False) -> list[Bucket]:
    """The same of those that only load has opened to the agent."""
    peers = desk.peers
    assert peers is not None, "only who is available is looked for"
    opened = (bucket for bucket in peers.profile.opening if bucket.short is short and opens(bucket, peers))
    return [bucket for bucket in opened if is_open(floor, desk, bucket)]


def is_open(floor: Floor, desk: Desk, bucket: Bucket) -> bool:
    """Whether this one of the agents with the skills may have what is in it."""
    if bucket.is_anybodys:
        return True
    return desk.agent.id not in bucket.need.excluded and (not bucket.asked or may_ask(floor, bucket, desk))


def opens(bucket: Bucket, peers: Peers) -> bool:
    """Whether load has opened a bucket to agents who don't meet its contacts' need yet."""
    if not bucket.live or not peers.has_room(bucket.kind):
        return False
    need = bucket.open_need
    return need is not bucket.need and peers.profile in need.profiles


def may_ask(floor: Floor, bucket: Bucket, desk: Desk) -> bool:
    """Decliners are asked again once everyone able was; for what nobody answers, never in the same shift.

    While others have room it is placed among all of them, so that the last decliner doesn't pick it at once.
    """
    asked, need = still_asked(floor, bucket.asked), bucket.open_need
    if desk.agent.id not in asked:
        return True
    if bucket.final or bucket.short or not everyone_was_asked(floor, need, bucket.kind, asked):
        return False
    return not any(
        peers.has_room(bucket.kind) and peers.first(need.excluded | {desk.agent.id}) is not None
        for profile in need.profiles
        for peers in profile.peers.values()
    )
