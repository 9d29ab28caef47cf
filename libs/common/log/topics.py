"""The topics on a Kafka cluster: how long each is kept, and creating them.

All have the same number of partitions. Compacted topics keep the last record a key; the others are cut by time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from libs.common.events import COMPACTED_TOPICS, OUTCOMES, TOPICS
from libs.common.log.port import LogError

BATCH_BYTES_MAX: Final = 8 * 2**20
"""Of one batch of records, as every topic is told to take and every producer to make."""
_HOUR_MS: Final = 3_600_000
RETENTION_MS: Final = 30 * 24 * _HOUR_MS
"""Facts, decisions, journals and dead letters: as far back as a replay can reach."""
OUTCOMES_RETENTION_MS: Final = 24 * _HOUR_MS
REPLICATION_MAX: Final = 3
_ADMIN_SECONDS: Final = 30
_AGAIN_SECONDS: Final = 0.02


class WrongTopics(LogError):
    """The cluster's topics aren't what this installation was set up with."""


def topic_config(topic: str) -> dict[str, str]:
    """What makes a topic ours: its cleanup, retention and largest batch."""
    config = {"max.message.bytes": str(BATCH_BYTES_MAX + 2**20)}
    if topic in COMPACTED_TOPICS:
        # Small segments that close soon: what a restore has to read stays near the size of the state.
        return config | {
            "cleanup.policy": "compact",
            "segment.bytes": str(64 * 2**20),
            "segment.ms": str(_HOUR_MS),
            "min.cleanable.dirty.ratio": "0.2",
            "delete.retention.ms": str(24 * _HOUR_MS),
        }
    retention = OUTCOMES_RETENTION_MS if topic == OUTCOMES else RETENTION_MS
    return config | {"cleanup.policy": "delete", "retention.ms": str(retention)}


async def create_topics(
    bootstrap: str,
    topics: Sequence[str] = TOPICS,
    *,
    partitions: int,
    replication: int | None = None,
    topic_prefix: str = "",
) -> list[str]:
    """Create what is missing and return its names. Raises WrongTopics where one has other partitions.

    Without `replication`, a copy on each of at most REPLICATION_MAX brokers; all but one must have a record before
    it counts as written.
    """
    async with _admin(bootstrap) as admin:
        found = await _partitions(admin)
        wanted = {topic_prefix + topic: topic_config(topic) for topic in topics}
        _check({name: found[name] for name in wanted if name in found}, partitions)
        copies = replication or min(REPLICATION_MAX, await _brokers(admin))
        in_sync = {"min.insync.replicas": str(max(1, copies - 1))}
        new = [
            NewTopic(name, partitions, copies, topic_configs=config | in_sync)
            for name, config in wanted.items()
            if name not in found
        ]
        if new:
            _raise_for(await admin.create_topics(new, timeout_ms=_ADMIN_SECONDS * 1_000))
            _check(await _once_there(admin, wanted.keys()), partitions)
        return [topic.name for topic in new]


async def check_topics(
    bootstrap: str, topics: Sequence[str] = TOPICS, *, partitions: int, topic_prefix: str = ""
) -> None:
    """Raises WrongTopics when one is missing or has other partitions: a start with those is refused."""
    async with _admin(bootstrap) as admin:
        found = await _partitions(admin)
    _check({topic_prefix + topic: found.get(topic_prefix + topic, 0) for topic in topics}, partitions)


async def describe_topics(bootstrap: str) -> dict[str, int]:
    """Every topic on the cluster and how many partitions it has."""
    async with _admin(bootstrap) as admin:
        return await _partitions(admin)


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_ADMIN_SECONDS * 1_000)
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError) as error:
        raise LogError(f"Kafka at {bootstrap}: {error!r}") from error
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    names = await admin.list_topics()
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(names)}


async def _once_there(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, int]:
    """The controller knows a new topic before the brokers do; whoever uses it next must not be too early."""
    async with asyncio.timeout(_ADMIN_SECONDS):
        while True:
            found = await _partitions(admin)
            if all(found.get(name) for name in names):
                return {name: found[name] for name in names}
            await asyncio.sleep(_AGAIN_SECONDS)


async def _brokers(admin: AIOKafkaAdminClient) -> int:
    return len((await admin.describe_cluster())["brokers"])


def _check(found: dict[str, int], partitions: int) -> None:
    wrong = {name: count for name, count in sorted(found.items()) if count != partitions}
    if wrong:
        raise WrongTopics(f"PARTITIONS is {partitions}, but the cluster has {wrong} (0: no such topic)")


def _raise_for(response: Any) -> None:
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # Somebody else created it meanwhile.
            raise LogError(f"topic {name} can't be created: {error.__name__}")
