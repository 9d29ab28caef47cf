"""Several processes on a real broker: each partition has one reader, and a hand-over loses and doubles nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import pytest

from libs.common.events import PUBLIC_TOPICS, TOPICS
from libs.common.log import Log
from libs.common.log.kafka import open_kafka_log
from libs.common.log.topics import create_topics
from tests.integration.notifier.desk import PARTITIONS, Desk, Open, closed, eventually
from tests.integration.notifier.receiver import Receiver


@pytest.fixture
async def prefix(kafka_bootstrap: str) -> str:
    prefix = f"t{uuid4().hex[:8]}."
    await create_topics(kafka_bootstrap, TOPICS, partitions=PARTITIONS, topic_prefix=prefix)
    return prefix


async def append(desk: Desk, log: Log, contacts: Sequence[str]) -> None:
    for n, contact in enumerate(contacts):
        await log.append(n % PARTITIONS, [desk.draft(closed(contact))])


async def all_stored(desk: Desk, log: Log, processes: Sequence[Open]) -> None:
    """Every place is stored by whichever process reads it."""
    places = [(topic, partition) for topic in PUBLIC_TOPICS for partition in range(PARTITIONS)]
    ends = await log.ends(places)

    async def stored() -> bool:
        return all(any(one.notifier.caught_up({place: end}) for one in processes) for place, end in ends.items())

    await eventually(stored)


async def test_a_hand_over_on_kafka_loses_and_doubles_nothing(
    desk: Desk, kafka_bootstrap: str, prefix: str, receiver: Receiver
) -> None:
    def kafka() -> AbstractAsyncContextManager[Log]:
        return open_kafka_log(kafka_bootstrap, partitions=PARTITIONS, topic_prefix=prefix)

    async with kafka() as mine, kafka() as theirs, desk.open(log=theirs) as second:
        await second.subscribe("ops", receiver.url)
        async with desk.open(log=mine) as first:
            await append(desk, mine, [f"a{n}" for n in range(30)])
            await all_stored(desk, mine, [first, second])
        await append(desk, theirs, [f"b{n}" for n in range(30)])
        await all_stored(desk, theirs, [second])
        await receiver.taken(60)
    stored = await desk.feed()
    assert [position for position, _ in stored] == list(range(1, 61))
    assert len({event for _, event in stored}) == 60
