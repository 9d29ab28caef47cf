"""The first contact of every bucket, by promise: a line a target, in which the order never changes with time.

Buckets of one target compare by their first contacts' promises alone, so that who asks for the highest scores looks at
a few lines' beginnings instead of at all buckets.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from heapq import merge
from typing import TypeVar

from services.router.core.queues import Bucket, Entry, half_points

V = TypeVar("V")


class Fronts:
    __slots__ = ("_buckets", "_lines")

    def __init__(self) -> None:
        self._lines: dict[int, list[Entry]] = {}
        """Target in microseconds → first entries of its buckets, ascending."""
        self._buckets: dict[str, Bucket] = {}
        """First contact's id → its bucket."""

    def replace(self, bucket: Bucket, before: Entry | None, now: Entry | None) -> None:
        """The bucket's first entry is another one; None when there is nobody in it."""
        line = self._lines.setdefault(bucket.target, [])
        if before is not None:
            del self._buckets[before[1]]
            del line[bisect_left(line, before)]
        if now is not None:
            self._buckets[now[1]] = bucket
            insort(line, now)

    def tops(self, now: int) -> Iterable[tuple[int, Bucket]]:
        """(half points, bucket), the highest first; equal ones in an order that decides nothing."""
        return Lazily(merge(*(self._scored(line, now) for line in self._lines.values()), key=_falling))

    def _scored(self, line: list[Entry], now: int) -> Iterator[tuple[int, Bucket]]:
        for entry in line:
            bucket = self._buckets[entry[1]]
            yield half_points(bucket.score(entry, now)), bucket


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
