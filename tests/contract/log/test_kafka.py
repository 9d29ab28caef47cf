"""What only Kafka can do: share partitions out, leave a transaction open, stand still, refuse a topic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from libs.common.clock import VirtualClock
from libs.common.events import COMMANDS, COMPACTED_TOPICS, OUTCOMES, ROUTER_STATE, ROUTING
from libs.common.log import Aborted, Draft, Fenced, Log, LogError, Owner
from libs.common.log.kafka import open_kafka_log
from libs.common.log.kafka_cluster import RECORD_BYTES_MAX
from libs.common.log.topics import WrongTopics, check_topics, create_topics, topic_config
from libs.common.workers import Workers
from tests.contract.log.worlds import (
    PARTITIONS,
    PATIENCE_SECONDS,
    TOPICS,
    Member,
    draft,
    drafts,
    entity,
    everything,
    fact,
    read,
    values,
)
from tests.kafka.kafka_broker import KafkaBroker
from tests.unit.machine.counting import CountingCore
from tests.unit.machine.records import opened


@dataclass
class Topics:
    """Topics of one test on the shared broker."""

    bootstrap: str
    prefix: str

    def log(self) -> AbstractAsyncContextManager[Log]:
        return open_kafka_log(self.bootstrap, partitions=PARTITIONS, topic_prefix=self.prefix)


@pytest.fixture
async def topics(kafka_bootstrap: str) -> Topics:
    prefix = f"t{uuid4().hex[:8]}."
    await create_topics(kafka_bootstrap, TOPICS, partitions=PARTITIONS, topic_prefix=prefix)
    return Topics(kafka_bootstrap, prefix)


@pytest.fixture
async def log(topics: Topics) -> AsyncIterator[Log]:
    async with topics.log() as opened:
        yield opened


async def dangling(topics: Topics) -> AIOKafkaProducer:
    """A predecessor that was killed in the middle: it began and wrote, and nothing more is heard of it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=topics.bootstrap, transactional_id=f"{topics.prefix}router-0", retry_backoff_ms=10
    )
    await producer.start()
    await producer.begin_transaction()
    for topic, value in ((ROUTING, b"half"), (ROUTER_STATE, b"half")):
        await producer.send_and_wait(topics.prefix + topic, value, key=b"k", partition=0)
    return producer


async def test_a_take_over_undoes_what_the_dead_had_begun(topics: Topics, log: Log) -> None:
    await (await log.own("router", 0)).commit([entity("k", "whole"), draft("whole")])
    predecessor = await dangling(topics)
    successor = await log.own("router", 0)
    assert {key: value async for key, value in successor.restore(ROUTER_STATE)} == {"k": b"whole"}
    await successor.commit(drafts("after"))
    assert values(await everything(log, ROUTING)) == ["whole", "after"]
    with pytest.raises(KafkaError):
        await predecessor.commit_transaction()
    await predecessor.stop()


async def test_an_open_transaction_hides_what_follows_only_until_the_take_over(topics: Topics, log: Log) -> None:
    """Who asks how far it can be read now isn't held up; who reads to the end waits for the take-over."""
    predecessor = await dangling(topics)
    [position] = await log.append(0, drafts("behind it"))
    assert await log.stable_ends([(ROUTING, 0)]) == {(ROUTING, 0): 0}
    assert await log.ends([(ROUTING, 0)]) == {(ROUTING, 0): position + 1}
    reading = asyncio.create_task(everything(log, ROUTING))
    await log.own("router", 0)
    assert values(await reading) == ["behind it"]
    with pytest.raises(KafkaError):
        await predecessor.commit_transaction()
    await predecessor.stop()


# -- groups ---------------------------------------------------------------------------------------------------------


async def test_two_members_share_the_partitions_and_the_whole_comes_back(topics: Topics, log: Log) -> None:
    first, second = Member(), Member()
    group = await first.join(log, COMMANDS, ROUTING)
    await first.holds(0, 1)
    async with topics.log() as other:
        joined = await second.join(other, COMMANDS, ROUTING)
        await second.holds_one()
        await first.holds_one()
        assert first.held | second.held == {0, 1}
        await joined.leave()
        await first.holds(0, 1)
    await group.leave()


async def test_nothing_is_assigned_before_its_holder_has_finished(topics: Topics, log: Log) -> None:
    """The batch in flight is over, and its member has said so, before another begins."""
    finish, second = asyncio.Event(), Member()
    first = Member(finish=finish)
    group = await first.join(log, COMMANDS)
    await first.holds(0, 1)
    async with topics.log() as other:
        joined = await second.join(other, COMMANDS)
        await first.told_of("revoked")
        begun = asyncio.create_task(second.holds_one())
        done, _ = await asyncio.wait({begun}, timeout=1.5)
        assert not done, "the first is still at work"
        finish.set()
        await begun
        await asyncio.gather(joined.leave(), group.leave())


async def test_a_leaving_member_hands_over_at_once(topics: Topics, log: Log) -> None:
    """Far sooner than its session would have timed out (6 s)."""
    first, second = Member(), Member()
    group = await first.join(log, COMMANDS)
    await first.holds(0, 1)
    async with topics.log() as other:
        joined = await second.join(other, COMMANDS)
        await second.holds_one()
        await first.holds_one()
        async with asyncio.timeout(4):
            await group.leave()
            await second.holds(0, 1)
        await joined.leave()


async def test_who_keeps_a_partition_reads_on_and_who_lost_it_gets_nothing(topics: Topics, log: Log) -> None:
    member, second = Member(), Member()
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    readers = [group.reader(partition, {}) for partition in (0, 1)]
    async with topics.log() as other:
        joined = await second.join(other, COMMANDS)
        await second.holds_one()
        await member.holds_one()
        [kept], [lost] = member.held, second.held
        for partition in (0, 1):
            await log.append(partition, drafts("news", topic=COMMANDS))
        assert values(await read(readers[kept], 1), COMMANDS) == ["news"]
        assert await readers[lost].read(max_records=10, wait_seconds=0) == []
        await asyncio.gather(joined.leave(), group.leave())


async def test_a_rebalance_that_hangs_keeps_nobody_from_reading(topics: Topics, log: Log) -> None:
    """Somebody doesn't let go, or has died and isn't missed yet: who has partitions goes on meanwhile."""
    finish, member = asyncio.Event(), Member()
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    async with topics.log() as slow, topics.log() as third:
        others = [await Member(finish=finish).join(slow, COMMANDS)]
        await member.holds_one()
        [ours] = member.held
        reader, before = group.reader(ours, {}), len(member.told)
        others.append(await Member().join(third, COMMANDS))
        await member.told_more_than(before)
        await log.append(ours, drafts("meanwhile", topic=COMMANDS))
        async with asyncio.timeout(10):
            assert values(await read(reader, 1), COMMANDS) == ["meanwhile"]
        finish.set()
        await asyncio.gather(group.leave(), *(other.leave() for other in others))


async def test_decisions_go_on_while_a_rebalance_hangs(topics: Topics, log: Log) -> None:
    finish, slow, inputs = asyncio.Event(), Member(), CountingCore.inputs
    async with Workers(CountingCore, log, VirtualClock(100)) as workers, topics.log() as one, topics.log() as other:
        slow.finish = finish
        others = [await slow.join(one, *inputs)]
        await slow.holds_one()
        [theirs] = slow.held
        others.append(await Member().join(other, *inputs))
        await slow.told_of("revoked")
        await log.append(1 - theirs, [fact(opened("c1"))])
        reader = await log.reader({(ROUTING, 1 - theirs): 0})
        async with asyncio.timeout(10):
            assert len(await read(reader, 2)) == 2
        await reader.close()
        finish.set()
        await asyncio.gather(*(other.leave() for other in others))
    assert all(worker.failed is None for worker in workers.workers.values())


async def test_a_reader_whose_partition_is_lost_keeps_nobody_waiting(topics: Topics, log: Log) -> None:
    member, second = Member(), Member()
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    waiting = [
        asyncio.create_task(group.reader(partition, {}).read(max_records=1, wait_seconds=3_600))
        for partition in (0, 1)
    ]
    async with topics.log() as other, asyncio.timeout(PATIENCE_SECONDS):
        joined = await second.join(other, COMMANDS)
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [[]]
        await joined.leave()
    await group.leave()
    await asyncio.wait(waiting)


async def test_reports_reach_the_lag_tools(topics: Topics, log: Log) -> None:
    member = Member()
    await log.append(0, drafts(*range(5), topic=COMMANDS))
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    await group.report(0, {COMMANDS: 3})
    assert await reported(topics, "omniroute.router", COMMANDS, 0) == 3
    await group.leave()


async def reported(topics: Topics, group: str, topic: str, partition: int) -> int | None:
    """What the broker has, once it has something."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=topics.bootstrap, group_id=topics.prefix + group, enable_auto_commit=False
    )
    await consumer.start()
    place = TopicPartition(topics.prefix + topic, partition)
    consumer.assign([place])
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (offset := await consumer.committed(place)) is None:
                await consumer.end_offsets([place])
            return offset
    finally:
        await consumer.stop()


# -- failures -------------------------------------------------------------------------------------------------------


async def test_a_refused_batch_is_aborted_and_the_owner_goes_on(topics: Topics, log: Log) -> None:
    await create_narrow_topic(topics)
    owner = await log.own("router", 0)
    await owner.commit(drafts("before"))
    with pytest.raises(Aborted):
        await owner.commit([draft("undone"), draft("x" * 5_000, topic="narrow")])
    await owner.commit(drafts("after"))
    assert values(await everything(log, ROUTING)) == ["before", "after"]


async def test_who_aborts_again_and_again_loses_the_partition(topics: Topics, log: Log) -> None:
    """Its producer's sequence has a hole; a new owner's has none."""
    await create_narrow_topic(topics)
    owner = await log.own("router", 0)
    outcomes = [await outcome(owner.commit([draft("x" * 5_000, topic="narrow")])) for _ in range(4)]
    assert outcomes[0] is Aborted
    assert outcomes[-1] is Fenced
    successor = await log.own("router", 0)
    await successor.commit([draft("fits", topic="narrow")])
    assert values(await everything(log, "narrow"), "narrow") == ["fits"]


async def outcome(commit: Awaitable[object]) -> type[BaseException] | None:
    try:
        await commit
    except LogError as error:
        return type(error)
    return None


async def owned_again(log: Log) -> Owner:
    """As a worker does it: until the cluster lets us."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(LogError):
                return await log.own("router", 0)
            await asyncio.sleep(0.2)


async def create_narrow_topic(topics: Topics) -> None:
    """A topic of an operator who thought that a kilobyte is enough."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=topics.bootstrap)
    await admin.start()
    narrow = NewTopic(f"{topics.prefix}narrow", PARTITIONS, 1, topic_configs={"max.message.bytes": "1000"})
    await admin.create_topics([narrow])
    await admin.close()


async def test_what_no_topic_takes_is_refused_before_anything_is_written(log: Log) -> None:
    huge = Draft(topic=ROUTING, key="acme/main", value=bytes(RECORD_BYTES_MAX + 1))
    owner = await log.own("router", 0)
    with pytest.raises(ValueError, match="bytes"):
        await owner.commit([draft("with it"), huge])
    with pytest.raises(ValueError, match="bytes"):
        await log.append(0, [draft("with it"), huge])
    await owner.commit(drafts("without"))
    assert values(await everything(log, ROUTING)) == ["without"]


@pytest.mark.slow
async def test_a_broker_that_stands_still_is_survived() -> None:
    """Appends and commits fail in time, of a batch all or nothing comes, and everything goes on afterwards."""
    with KafkaBroker() as broker:
        await create_topics(broker.bootstrap, TOPICS, partitions=PARTITIONS)
        async with open_kafka_log(broker.bootstrap, partitions=PARTITIONS) as log:
            owner = await log.own("router", 0)
            await asyncio.gather(owner.commit(drafts("a", "b")), log.append(1, drafts("first")))
            broker.pause(0)
            trials = outcome(owner.commit(drafts("c", "d"))), outcome(log.append(1, drafts("lost?")))
            assert list(await asyncio.gather(*trials)) == [Fenced, LogError]
            broker.resume(0)
            await (await owned_again(log)).commit(drafts("e", "f"))
            await log.append(1, drafts("last"))
            found = values(await everything(log, ROUTING))
            assert found in (["a", "b", "e", "f"], ["a", "b", "c", "d", "e", "f"])
            appended = values(await everything(log, ROUTING, partition=1))
            assert appended in (["first", "last"], ["first", "lost?", "last"])


async def test_a_cluster_that_is_not_there_is_named() -> None:
    with pytest.raises(LogError, match=r"127\.0\.0\.1:1"):
        async with open_kafka_log("127.0.0.1:1", partitions=PARTITIONS):
            pass


# -- topics ---------------------------------------------------------------------------------------------------------


async def test_topics_are_created_once_and_checked(kafka_bootstrap: str) -> None:
    prefix = f"t{uuid4().hex[:8]}."
    with pytest.raises(WrongTopics):
        await check_topics(kafka_bootstrap, TOPICS, partitions=3, topic_prefix=prefix)
    created = await create_topics(kafka_bootstrap, TOPICS, partitions=3, topic_prefix=prefix)
    assert sorted(created) == sorted(prefix + topic for topic in TOPICS)
    assert await create_topics(kafka_bootstrap, TOPICS, partitions=3, topic_prefix=prefix) == []
    await check_topics(kafka_bootstrap, TOPICS, partitions=3, topic_prefix=prefix)


async def test_another_number_of_partitions_is_refused(topics: Topics) -> None:
    for check in (check_topics, create_topics):
        with pytest.raises(WrongTopics, match="PARTITIONS is 5"):
            await check(topics.bootstrap, TOPICS, partitions=5, topic_prefix=topics.prefix)


@pytest.mark.parametrize(
    ("topic", "policy", "retention_hours"),
    [(ROUTING, "delete", 720), (OUTCOMES, "delete", 24), (ROUTER_STATE, "compact", None)],
)
def test_what_is_kept_how_long(topic: str, policy: str, retention_hours: int | None) -> None:
    config = topic_config(topic)
    kept = config.get("retention.ms")
    assert config["cleanup.policy"] == policy
    assert (kept and int(kept) // 3_600_000) == retention_hours


def test_every_state_topic_is_compacted() -> None:
    compacted = [topic for topic in (*COMPACTED_TOPICS, ROUTING) if topic_config(topic)["cleanup.policy"] == "compact"]
    assert sorted(compacted) == sorted(COMPACTED_TOPICS)
