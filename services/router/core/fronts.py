"""Who comes first in each bucket, in lines: for each lane one a kind and target, in which the order never changes with
time.

A bucket's first contact by promise, by age and by reach stand in a line each, so that who asks for the best of all that
fits looks along a few lines' beginnings instead of into all buckets.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice
from typing import TypeVar

from services.router.core.queues import LANES, MAIN, Bucket, Entry, Kind, half_points, score_at, top
from services.router.core.state import Contact

V = TypeVar("V")


class Line:
    """Buckets of one kind and target, in a lane's order of their first contacts."""

    __slots__ = ("buckets", "entries", "kind", "target")

    def __init__(self, kind: Kind, target: int) -> None:
        self.kind = kind
        self.target = target
        """In microseconds."""
        self.entries: list[Entry] = []
        """The first contact of each, ascending."""
        self.buckets: list[Bucket] = []
        """Where those stand, in the same order: most who look along the line need no more to pass on."""

    def enter(self, entry: Entry, bucket: Bucket) -> None:
        place = bisect_left(self.entries, entry)
        self.entries.insert(place, entry)
        self.buckets.insert(place, bucket)

    def leave(self, entry: Entry) -> None:
        place = bisect_left(self.entries, entry)
        del self.entries[place]
        del self.buckets[place]

    def along(self, served: Mapping[Bucket, None], before: int | None = None) -> Iterator[Bucket]:
        """Those among `served`, in order; perhaps only those whose place in the lane is before this one."""
        end = None if before is None else bisect_left(self.entries, (before,))
        return filter(served.__contains__, islice(self.buckets, end))

    def scored(self, now: int) -> Iterator[tuple[int, Bucket]]:
        """(half points, bucket), where the lane is the main one."""
        for entry, bucket in zip(self.entries, self.buckets, strict=True):
            yield half_points(score_at(entry[0] + self.target, self.target, now)), bucket


class Fronts:
    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: tuple[dict[tuple[Kind, int], Line], ...] = tuple({} for _ in LANES)

    def lines(self, lane: int) -> Iterable[Line]:
        """In an order that decides nothing."""
        return self._lines[lane].values()

    def line_up(self, bucket: Bucket, contacts: Mapping[str, Contact]) -> None:
        """Who comes first in the bucket may have changed. Who is asked for beside others stands in no line."""
        for lane in LANES:
            before, now = bucket.firsts[lane], top(bucket.lanes[lane], contacts)
            if now == before:
                continue
            bucket.firsts[lane] = now
            if bucket.short:
                continue
            line = self._line_of(lane, bucket)
            if before is not None:
                line.leave(before)
            if now is not None:
                line.enter(now, bucket)

    def _line_of(self, lane: int, bucket: Bucket) -> Line:
        key = (bucket.kind, bucket.target)
        line = self._lines[lane].get(key)
        if line is None:
            line = self._lines[lane][key] = Line(*key)
        return line

    def tops(self, now: int) -> Iterable[tuple[int, Bucket]]:
        """(half points, bucket) of all first contacts, the highest first; equal ones in an order that decides
        nothing."""
        return Lazily(merge(*(line.scored(now) for line in self.lines(MAIN)), key=_falling))


def _falling(top: tuple[int, Bucket]) -> int:
    return -top[0]


class Lazily(Iterable[V]):
    """What many walk along from the beginning, computed as far as one of them went."""

    def __init__(self, rest: Iterator[V]) -> None:
        self._known: list[V] = []
        self._rest = rest

    def __iter__(self) -> Iterator[V]:
        yield from self._known
        for one in self._rest:
            self._known.append(one)
            yield one
