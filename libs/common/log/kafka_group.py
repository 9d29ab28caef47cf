"""Membership on Kafka: one group consumer a process, whose records are dealt out to a reader per partition.

A partition is paused until its reader says where it begins, and while its buffer is full. The consumer is polled
all the time, also with nothing assigned, or the broker would take the member for dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError

from libs.common.log.kafka_cluster import KAFKA_FAILURES, Cluster, log_errors
from libs.common.log.kafka_reader import POLL_MS, Buffers
from libs.common.log.port import LogError, PartitionsCallback, Place, Reader, Record

BUFFERED_RECORDS_MAX: Final = 4_000
"""Of one topic of a partition; it is fetched again when the reader is down to RESUME_RECORDS."""
RESUME_RECORDS: Final = 1_000
REPORT_SECONDS: Final = 1.0
REJOIN_SECONDS: Final = 1.0

log = structlog.get_logger()


class GroupReader:
    """The service's inputs of one assigned partition, until it is revoked; from then on it gives nothing."""

    def __init__(self, group: KafkaGroup, partition: int, buffers: Buffers) -> None:
        self.partition = partition
        self.buffers = buffers
        self.ended = False
        self.failure: LogError | None = None
        self.paused: set[TopicPartition] = set()
        self._group = group

    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        """Also returns early, with nothing, when a position moved without a record or the partition is revoked."""
        records = self._take(max_records)
        if records or wait_seconds <= 0:
            return records
        if self.ended:
            await asyncio.sleep(wait_seconds)  # Whoever reads on after the end must not spin.
            return []
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                await self.buffers.news.wait()
        return self._take(max_records)

    def _take(self, max_records: int) -> list[Record]:
        if self.failure is not None:
            raise self.failure
        if self.ended:
            return []
        records = self.buffers.take(max_records)
        if self.paused:
            self._group.resume_drained(self)
        return records

    def end(self, failure: LogError | None = None) -> None:
        self.failure = failure
        self.ended = True
        self.buffers.news.set()

    def next_positions(self) -> dict[Place, int]:
        return self.buffers.next_positions()

    async def close(self) -> None:
        self._group.forget(self)
        self.end()


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """aiokafka swallows what a listener raises, so nothing here does."""

    def __init__(self, group: KafkaGroup, consumer: AIOKafkaConsumer) -> None:
        self._group, self._consumer = group, consumer

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._consumer.pause(*assigned)  # First of all: else records are handed out meanwhile.
        await self._group.take(assigned)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._group.give_back()


class KafkaGroup:
    def __init__(
        self,
        cluster: Cluster,
        service: str,
        topics: Sequence[str],
        assigned: PartitionsCallback,
        revoked: PartitionsCallback,
    ) -> None:
        self._cluster, self._service, self._topics = cluster, service, tuple(topics)
        self._assigned, self._revoked = assigned, revoked
        self._held: frozenset[int] = frozenset()
        self._readers: dict[int, GroupReader] = {}
        self._reports: dict[TopicPartition, int] = {}
        self._leaving = asyncio.Event()
        self._consumer: AIOKafkaConsumer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # -- the port -----------------------------------------------------------------------------------------------

    def reader(self, partition: int, positions: Mapping[str, int]) -> Reader:
        """A second one of the same partition ends the first. One of a partition that isn't ours gives nothing."""
        start = {self._cluster.place(topic, partition): positions.get(topic, 0) for topic in self._topics}
        reader = GroupReader(self, partition, Buffers(self._cluster, start))
        if partition not in self._held or self._consumer is None:
            reader.end()
            return reader
        if partition in self._readers:
            self._readers[partition].end()
        self._readers[partition] = reader
        for place, position in start.items():
            self._consumer.seek(place, position)
        self._consumer.resume(*start)
        return reader

    async def report(self, partition: int, positions: Mapping[str, int]) -> None:
        self._reports |= {self._cluster.place(topic, partition): position for topic, position in positions.items()}

    async def leave(self) -> None:
        if self._leaving.is_set():
            return
        self._leaving.set()
        await self.give_back()
        # Unless a rebalance holds it up, polling sees by itself that we leave; what it then loses is no longer ours.
        _, pending = await asyncio.wait(self._tasks, timeout=3 * POLL_MS / 1_000)
        for task in pending:
            task.cancel()
        await self._stop_consumer()

    # -- what happens to us -------------------------------------------------------------------------------------

    async def take(self, places: Iterable[TopicPartition]) -> None:
        """A partition is ours when all our topics of it are: members of two versions may differ in their topics."""
        ours = set(places)
        self._held = frozenset(
            partition
            for partition in range(self._cluster.partitions)
            if all(self._cluster.place(topic, partition) in ours for topic in self._topics)
        )
        if not self._leaving.is_set():
            await self._tell(self._assigned, self._held)

    async def give_back(self, failure: LogError | None = None) -> None:
        held, self._held = self._held, frozenset()
        readers, self._readers = self._readers, {}
        for reader in readers.values():
            reader.end(failure)
        if held:
            await self._tell(self._revoked, held)

    async def _tell(self, callback: PartitionsCallback, partitions: frozenset[int]) -> None:
        try:
            await callback(partitions)
        except LogError as error:
            log.warning("rebalance_not_followed", service=self._service, error=str(error))

    # -- polling ------------------------------------------------------------------------------------------------

    async def enter(self) -> None:
        """Join, and begin to poll. Raises LogError."""
        with log_errors(f"join {self._service}"):
            await self._start_consumer()
        self._tasks = [asyncio.create_task(self._live()), asyncio.create_task(self._report())]

    async def _live(self) -> None:
        try:
            while not self._leaving.is_set():
                await self._poll_or_begin_again()
        finally:
            for reader in self._readers.values():
                reader.end(LogError(f"{self._service} is no member any more"))

    async def _poll_or_begin_again(self) -> None:
        try:
            await self._poll()
        except KAFKA_FAILURES as error:
            log.warning("membership_lost", service=self._service, error=repr(error))
            await self._begin_again(LogError(repr(error)))

    async def _begin_again(self, failure: LogError) -> None:
        await self.give_back(failure)
        await self._stop_consumer()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), REJOIN_SECONDS)

    async def _poll(self) -> None:
        if self._consumer is None:
            await self._start_consumer()
        consumer = self._consumer
        while consumer is not None and not self._leaving.is_set():
            found = await consumer.getmany(timeout_ms=POLL_MS)
            for reader in tuple(self._readers.values()):
                with suppress(IllegalStateError):  # Revoked while we asked for a position.
                    await self._deal(consumer, found, reader)

    async def _deal(
        self, consumer: AIOKafkaConsumer, found: Mapping[TopicPartition, list[Any]], reader: GroupReader
    ) -> None:
        for place in reader.buffers.places:
            if place not in reader.paused:
                reader.buffers.add(place, found.get(place, ()), await consumer.position(place))
        self._pause_full(consumer, reader)

    async def _start_consumer(self) -> None:
        consumer = await self._cluster.consumer(group=f"omniroute.{self._service}")
        self._consumer = consumer
        topics = [self._cluster.prefix + topic for topic in self._topics]
        consumer.subscribe(topics, listener=Listener(self, consumer))

    async def _stop_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await self._cluster.stop(consumer)

    def _pause_full(self, consumer: AIOKafkaConsumer, reader: GroupReader) -> None:
        full = [place for place in reader.buffers.places if reader.buffers.held(place) > BUFFERED_RECORDS_MAX]
        if full and not reader.ended:
            reader.paused.update(full)
            consumer.pause(*full)

    def resume_drained(self, reader: GroupReader) -> None:
        drained = [place for place in reader.paused if reader.buffers.held(place) <= RESUME_RECORDS]
        if drained and self._consumer is not None:
            reader.paused.difference_update(drained)
            self._consumer.resume(*drained)

    def forget(self, reader: GroupReader) -> None:
        """Its partition waits, paused, for the next reader."""
        if self._readers.get(reader.partition) is reader and self._consumer is not None:
            del self._readers[reader.partition]
            self._consumer.pause(*reader.buffers.places)

    # -- for lag tools ------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        while not self._leaving.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), REPORT_SECONDS)
            await self._commit_reports()

    async def _commit_reports(self) -> None:
        reports, self._reports = self._reports, {}
        consumer = self._consumer
        if consumer is None:
            return
        ours = {place: offset for place, offset in reports.items() if place in consumer.assignment()}
        try:
            if ours:
                await consumer.commit(ours)
        except KafkaError as error:
            log.info("lag_not_reported", service=self._service, error=repr(error))
