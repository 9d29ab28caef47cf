"""Who comes first in each bucket, in lines: for each lane one a kind and target, in which the order never changes with
time.

A bucket's first contact by promise, by age and by reach stand in a line each, so that who asks for the best of all that
fits looks along a few lines' beginnings instead of into all buckets.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from services.router.core.queues import LANES, Bucket, Entry, Kind, top
from services.router.core.state import Contact


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
