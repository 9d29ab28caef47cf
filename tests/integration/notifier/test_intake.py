"""Every public event is stored once and in order, whoever dies or is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from libs.common.events import CONTACTS, ROUTING, SECOND, Event
from libs.common.events.escalations import TargetUpdated
from libs.common.events.routing import AgentPresenceChanged
from libs.common.log import Draft, LogError, Reader, Record
from libs.common.log.memory import MemoryLog, MemoryReader, MemoryWorld
from libs.common.log.port import Group, PartitionsCallback, Place
from libs.common.machine import AFTER_HEADER
from libs.common.outbox import OUTBOX_HEADER
from libs.common.postgres import open_database
from services.notifier.forgetting import DAY, forget_before
from services.notifier.intake import Batch, Intake, Moved, News
from services.notifier.limits import (
    DEAD_KEPT_DAYS,
    DELIVERIES_PUT_MAX,
    FEED_KEPT_DAYS,
    INTAKE_RECORDS_MAX,
    READ_RECORDS_MAX,
)
from services.notifier.readers import PartitionReader
from tests.integration.notifier.desk import PARTITIONS, Desk, Open, closed, left
from tests.integration.notifier.receiver import WAIT_SECONDS, Receiver
from tests.integration.postgres.cut import Cut


class FlakyLog(MemoryLog):
    """Fails at every third read."""

    def __init__(self, world: MemoryWorld) -> None:
        super().__init__(world)
        self.world = world
        self.reads = 0

    async def join(
        self, service: str, topics: Sequence[str], *, assigned: PartitionsCallback, revoked: PartitionsCallback
    ) -> Group:
        return FlakyGroup(self, topics, await super().join(service, topics, assigned=assigned, revoked=revoked))


class FlakyGroup:
    def __init__(self, log: FlakyLog, topics: Sequence[str], group: Group) -> None:
        self._log, self._topics = log, topics
        self.report, self.leave = group.report, group.leave

    def reader(self, partition: int, positions: Mapping[str, int]) -> Reader:
        return FlakyReader(self._log, {(topic, partition): positions.get(topic, 0) for topic in self._topics})


class FlakyReader(MemoryReader):
    def __init__(self, log: FlakyLog, start: Mapping[Place, int]) -> None:
        super().__init__(log.world, start)
        self._log = log

    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        self._log.reads += 1
        if self._log.reads % 3 == 0:
            raise LogError("away")
        return await super().read(max_records=min(max_records, 3), wait_seconds=wait_seconds)


class LateGroup:
    """The contact that decisions wait for is on the log only when all of them were read."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def reader(self, _partition: int, positions: Mapping[str, int]) -> Reader:
        return LateReader(self._desk, {(topic, 0): position for topic, position in positions.items()})

    async def report(self, partition: int, positions: Mapping[str, int]) -> None:
        """Nobody asks."""

    async def leave(self) -> None:
        """Nobody else is there."""


class LateReader(MemoryReader):
    def __init__(self, desk: Desk, start: Mapping[Place, int]) -> None:
        super().__init__(desk.world, start)
        self._desk = desk

    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        read = await super().read(max_records=max_records, wait_seconds=0)
        if not read and not self._desk.world.records[CONTACTS, 0]:
            self._desk.publish(left("c0"))
        return read


class Noting(Intake):
    """Remembers how large the batches were."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.database, desk.clock, ignore)
        self.sizes: list[int] = []
        self.brought = asyncio.Condition()

    async def store(self, batch: Batch) -> None:
        await super().store(batch)
        async with self.brought:
            self.sizes.append(len(batch.records))
            self.brought.notify_all()


def whole(count: int) -> list[int]:
    return list(range(1, count + 1))


async def test_the_feed_has_every_public_event_in_one_order_without_gaps(desk: Desk) -> None:
    async with desk.open() as opened:
        for n in range(40):
            desk.publish(left(f"c{n}"), closed(f"c{n}"), partition=n % PARTITIONS)
        await opened.stored()
    stored = await desk.feed()
    assert [position for position, _ in stored] == whole(80)
    assert len({event for _, event in stored}) == 80


async def test_positions_are_each_workspaces_own(desk: Desk) -> None:
    async with desk.open() as opened:
        desk.publish(closed("c1"), closed("c1", "other"), closed("c2"), closed("c2", "other"))
        await opened.stored()
    assert [position for position, _ in await desk.feed()] == whole(2)
    assert [position for position, _ in await desk.feed("other")] == whole(2)


async def test_facts_come_before_the_decisions_that_were_made_after_them(desk: Desk) -> None:
    """The decision is on the log before the reader looks; its header says which contact it knew."""
    for n in range(30):
        desk.publish(left(f"c{n}"))
        desk.world.append(0, [desk.draft(closed(f"c{n}"), **{AFTER_HEADER: str(n + 1)})])
    async with desk.open() as opened:
        await opened.stored()
    order = [event for _, event in await desk.feed()]
    assert all(order.index(f"c{n}.contacts.1") < order.index(f"c{n}.routing.1") for n in range(30))


async def test_what_a_relay_appended_twice_is_stored_once(desk: Desk) -> None:
    twice = [desk.draft(left(f"c{n}"), **{OUTBOX_HEADER: str(n)}) for n in (1, 2, 3)]
    async with desk.open() as first:
        desk.world.append(0, [*twice[:2], *twice[:2]])
        await first.stored()
    async with desk.open() as second:
        desk.world.append(0, twice)
        await second.stored()
    assert [event for _, event in await desk.feed()] == [f"c{n}.contacts.1" for n in (1, 2, 3)]


async def test_a_workspaces_event_is_stored_once_though_every_partition_has_a_copy(desk: Desk) -> None:
    updated = desk.draft(TargetUpdated(key="default/*", at=1, target_id="t", target_version=1))
    async with desk.open() as opened:
        for partition in range(PARTITIONS):
            desk.world.append(partition, [updated])
        await opened.stored()
    assert [event for _, event in await desk.feed()] == [updated.headers["ce_id"]]


async def test_a_bad_record_stops_nothing(desk: Desk) -> None:
    async with desk.open() as opened:
        for bad in (
            Draft(topic=ROUTING, key="default/main", value=b"{", headers={"ce_type": "contact.closed"}),
            Draft(topic=CONTACTS, key="x", value=None),
        ):
            desk.world.append(0, [bad])
        desk.publish(closed("c1"))
        await opened.stored()
    assert [event for _, event in await desk.feed()] == ["c1.routing.1"]


async def test_a_new_process_goes_on_where_the_last_one_ended(desk: Desk) -> None:
    for n in range(5):
        async with desk.open() as opened:
            desk.publish(closed(f"c{n}"), left(f"c{n}"))
            await opened.stored()
    assert [position for position, _ in await desk.feed()] == whole(10)


async def test_a_log_that_fails_again_and_again_only_delays(desk: Desk) -> None:
    log = FlakyLog(desk.world)
    async with desk.open(log=log) as opened:
        desk.publish(*(closed(f"c{n}") for n in range(8)))
        await opened.stored()
    assert log.reads > 3
    assert await desk.feed() == [(n + 1, f"c{n}.routing.1") for n in range(8)]


async def test_a_database_that_is_cut_off_only_delays(desk: Desk, database_url: str, receiver: Receiver) -> None:
    async with Cut(database_url) as cut, open_database(cut.url) as wire, desk.open(database=wire) as opened:
        await opened.subscribe("ops", receiver.url)
        desk.publish(closed("c1"))
        await receiver.taken(1)
        cut.down()
        desk.publish(closed("c1"), closed("c2"))
        await asyncio.wait_for(cut.refused.wait(), 20)
        cut.up()
        await receiver.taken(3)
        await opened.stored()
    assert [position for position, _ in await desk.feed()] == whole(3)


def ignore(_: News) -> None:
    """Nobody waits for news here."""


@asynccontextmanager
async def at_work(*intakes: Intake) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(intake.run()) for intake in intakes]
        yield
        for task in running:
            task.cancel()


async def batch_of(desk: Desk, intake: Intake, partition: int = 0) -> Batch:
    """Everything that the partition's decisions are."""
    before, records = await intake.positions(partition), tuple(desk.world.records[ROUTING, partition])
    return Batch(partition=partition, records=records, before=before, after=before | {ROUTING: len(records)})


@pytest.mark.parametrize("processes", [2, 1])
async def test_two_owners_of_a_partition_store_it_once(desk: Desk, processes: int) -> None:
    """A hand-over, also one that comes back to the same process: both have read the same records; the later one is
    sent back to the table."""
    desk.publish(closed("c1"), closed("c2"))
    intakes = [Intake(desk.database, desk.clock, ignore) for _ in range(processes)]
    batch = await batch_of(desk, intakes[0])
    async with at_work(*intakes):
        ended = await asyncio.gather(*(one.store(batch) for one in (intakes * 2)[:2]), return_exceptions=True)
    assert [isinstance(end, Moved) for end in ended].count(True) == 1
    assert [position for position, _ in await desk.feed()] == whole(2)


async def test_a_reader_that_is_stopped_takes_its_batch_back(desk: Desk) -> None:
    desk.publish(closed("c1"), partition=0)
    desk.publish(closed("c2"), partition=1)
    intake = Intake(desk.database, desk.clock, ignore)
    first, second = [await batch_of(desk, intake, partition) for partition in (0, 1)]
    stopped = asyncio.create_task(intake.store(first))
    await asyncio.sleep(0)
    stopped.cancel()
    await asyncio.wait([stopped])
    async with at_work(intake):
        await intake.store(second)
    assert [event for _, event in await desk.feed()] == ["c2.routing.1"]


async def test_a_transaction_takes_a_bounded_number_of_records(desk: Desk) -> None:
    for partition in range(PARTITIONS):
        desk.publish(*(closed(f"c{n}") for n in range(INTAKE_RECORDS_MAX)), partition=partition)
    news: list[News] = []
    intake = Intake(desk.database, desk.clock, news.append)
    batches = [await batch_of(desk, intake, partition) for partition in range(PARTITIONS)]
    waiting = [asyncio.create_task(intake.store(batch)) for batch in batches]
    async with at_work(intake):
        await asyncio.wait_for(asyncio.gather(*waiting), WAIT_SECONDS)
    assert len(news) == PARTITIONS
    assert len(await desk.feed()) == PARTITIONS * INTAKE_RECORDS_MAX


async def test_what_waited_for_contacts_together_is_not_brought_together(desk: Desk) -> None:
    desk.world.append(0, [desk.draft(closed(f"c{n}"), **{AFTER_HEADER: "1"}) for n in range(3 * READ_RECORDS_MAX)])
    joined: asyncio.Future[Group] = asyncio.get_running_loop().create_future()
    joined.set_result(LateGroup(desk))
    intake = Noting(desk)
    async with at_work(intake):
        reading = asyncio.create_task(PartitionReader(0, joined, intake).run())
        async with asyncio.timeout(WAIT_SECONDS), intake.brought:
            await intake.brought.wait_for(lambda: sum(intake.sizes) > 3 * READ_RECORDS_MAX)
        reading.cancel()
        await asyncio.wait([reading])
    assert max(intake.sizes) == READ_RECORDS_MAX


async def test_a_batch_that_many_subscribe_to_is_stored_whole(opened: Open) -> None:
    await opened.subscribe("s0", "https://nobody.invalid/")
    await opened.desk.database.pool.execute(
        "INSERT INTO notifier_subscriptions SELECT workspace, 's' || n, url, events, filter, secret, NULL, NULL, 1, 1"
        " FROM notifier_subscriptions, generate_series(1, 99) AS n"
    )
    events = DELIVERIES_PUT_MAX // 100 + 1
    opened.desk.publish(*(closed(f"c{n}") for n in range(events)))
    await opened.stored()
    stored = await opened.desk.database.pool.fetchval("SELECT count(*) FROM notifier_deliveries")
    assert stored == events * 100


async def test_nothing_is_delivered_for_a_workspace_that_was_deleted(opened: Open, receiver: Receiver) -> None:
    await opened.subscribe("ops", receiver.url, whose="other")
    await opened.desk.delete_workspace("other")
    opened.desk.publish(closed("c1", "other"))
    await opened.stored()
    assert await opened.desk.database.pool.fetchval("SELECT count(*) FROM notifier_deliveries") == 0


async def test_old_things_are_forgotten_and_young_ones_kept(opened: Open, receiver: Receiver) -> None:
    await opened.subscribe("ops", receiver.url)
    opened.desk.publish(closed("c1"))
    await opened.delivered(1)
    opened.desk.clock.move_to(opened.desk.clock.now() + FEED_KEPT_DAYS * DAY + SECOND)
    opened.desk.publish(closed("c2"))
    await opened.delivered(2)
    now = opened.desk.clock.now()
    await forget_before(opened.notifier.deliveries, opened.notifier.feed, now)
    assert [position for position, _ in await opened.desk.feed()] == [2]
    assert [one["position"] for one in await opened.deliveries()] == [2]
    assert DEAD_KEPT_DAYS > FEED_KEPT_DAYS


@pytest.mark.parametrize("event", [AgentPresenceChanged(key="default/main", at=1, agent_id="ann", status="available")])
async def test_what_is_about_no_contact_is_delivered_too(opened: Open, receiver: Receiver, event: Event) -> None:
    await opened.subscribe("ops", receiver.url, ["agent.*"], filter={"agent_id": "ann"})
    opened.desk.publish(event)
    assert (await receiver.taken(1))[0].data["agent_id"] == "ann"
