"""Appends outside transactions: calls that come while one is under way are gathered into the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from libs.common import crash
from libs.common.log.kafka_cluster import KAFKA_FAILURES, SEND_SECONDS, Cluster, log_errors, size_of
from libs.common.log.port import Draft, LogError
from libs.common.log.topics import BATCH_BYTES_MAX


@dataclass(frozen=True)
class Call:
    drafts: Sequence[Draft]
    bytes: int
    positions: asyncio.Future[list[int]]


class Appender:
    """One idempotent producer for all partitions; what one call appends to a topic is one batch, or a part of one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._waiting = [deque[Call]() for _ in range(cluster.partitions)]
        self._flushing: dict[int, asyncio.Task[None]] = {}
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()

    async def append(self, partition: int, drafts: Sequence[Draft]) -> list[int]:
        """Raises LogError; whether the records come is then unknown. Raises ValueError for too many bytes."""
        self._cluster.check_partition(partition)
        if not drafts:
            return []
        size = size_of(drafts)
        if size > BATCH_BYTES_MAX:
            raise ValueError(f"{size} bytes are too many for one append: {BATCH_BYTES_MAX}")
        call = Call(drafts, size, asyncio.get_running_loop().create_future())
        self._waiting[partition].append(call)
        if partition not in self._flushing:
            self._flushing[partition] = asyncio.create_task(self._flush(partition))
        return await call.positions

    async def close(self) -> None:
        await asyncio.gather(*self._flushing.values())

    async def _flush(self, partition: int) -> None:
        waiting = self._waiting[partition]
        while waiting:
            calls = _as_many_as_fit(waiting)
            try:
                first = await self._send(partition, calls)
            except LogError as error:
                _fail(calls, error)
            else:
                crash.reached("log.appended")
                _answer(calls, first)
        del self._flushing[partition]

    async def _send(self, partition: int, calls: list[Call]) -> dict[str, int]:
        """The position of the first record in each topic."""
        with log_errors(f"append to partition {partition}"):
            producer = await self._ready()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    return await self._send_all(producer, partition, calls)
            except KAFKA_FAILURES:
                await self._discard(producer)
                raise

    async def _send_all(self, producer: Any, partition: int, calls: list[Call]) -> dict[str, int]:
        drafts = [draft for call in calls for draft in call.drafts]
        acks = {
            topic: await producer.send_batch(batch, topic, partition=partition)
            for topic, batch in self._cluster.batches(producer, drafts)
        }
        prefix = len(self._cluster.prefix)
        return {topic[prefix:]: (await ack).offset for topic, ack in acks.items()}

    async def _ready(self) -> AIOKafkaProducer:
        async with self._renewing:
            if self._producer is None:
                self._producer = await self._cluster.producer()
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """One that failed has a hole in its sequence: stop it, so that nothing of it comes late, before a next."""
        async with self._renewing:
            if self._producer is producer:
                self._producer = None
                await self._cluster.stop(producer)


def _as_many_as_fit(waiting: deque[Call]) -> list[Call]:
    calls = [waiting.popleft()]
    size = calls[0].bytes
    while waiting and size + waiting[0].bytes <= BATCH_BYTES_MAX:
        calls.append(waiting.popleft())
        size += calls[-1].bytes
    return calls


def _answer(calls: list[Call], first: dict[str, int]) -> None:
    following = dict(first)
    for call in calls:
        positions = []
        for draft in call.drafts:
            positions.append(following[draft.topic])
            following[draft.topic] += 1
        if not call.positions.done():  # Else its caller was cancelled.
            call.positions.set_result(positions)


def _fail(calls: list[Call], error: LogError) -> None:
    for call in calls:
        if not call.positions.done():
            call.positions.set_exception(LogError(str(error)))
