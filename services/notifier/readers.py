"""Which partitions this process reads, and how far: the membership in the group `notifier`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from libs.common.events import PUBLIC_TOPICS
from libs.common.inputs import Inputs
from libs.common.log import Group, Log, LogError, Reader, Record
from libs.common.log.port import Place
from libs.common.postgres import DATABASE_TROUBLE
from libs.common.telemetry import log
from services.notifier import metrics
from services.notifier.intake import Batch, Intake, Moved
from services.notifier.limits import (
    IDLE_SECONDS,
    LAG_EVERY_SECONDS,
    READ_RECORDS_MAX,
    READ_WAIT_SECONDS,
    TROUBLE_SECONDS,
)

SERVICE = "notifier"


class PartitionReader:
    """One partition's public topics, in the order of cause where the log tells it: contacts before the decisions that
    were made after them."""

    def __init__(self, partition: int, joined: asyncio.Future[Group], intake: Intake) -> None:
        self.partition = partition
        self.reached: dict[str, int] = {}
        """Everything below these positions is stored."""
        self._joined = joined
        self._intake = intake
        self._written: dict[str, int] = {}

    async def run(self) -> None:
        """Until cancelled: what is away for a while delays, and loses nothing."""
        while True:
            try:
                await self._follow()
            except Moved:
                log.info("partition_moved", service=SERVICE, partition=self.partition)
            except (LogError, *DATABASE_TROUBLE) as failure:
                metrics.TROUBLE_TOTAL.inc()
                log.warning("intake_delayed", partition=self.partition, error=type(failure).__name__)
                await asyncio.sleep(TROUBLE_SECONDS)

    async def _follow(self) -> None:
        self._written = await self._intake.positions(self.partition)
        self.reached = dict(self._written)
        inputs = Inputs(PUBLIC_TOPICS)
        group = await asyncio.shield(self._joined)
        reader = group.reader(self.partition, self._written)
        try:
            while True:
                await self._step(group, reader, inputs)
        finally:
            with suppress(LogError):
                await reader.close()

    async def _step(self, group: Group, reader: Reader, inputs: Inputs) -> None:
        read = await reader.read(max_records=READ_RECORDS_MAX, wait_seconds=READ_WAIT_SECONDS)
        inputs.add(read)
        positions = self._positions(reader)
        while records := self._in_order(inputs, positions):
            await self._store(records)
            await group.report(self.partition, self._written)
        if not inputs:
            self.reached |= positions
        if not read:
            await asyncio.sleep(IDLE_SECONDS)

    def _positions(self, reader: Reader) -> dict[str, int]:
        return {topic: position for (topic, _), position in reader.next_positions().items()}

    def _in_order(self, inputs: Inputs, positions: Mapping[str, int]) -> list[Record]:
        """A batch of them: many may have waited for contacts that are read only now."""
        contacts_read_to = positions.get(PUBLIC_TOPICS[0], 0)
        records: list[Record] = []
        while len(records) < READ_RECORDS_MAX and (record := inputs.next(contacts_read_to)) is not None:
            records.append(record)
        return records

    async def _store(self, records: list[Record]) -> None:
        after = self._written | {record.topic: record.position + 1 for record in records}
        batch = Batch(partition=self.partition, records=tuple(records), before=self._written, after=after)
        await self._intake.store(batch)
        self._written = after
        self.reached |= after


class Readers:
    """A reader for every partition that is ours, as the membership changes."""

    def __init__(self, port: Log, intake: Intake, tasks: asyncio.TaskGroup) -> None:
        self._log = port
        self._intake = intake
        self._tasks = tasks
        self._joined: asyncio.Future[Group] = asyncio.get_running_loop().create_future()
        self._readers: dict[int, tuple[PartitionReader, asyncio.Task[None]]] = {}

    async def join(self) -> None:
        """Raises LogError."""
        group = await self._log.join(SERVICE, PUBLIC_TOPICS, assigned=self._assigned, revoked=self._revoked)
        self._joined.set_result(group)

    async def leave(self) -> None:
        """Give everything back, so that another process can go on at once."""
        if self._joined.done():
            with suppress(LogError):
                await self._joined.result().leave()
        await self._stop(frozenset(self._readers))

    def caught_up(self, ends: Mapping[Place, int]) -> bool:
        """Whether everything below these ends of the public topics is stored."""
        return all(
            self._reached(partition).get(topic, 0) >= end
            for (topic, partition), end in ends.items()
            if topic in PUBLIC_TOPICS
        )

    def _reached(self, partition: int) -> Mapping[str, int]:
        return self._readers[partition][0].reached if partition in self._readers else {}

    async def measure(self) -> None:
        """For ever: how far behind the ends of the log we are."""
        while True:
            await asyncio.sleep(LAG_EVERY_SECONDS)
            with suppress(LogError):
                await self._measure()

    async def _measure(self) -> None:
        partitions = tuple(self._readers)
        ends = await self._log.ends([(topic, partition) for partition in partitions for topic in PUBLIC_TOPICS])
        for topic in PUBLIC_TOPICS:
            behind = sum(
                max(0, ends[topic, partition] - self._reached(partition).get(topic, 0)) for partition in partitions
            )
            metrics.NOTIFIER_LAG_RECORDS.labels(topic).set(behind)

    async def _assigned(self, partitions: frozenset[int]) -> None:
        await self._stop(frozenset(self._readers) - partitions)
        for partition in sorted(partitions - self._readers.keys()):
            self._start(partition)

    async def _revoked(self, partitions: frozenset[int]) -> None:
        await self._stop(partitions)

    def _start(self, partition: int) -> None:
        reader = PartitionReader(partition, self._joined, self._intake)
        self._readers[partition] = reader, self._tasks.create_task(reader.run(), name=f"{SERVICE}-{partition}")

    async def _stop(self, partitions: frozenset[int]) -> None:
        """A batch in flight is stored or isn't; whoever reads on learns it from the table."""
        ours = [self._readers.pop(partition)[1] for partition in sorted(partitions & self._readers.keys())]
        for task in ours:
            task.cancel()
        if ours:
            await asyncio.wait(ours)
