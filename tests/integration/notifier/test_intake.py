"""Every public event is stored once and in order, whoever dies or is away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

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
from services.notifier.limits import DEAD_KEPT_DAYS, FEED_KEPT_DAYS
from tests.integration.notifier.desk import PARTITIONS, Desk, Open, closed, left
from tests.integration.notifier.receiver import Receiver
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


async def test_two_owners_of_a_partition_store_it_once(desk: Desk) -> None:
    """A hand-over: both have read the same records; the later one is sent back to the table."""
    desk.publish(closed("c1"), closed("c2"))
    first, second = (Intake(desk.database, desk.clock, ignore) for _ in range(2))
    before = await first.positions(0)
    assert before == await second.positions(0)
    records = tuple(desk.world.records[ROUTING, 0])
    batch = Batch(partition=0, records=records, before=before, after=before | {ROUTING: 2})
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(intake.run()) for intake in (first, second)]
        ended = await asyncio.gather(first.store(batch), second.store(batch), return_exceptions=True)
        for task in running:
            task.cancel()
    assert [isinstance(end, Moved) for end in ended].count(True) == 1
    assert [position for position, _ in await desk.feed()] == whole(2)


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
