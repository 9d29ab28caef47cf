"""The log in memory, for the simulator and unit tests: one world, shared by as many handles as are opened on it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from libs.common.log.only_member import OnlyMember
from libs.common.log.port import Draft, Fenced, Group, Log, Owner, PartitionsCallback, Place, Reader, Record


class MemoryWorld:
    """What the handles share: the records of every place, and who owns what."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.records: defaultdict[Place, list[Record]] = defaultdict(list)
        self.sleepers: defaultdict[Place, set[asyncio.Event]] = defaultdict(set)
        self.epochs: defaultdict[tuple[str, int], int] = defaultdict(int)

    def append(self, partition: int, drafts: Sequence[Draft]) -> list[int]:
        """All or none, at once, so that nobody sees a half. Raises ValueError for a partition there isn't."""
        self.check(partition)
        return [self._append(partition, draft) for draft in drafts]

    def _append(self, partition: int, draft: Draft) -> int:
        place = draft.topic, partition
        records = self.records[place]
        records.append(
            Record(
                topic=draft.topic,
                partition=partition,
                position=len(records),
                key=draft.key,
                value=draft.value,
                headers=draft.headers,
            )
        )
        for sleeper in self.sleepers[place]:
            sleeper.set()
        return len(records) - 1

    def check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"there is no partition {partition} of {self.partitions}")


async def others_turn() -> None:
    """What waits for a server elsewhere lets the other tasks run here too; a loop on the log starves nobody."""
    await asyncio.sleep(0)


class MemoryReader:
    def __init__(self, world: MemoryWorld, start: Mapping[Place, int]) -> None:
        self._world = world
        self._next = dict(start)
        self._turns = list(start)
        self._appended = asyncio.Event()
        for topic, partition in start:
            world.check(partition)
            world.sleepers[topic, partition].add(self._appended)

    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        await others_turn()
        self._appended.clear()
        records = self._take(max_records)
        if records or wait_seconds <= 0:
            return records
        try:
            async with asyncio.timeout(wait_seconds):
                await self._appended.wait()
        except TimeoutError:
            return []
        return self._take(max_records)

    def _take(self, max_records: int) -> list[Record]:
        taken: list[Record] = []
        for place in self._turns:
            start = self._next[place]
            found = self._world.records[place][start : start + max_records - len(taken)]
            self._next[place] += len(found)
            taken += found
        self._turns.append(self._turns.pop(0))  # A busy place must not starve the others.
        return taken

    def next_positions(self) -> dict[Place, int]:
        return dict(self._next)

    async def close(self) -> None:
        for place in self._next:
            self._world.sleepers[place].discard(self._appended)
        self._appended.set()


class MemoryOwner:
    def __init__(self, world: MemoryWorld, service: str, partition: int) -> None:
        world.check(partition)
        self.partition = partition
        self._world = world
        self._name = service, partition
        world.epochs[self._name] += 1
        self._epoch = world.epochs[self._name]

    async def restore(self, topic: str) -> AsyncIterator[tuple[str, bytes]]:
        last = {record.key: record.value for record in self._world.records[topic, self.partition]}
        for key, value in last.items():
            if value is not None:
                yield key, value

    async def commit(self, drafts: Sequence[Draft]) -> None:
        await others_turn()
        if self._world.epochs[self._name] != self._epoch:
            raise Fenced(f"partition {self.partition} was taken over")
        self._world.append(self.partition, drafts)

    async def close(self) -> None:
        """Nothing to give back: the next owner's epoch is what ends this one."""


class MemoryLog:
    """A handle on a world."""

    commit_interval_seconds = 0.0

    def __init__(self, world: MemoryWorld) -> None:
        self.partitions = world.partitions
        self._world = world

    async def append(self, partition: int, drafts: Sequence[Draft]) -> list[int]:
        await others_turn()
        return self._world.append(partition, drafts)

    async def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        await others_turn()
        return {place: len(self._world.records[place]) for place in places}

    async def stable_ends(self, places: Sequence[Place]) -> dict[Place, int]:
        return await self.ends(places)  # A commit is one step: none is ever in flight.

    async def reader(self, start: Mapping[Place, int]) -> Reader:
        return self.read_from(start)

    def read_from(self, start: Mapping[Place, int]) -> Reader:
        return MemoryReader(self._world, start)

    async def join(
        self, service: str, topics: Sequence[str], *, assigned: PartitionsCallback, revoked: PartitionsCallback
    ) -> Group:
        del service  # Every service's member is the only one.
        return OnlyMember(self.partitions, topics, self.read_from, assigned=assigned, revoked=revoked)

    async def own(self, service: str, partition: int) -> Owner:
        return MemoryOwner(self._world, service, partition)


@asynccontextmanager
async def open_memory_log(world: MemoryWorld) -> AsyncIterator[Log]:
    """A handle; the world outlives it."""
    yield MemoryLog(world)
