"""The port to the log. Three implementations (kafka, postgres, memory) pass one behavioural suite.

What every implementation promises:

- **Order.** Records of one topic and partition have ascending positions and are read in that order, exactly once
  a reader. Positions on PostgreSQL and memory have no gaps; on Kafka transaction markers take some, so "the next
  position" of a reader is one past the last record it was given, or the end it has reached.
- **Atomic commit.** All drafts of `Owner.commit` become visible together or not at all.
- **Ownership.** `own` takes a partition of a service over: whoever owned it before is fenced and can write nothing
  more, and what it had begun is undone. A fenced owner's `commit` raises `Fenced`.
- **Compacted topics** (`events.COMPACTED_TOPICS`) keep the last value a key; a draft with no value removes the key.
- **Wakes.** A reader that waits is woken by an append; nothing polls in a busy loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

Place = tuple[str, int]
"""A topic and a partition."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A record to be: its position comes with the append."""

    topic: str
    key: str
    value: bytes | None
    headers: dict[str, str] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    topic: str
    partition: int
    position: int
    key: str
    value: bytes | None
    headers: dict[str, str] = {}


class LogError(Exception):
    """The log could not do it now; nothing is known to be half done."""


class Aborted(LogError):
    """The commit is known not to have happened: the same batch may be committed again."""


class Fenced(LogError):
    """Somebody else owns the partition, or nobody knows whether the commit happened: drop the state."""


class Reader(Protocol):
    """Reads some topics of some partitions onward from given positions; sees only what is committed."""

    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        """The next records, in order within each place; empty when nothing came within `wait_seconds`."""
        ...

    def next_positions(self) -> dict[Place, int]:
        """Where each place's next record will be looked for. Moves in the very step in which `read` returns, so that
        whoever sees a position has every record below it."""
        ...

    async def close(self) -> None: ...


class Owner(Protocol):
    """One service's ownership of one partition."""

    partition: int

    def restore(self, topic: str) -> AsyncIterator[tuple[str, bytes]]:
        """Every (key, last value) of a compacted topic's partition, as of this ownership's beginning."""
        ...

    async def commit(self, drafts: Sequence[Draft]) -> None:
        """Append all drafts to this partition, atomically. Raises Aborted or Fenced."""
        ...

    async def close(self) -> None: ...


PartitionsCallback = Callable[[frozenset[int]], Awaitable[None]]


class Group(Protocol):
    """A process's membership in a service: which partitions are its own, and their inputs."""

    def reader(self, partition: int, positions: Mapping[str, int]) -> Reader:
        """The service's input topics of an assigned partition, from these positions (0 where absent). It goes on, also
        through a rebalance, until the partition is another member's."""
        ...

    async def report(self, partition: int, positions: Mapping[str, int]) -> None:
        """Tell lag tools how far this partition's inputs are decided; never read back by us."""
        ...

    async def leave(self) -> None:
        """Give every partition back at once, so that another member can go on."""
        ...


class Log(Protocol):
    partitions: int
    commit_interval_seconds: float
    """How long an owner gathers between two commits: 0.020 where each is a round trip of its own, 0 where the log
    gathers the commits of all owners itself."""

    async def append(self, partition: int, drafts: Sequence[Draft]) -> list[int]:
        """Append to one partition and return the positions. One call's drafts of a topic stay together, in order."""
        ...

    async def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """The position after the last record of each place, observed now: every append and commit that was answered
        lies below. So may a commit in flight, for whose end a reader that reads so far will wait."""
        ...

    async def stable_ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """Up to where each place can be read at once, observed now: every answered append lies below, and a commit
        that is in flight, or whose owner died in the middle, doesn't. Nor may, for a moment, one just answered."""
        ...

    async def reader(self, start: Mapping[Place, int]) -> Reader:
        """A reader of these places, independent of any group."""
        ...

    async def join(
        self, service: str, topics: Sequence[str], *, assigned: PartitionsCallback, revoked: PartitionsCallback
    ) -> Group:
        """Become a member. `assigned` is called with all partitions that are now ours; `revoked` before that with
        those that may be taken: nobody is assigned them before it returns."""
        ...

    async def own(self, service: str, partition: int) -> Owner:
        """Take a partition of a service over, fencing whoever had it."""
        ...


OpenLog = Callable[[], AbstractAsyncContextManager[Log]]
