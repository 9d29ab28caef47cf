"""Membership on Kafka: a consumer that only belongs, and one that reads for a reader per partition.

Kafka's groups give all partitions back in every rebalance, and a member that died holds the rebalance up until its
session ends. So the member's own partitions are never read from: it tells what is ours, and is polled all the time, or
the broker would take it for dead. What is ours is read by another consumer, in no group, which a rebalance doesn't
touch: a reader goes on until its partition is somebody else's. Who else may write is the owner's to know, not the
group's. A place whose buffer is full is paused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from libs.common.log.kafka_cluster import KAFKA_FAILURES, Cluster, log_errors
from libs.common.log.kafka_reader import POLL_MS, Buffers
from libs.common.log.port import LogError, PartitionsCallback, Place, Reader, Record

BUFFERED_RECORDS_MAX: Final = 4_000
"""Of one topic of a partition; it is fetched again when the reader is down to RESUME_RECORDS."""
RESUME_RECORDS: Final = 1_000
REPORT_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 1.0

log = structlog.get_logger()


class GroupReader:
    """The service's inputs of one assigned partition, until it is another's; from then on it gives nothing."""

    def __init__(self, group: KafkaGroup, partition: int, buffers: Buffers) -> None:
        self.partition = partition
        self.buffers = buffers
        self.ended = False
        self.failure: LogError | None = None
        self.paused: set[TopicPartition] = set()
        self._group = group

    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        """Also returns early, with nothing, when a position moved without a record or the partition is another's."""
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
        await self._group.may_lose()


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
        self._member: AIOKafkaConsumer | None = None
        self._source: AIOKafkaConsumer | None = None
        self._asked = asyncio.Event()
        """Set while anybody reads."""
        self._tasks: list[asyncio.Task[None]] = []

    # -- the port -----------------------------------------------------------------------------------------------

    def reader(self, partition: int, positions: Mapping[str, int]) -> Reader:
        """A second one of the same partition ends the first. One of a partition that isn't ours gives nothing."""
        start = {self._cluster.place(topic, partition): positions.get(topic, 0) for topic in self._topics}
        reader = GroupReader(self, partition, Buffers(self._cluster, start))
        if partition not in self._held:
            reader.end()
            return reader
        if partition in self._readers:
            self._readers[partition].end()
        self._readers[partition] = reader
        self._assign()
        return reader

    async def report(self, partition: int, positions: Mapping[str, int]) -> None:
        self._reports |= {self._cluster.place(topic, partition): position for topic, position in positions.items()}

    async def leave(self) -> None:
        if self._leaving.is_set():
            return
        self._leaving.set()
        await self.may_lose()
        self._held = frozenset()
        self._end_readers()
        self._asked.set()
        # Unless a rebalance holds it up, polling sees by itself that we leave; what it then loses is no longer ours.
        _, pending = await asyncio.wait(self._tasks, timeout=3 * POLL_MS / 1_000)
        for task in pending:
            task.cancel()
        await self._stop_member()
        await self._stop_source()

    # -- what happens to us -------------------------------------------------------------------------------------

    async def take(self, places: Iterable[TopicPartition]) -> None:
        """A partition is ours when all our topics of it are: members of two versions may differ in their topics."""
        ours = set(places)
        self._held = frozenset(
            partition
            for partition in range(self._cluster.partitions)
            if all(self._cluster.place(topic, partition) in ours for topic in self._topics)
        )
        for partition in self._readers.keys() - self._held:
            self._readers.pop(partition).end()
        self._assign()
        if not self._leaving.is_set():
            await self._tell(self._assigned, self._held)

    async def may_lose(self) -> None:
        """A rebalance has begun: what we hold may be another's at its end."""
        if self._held:
            await self._tell(self._revoked, self._held)

    def _end_readers(self, failure: LogError | None = None) -> None:
        readers, self._readers = self._readers, {}
        for reader in readers.values():
            reader.end(failure)
        self._assign()

    async def _tell(self, callback: PartitionsCallback, partitions: frozenset[int]) -> None:
        try:
            await callback(partitions)
        except LogError as error:
            log.warning("rebalance_not_followed", service=self._service, error=str(error))

    async def enter(self) -> None:
        """Join, and begin to read. Raises LogError."""
        with log_errors(f"join {self._service}"):
            self._source = await self._cluster.consumer()
            await self._start_member()
        lives = self._again_and_again(self._belong, self._leave_for_now), self._again_and_again(self._read, self._lose)
        self._tasks = [asyncio.create_task(life) for life in (*lives, self._report())]

    async def _again_and_again(
        self, live: Callable[[], Awaitable[None]], lose: Callable[[LogError], Awaitable[None]]
    ) -> None:
        while not self._leaving.is_set():
            try:
                await live()
            except KAFKA_FAILURES as error:
                log.warning("membership_lost", service=self._service, error=repr(error))
                await lose(LogError(repr(error)))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._leaving.wait(), AGAIN_SECONDS)

    # -- belonging ----------------------------------------------------------------------------------------------

    async def _belong(self) -> None:
        if self._member is None:
            await self._start_member()
        member = self._member
        while member is not None and not self._leaving.is_set():
            await member.getmany(timeout_ms=POLL_MS)

    async def _start_member(self) -> None:
        member = self._member = await self._cluster.consumer(group=f"omniroute.{self._service}")
        topics = [self._cluster.prefix + topic for topic in self._topics]
        member.subscribe(topics, listener=Listener(self, member))

    async def _leave_for_now(self, _: LogError) -> None:
        await self.may_lose()
        await self._stop_member()

    async def _stop_member(self) -> None:
        member, self._member = self._member, None
        if member is not None:
            await self._cluster.stop(member)

    # -- reading ------------------------------------------------------------------------------------------------

    def _assign(self) -> None:
        """Every reader's places, each from where it has come to: what was fetched and not dealt out is fetched anew."""
        if self._source is None:
            return
        reached = {place: at for reader in self._readers.values() for place, at in reader.buffers.reached.items()}
        if not reached:
            self._source.unsubscribe()
            self._asked.clear()
            return
        self._source.assign(list(reached))
        for place, position in reached.items():
            self._source.seek(place, position)
        self._source.pause(*(place for reader in self._readers.values() for place in reader.paused))
        self._asked.set()

    async def _read(self) -> None:
        if self._source is None:
            self._source = await self._cluster.consumer()
            self._assign()
        while not self._leaving.is_set():
            await self._asked.wait()
            source = self._source
            found = await source.getmany(timeout_ms=POLL_MS)  # Only of the assignment as it is now.
            for reader in tuple(self._readers.values()):
                await self._deal(source, found, reader)

    async def _deal(
        self, source: AIOKafkaConsumer, found: Mapping[TopicPartition, list[Any]], reader: GroupReader
    ) -> None:
        """In the very step in which it was fetched: who assigns anew begins where this has come to."""
        for place in reader.buffers.places - reader.paused:
            reader.buffers.add(place, found.get(place, ()), await source.position(place))  # It is known: no waiting.
        self._pause_full(source, reader)

    async def _lose(self, failure: LogError) -> None:
        self._end_readers(failure)
        await self._stop_source()

    async def _stop_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            await self._cluster.stop(source)

    def _pause_full(self, source: AIOKafkaConsumer, reader: GroupReader) -> None:
        full = [place for place in reader.buffers.places if reader.buffers.held(place) > BUFFERED_RECORDS_MAX]
        if full and not reader.ended:
            reader.paused.update(full)
            source.pause(*full)

    def resume_drained(self, reader: GroupReader) -> None:
        drained = [place for place in reader.paused if reader.buffers.held(place) <= RESUME_RECORDS]
        if drained and self._source is not None:
            reader.paused.difference_update(drained)
            self._source.resume(*drained)

    def forget(self, reader: GroupReader) -> None:
        if self._readers.get(reader.partition) is reader:
            del self._readers[reader.partition]
            self._assign()

    # -- for lag tools ------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        while not self._leaving.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), REPORT_SECONDS)
            await self._commit_reports()

    async def _commit_reports(self) -> None:
        reports, self._reports = self._reports, {}
        member = self._member
        if member is None:
            return
        ours = {place: offset for place, offset in reports.items() if place in member.assignment()}
        try:
            if ours:
                await member.commit(ours)
        except KafkaError as error:
            log.info("lag_not_reported", service=self._service, error=repr(error))
