"""Ownership on Kafka: a transactional producer per owned partition, whose start fences its predecessor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)

from libs.common import crash
from libs.common.log.kafka_cluster import KAFKA_FAILURES, SEND_SECONDS, Cluster, log_errors, size_of, to_its_end
from libs.common.log.port import Aborted, Draft, Fenced, LogError

STALL_SECONDS: Final = 30.0
"""A restore that gets nothing new for so long has failed."""
POLL_MS: Final = 500
ABORTS_IN_A_ROW_MAX: Final = 3
"""A producer that can't get one batch through is dropped: a new one begins with a clean sequence."""
FATAL: Final = (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)


class KafkaOwner:
    def __init__(self, cluster: Cluster, partition: int, producer: AIOKafkaProducer) -> None:
        self.partition = partition
        self._cluster = cluster
        self._producer: AIOKafkaProducer | None = producer
        self._aborts = 0

    async def restore(self, topic: str) -> AsyncIterator[tuple[str, bytes]]:
        with log_errors(f"restore of {topic} {self.partition}"):
            last = await last_values(self._cluster, topic, self.partition)
        for key, value in last.items():
            yield key.decode(), value

    async def commit(self, drafts: Sequence[Draft]) -> None:
        if self._producer is None:
            raise Fenced(f"partition {self.partition} is no longer ours")
        if drafts:
            size_of(drafts)
            await to_its_end(self._transact(self._producer, drafts))

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            self._cluster.stop_soon(producer)

    async def _transact(self, producer: AIOKafkaProducer, drafts: Sequence[Draft]) -> None:
        await self._or_fenced(producer.begin_transaction())
        crash.reached("owner.begun")
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(producer, drafts)
        except FATAL as error:
            raise await self._fenced(error) from error
        except (KafkaError, TimeoutError) as error:
            await self._abort(producer)
            raise Aborted(repr(error)) from error
        crash.reached("owner.acked")
        await self._or_fenced(producer.commit_transaction())
        crash.reached("owner.committed")
        self._aborts = 0

    async def _send(self, producer: AIOKafkaProducer, drafts: Sequence[Draft]) -> None:
        """All acks before the end is asked for, or the broker makes us wait for a back-off."""
        acks: list[asyncio.Future[Any]] = []
        try:
            for topic, batch in self._cluster.batches(producer, drafts):
                acks.append(await producer.send_batch(batch, topic, partition=self.partition))
        except BaseException:
            for ack in acks:
                ack.add_done_callback(_heard)
            raise
        await asyncio.gather(*acks)

    async def _abort(self, producer: AIOKafkaProducer) -> None:
        await self._or_fenced(producer.abort_transaction())
        self._aborts += 1
        if self._aborts >= ABORTS_IN_A_ROW_MAX:
            raise await self._fenced(None)

    async def _or_fenced(self, step: Awaitable[None]) -> None:
        """Without an answer nobody knows how it ended."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await step
        except KAFKA_FAILURES as error:
            raise await self._fenced(error) from error

    async def _fenced(self, error: BaseException | None) -> Fenced:
        await self.close()
        return Fenced(f"partition {self.partition}: {error!r}")


def _heard(ack: asyncio.Future[Any]) -> None:
    """It fails as the send after it did: once is enough to say so."""
    if not ack.cancelled():
        ack.exception()


async def last_values(cluster: Cluster, topic: str, partition: int) -> dict[bytes, bytes]:
    """The last value of every key that has one, up to the end observed now. Raises LogError when it stalls."""
    place = cluster.place(topic, partition)
    consumer = await cluster.reading({place: 0})
    try:
        end = (await consumer.end_offsets([place]))[place]
        last: dict[bytes, bytes] = {}
        reached, progressed_at = 0, asyncio.get_running_loop().time()
        while reached < end:
            for record in (await consumer.getmany(timeout_ms=POLL_MS)).get(place, ()):
                if record.value is None:
                    last.pop(record.key, None)
                else:
                    last[record.key] = record.value
            now, position = asyncio.get_running_loop().time(), await consumer.position(place)
            if position > reached:
                reached, progressed_at = position, now
            elif now - progressed_at > STALL_SECONDS:
                raise LogError(f"{topic} {partition} stalls at {reached} of {end}")
        return last
    finally:
        cluster.stop_soon(consumer)
