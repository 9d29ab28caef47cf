"""One suite for every log: a test that asks for `world` runs on memory, PostgreSQL and Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from libs.common.clock import SystemClock
from libs.common.log import Log
from libs.common.log.memory import MemoryWorld, open_memory_log
from tests.contract.log.worlds import PARTITIONS, TOPICS, World


@pytest.fixture(
    params=[
        "memory",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.xdist_group("kafka")]),
    ]
)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with AsyncExitStack() as opened:
        match request.param:
            case "memory":
                yield memory_world(opened)
            case "postgres":
                yield postgres_world(opened, request.getfixturevalue("database_url"))
            case "kafka":
                yield await kafka_world(opened, request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture
async def log(world: World) -> Log:
    """The first handle, for what needs one only."""
    return await world.open_log()


def memory_world(opened: AsyncExitStack) -> World:
    shared = MemoryWorld(PARTITIONS)
    return World("memory", lambda: open_memory_log(shared), opened)


def postgres_world(opened: AsyncExitStack, database_url: str) -> World:
    from libs.common.log.postgres import open_postgres_log

    clock = SystemClock()
    return World(
        "postgres", lambda: open_postgres_log(database_url, partitions=PARTITIONS, clock=clock), opened
    )


async def kafka_world(opened: AsyncExitStack, bootstrap: str) -> World:
    """Topics of its own on the shared broker."""
    from libs.common.log.kafka import open_kafka_log
    from libs.common.log.topics import create_topics

    prefix = f"t{uuid4().hex[:8]}."
    await create_topics(bootstrap, TOPICS, partitions=PARTITIONS, topic_prefix=prefix)
    return World(
        "kafka",
        lambda: open_kafka_log(bootstrap, partitions=PARTITIONS, topic_prefix=prefix),
        opened,
        gap_free=False,
        shared_out=True,
    )
