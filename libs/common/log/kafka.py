"""The log on Kafka: wherever there is more than one process.

A partition is owned by a transactional producer (`kafka_owner`), inputs come through a group (`kafka_group`),
everyone else reads with a consumer of their own (`kafka_reader`) and appends without transactions (`kafka_append`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer

from libs.common.log.kafka_append import Appender
from libs.common.log.kafka_cluster import SEND_SECONDS, Cluster, log_errors
from libs.common.log.kafka_group import KafkaGroup
from libs.common.log.kafka_owner import KafkaOwner
from libs.common.log.kafka_reader import KafkaReader
from libs.common.log.port import Draft, Group, Log, Owner, PartitionsCallback, Place, Reader


class KafkaLog:
    commit_interval_seconds = 0.020

    def __init__(self, cluster: Cluster, all_seeing: AIOKafkaConsumer, stable: AIOKafkaConsumer) -> None:
        self.partitions = cluster.partitions
        self._cluster = cluster
        self._all_seeing = all_seeing
        self._stable = stable
        self._appender = Appender(cluster)

    async def append(self, partition: int, drafts: Sequence[Draft]) -> list[int]:
        return await self._appender.append(partition, drafts)

    async def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """The high watermarks: a commit is answered before its markers are written, and until then the last stable
        offset lies below it. Raises LogError when the cluster doesn't answer."""
        return await self._end_offsets(self._all_seeing, places)

    async def stable_ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """The last stable offsets. Raises LogError when the cluster doesn't answer."""
        return await self._end_offsets(self._stable, places)

    async def _end_offsets(self, observer: AIOKafkaConsumer, places: Sequence[Place]) -> dict[Place, int]:
        asked = [self._cluster.place(*place) for place in places]
        with log_errors("ends"):
            async with asyncio.timeout(SEND_SECONDS):
                found = await observer.end_offsets(asked)
        return {self._cluster.our_place(place): end for place, end in found.items()}

    async def reader(self, start: Mapping[Place, int]) -> Reader:
        """Raises LogError when the cluster can't be reached."""
        places = {self._cluster.place(*place): position for place, position in start.items()}
        for place in places:
            self._cluster.check_partition(place.partition)
        with log_errors("reader"):
            return KafkaReader(self._cluster, await self._cluster.reading(places), places)

    async def join(
        self, service: str, topics: Sequence[str], *, assigned: PartitionsCallback, revoked: PartitionsCallback
    ) -> Group:
        """Raises LogError when the cluster can't be reached."""
        group = KafkaGroup(self._cluster, service, topics, assigned, revoked)
        await group.enter()
        return group

    async def own(self, service: str, partition: int) -> Owner:
        """Raises LogError when the cluster can't be reached."""
        self._cluster.check_partition(partition)
        with log_errors(f"own {service} {partition}"):
            producer = await self._cluster.producer(f"{service}-{partition}")
        return KafkaOwner(self._cluster, partition, producer)

    async def close(self) -> None:
        await self._appender.close()


@asynccontextmanager
async def open_kafka_log(bootstrap: str, *, partitions: int, topic_prefix: str = "") -> AsyncIterator[Log]:
    """The topics must be there (`topics.create_topics`). Raises LogError when the cluster can't be reached."""
    cluster = Cluster(bootstrap, partitions=partitions, topic_prefix=topic_prefix)
    try:
        with log_errors(f"Kafka at {bootstrap}"):
            all_seeing = await cluster.consumer(isolation_level="read_uncommitted")
            stable = await cluster.consumer()
        log = KafkaLog(cluster, all_seeing, stable)
        yield log
        await log.close()
    finally:
        await cluster.close()
