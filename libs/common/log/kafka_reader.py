"""Reading from Kafka: buffers between what is fetched and what is read, and a reader outside any group.

A reader's position of a place is its first buffered record's, or where the fetches have come to: that may be past
the markers which transactions leave behind, so whoever reads up to an end comes to it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.common.log.kafka_cluster import Cluster, log_errors
from libs.common.log.port import Place, Record

POLL_MS: Final = 100
"""New records end a poll at once; a position that moved without any is seen after so long at most."""


class Buffers:
    """What was fetched and not yet read, place by place."""

    def __init__(self, cluster: Cluster, start: Mapping[TopicPartition, int]) -> None:
        self._cluster = cluster
        self._fetched = {place: deque[Any]() for place in start}
        self.reached = dict(start)
        """Where the next fetch of each place begins."""
        self._turns = list(start)
        self.news = asyncio.Event()
        """Set when there are records, or a position moved, since the last `take`."""

    @property
    def places(self) -> Set[TopicPartition]:
        return self.reached.keys()

    def held(self, place: TopicPartition) -> int:
        return len(self._fetched[place])

    def add(self, place: TopicPartition, records: Iterable[Any], reached: int) -> None:
        """Records that follow each other, and the offset at which the next fetch begins."""
        self._fetched[place].extend(records)
        if reached != self.reached[place]:
            self.reached[place] = reached
            self.news.set()

    def take(self, max_records: int) -> list[Record]:
        taken: list[Record] = []
        for place in self._turns:
            fetched = self._fetched[place]
            count = min(len(fetched), max_records - len(taken))
            taken += self._cluster.records(place, [fetched.popleft() for _ in range(count)])
        self._turns.append(self._turns.pop(0))  # A busy place must not starve the others.
        self.news.clear()
        return taken

    def next_positions(self) -> dict[Place, int]:
        return {
            self._cluster.our_place(place): fetched[0].offset if fetched else self.reached[place]
            for place, fetched in self._fetched.items()
        }


class KafkaReader:
    """A reader with a consumer of its own."""

    def __init__(self, cluster: Cluster, consumer: AIOKafkaConsumer, start: Mapping[TopicPartition, int]) -> None:
        self._cluster = cluster
        self._consumer = consumer
        self._buffers = Buffers(cluster, start)
        self._polling: asyncio.Task[None] | None = None

    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        """Also returns early, with nothing, when a position moved without a record."""
        records = self._buffers.take(max_records)
        if records:
            return records
        with log_errors("read"):
            await self._wait(wait_seconds)
        return self._buffers.take(max_records)

    async def _wait(self, wait_seconds: float) -> None:
        now = asyncio.get_running_loop().time
        until = now() + wait_seconds
        while True:
            await self._poll(max(0.0, until - now()))
            if self._buffers.news.is_set() or now() >= until:
                return

    async def _poll(self, wait_seconds: float) -> None:
        """A fetch is never cancelled, it would lose what it has: the next read goes on with it."""
        if self._polling is None:
            timeout_ms = min(POLL_MS, int(wait_seconds * 1_000))
            self._polling = asyncio.create_task(self._fetch(timeout_ms))
        await asyncio.wait({self._polling})
        polled, self._polling = self._polling, None
        polled.result()

    async def _fetch(self, timeout_ms: int) -> None:
        found = await self._consumer.getmany(timeout_ms=timeout_ms)
        for place in self._buffers.places:
            self._buffers.add(place, found.get(place, ()), await self._consumer.position(place))

    def next_positions(self) -> dict[Place, int]:
        return self._buffers.next_positions()

    async def close(self) -> None:
        if self._polling is not None:
            await asyncio.wait({self._polling})
        self._cluster.stop_soon(self._consumer)
