"""A worker keeps its core running on every log: restored, taken over, fenced, and never stopped by a bad record."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from libs.common.clock import VirtualClock
from libs.common.events import CONTACTS, DEAD_LETTERS, ROUTER_JOURNAL, ROUTING, Event
from libs.common.events.routing import ContactParked
from libs.common.log import Aborted, Draft, Fenced, Log, LogError, Owner, Reader, Record
from libs.common.log.memory import MemoryLog, MemoryOwner, MemoryReader, MemoryWorld
from libs.common.log.port import Place
from libs.common.machine import AFTER_HEADER, JournalEntry, Step
from libs.common.replay import Missing, replay
from libs.common.worker import BATCH_CORE_SECONDS
from libs.common.workers import Workers
from tests.contract.log.worlds import World, everything, fact
from tests.unit.machine.counting import Counted, CountingCore
from tests.unit.machine.records import opened

COMMITS_WITHOUT_A_REST_MAX = 1_000


async def read(log: Log, topic: str, count: int) -> list[Record]:
    reader = await log.reader({(topic, 0): 0})
    records: list[Record] = []
    async with asyncio.timeout(20):
        while len(records) < count:
            records += await reader.read(max_records=100, wait_seconds=1)
    await reader.close()
    return records


async def pour(log: Log) -> None:
    for n in itertools.count():
        await log.append(0, [fact(opened(f"n{n}.{m}")) for m in range(5)])


async def until_closed(log: Log, contact_id: str) -> None:
    reader = await log.reader({(ROUTING, 0): 0})
    while ("contact.closed", contact_id, 3) not in told(await reader.read(max_records=1_000, wait_seconds=1)):
        pass
    await reader.close()


def told(records: list[Record]) -> list[tuple[str, str, int]]:
    values = [msgspec.json.decode(record.value or b"") for record in records]
    return [
        (record.headers["ce_type"], value["contact_id"], value["sequence"])
        for record, value in zip(records, values, strict=True)
    ]


async def test_inputs_become_decisions(world: World) -> None:
    log, clock = await world.open_log(), VirtualClock(100)
    async with Workers(CountingCore, log, clock):
        await log.append(0, [fact(opened("c1"))])
        assert told(await read(log, ROUTING, 2)) == [("contact.parked", "c1", 1), ("contact.parked", "c1", 2)]


async def test_a_successor_goes_on_where_the_first_one_was(world: World) -> None:
    log, clock = await world.open_log(), VirtualClock(100)
    async with Workers(CountingCore, log, clock):
        await log.append(0, [fact(opened("c1"))])
        await read(log, ROUTING, 2)
    await log.append(0, [fact(opened("c2"))])
    async with Workers(CountingCore, await world.open_log(), clock):
        clock.move_to(105)
        assert [contact for _, contact, _ in told(await read(log, ROUTING, 4))] == ["c1", "c1", "c2", "c2"]


async def test_a_timer_fires_when_the_clock_gets_there(world: World) -> None:
    log, clock = await world.open_log(), VirtualClock(100)
    async with Workers(CountingCore, log, clock):
        await log.append(0, [fact(opened("c1"))])
        await read(log, ROUTING, 2)
        clock.move_to(110)
        assert told(await read(log, ROUTING, 3))[-1] == ("contact.closed", "c1", 3)


class SlowCore(CountingCore):
    """Takes a whole batch's time for every contact that opens."""

    def decide(self, state: Counted, event: Event) -> tuple[Event, ...]:
        begun = time.thread_time()
        while event.type == "contact.opened" and time.thread_time() - begun < BATCH_CORE_SECONDS:
            pass
        return super().decide(state, event)


async def test_a_timer_fires_although_inputs_never_end(world: World) -> None:
    """More comes all the time than a batch can take: what is due waits only for what was there when it fell due."""
    log, clock = await world.open_log(), VirtualClock(100)
    async with Workers(SlowCore, log, clock):
        await log.append(0, [fact(opened("c"))])
        await read(log, ROUTING, 2)
        pouring = asyncio.create_task(pour(log))
        await read(log, ROUTING, 20)
        clock.move_to(110)
        async with asyncio.timeout(20):
            await until_closed(log, "c")
        pouring.cancel()


class LaboriousLog(MemoryLog):
    """Gives one record a read, and commits when it is let."""

    def __init__(self) -> None:
        super().__init__(MemoryWorld(1))
        self.may_commit, self.committing, self.asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.may_commit.set()

    def read_from(self, start: Mapping[Place, int]) -> Reader:
        return LaboriousReader(self._world, start)

    async def stable_ends(self, places: Sequence[Place]) -> dict[Place, int]:
        self.asked.set()
        return await super().stable_ends(places)

    async def own(self, service: str, partition: int) -> Owner:
        return LaboriousOwner(self, self._world, service, partition)


class LaboriousReader(MemoryReader):
    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        return await super().read(max_records=1, wait_seconds=wait_seconds)


class LaboriousOwner(MemoryOwner):
    def __init__(self, log: LaboriousLog, world: MemoryWorld, service: str, partition: int) -> None:
        super().__init__(world, service, partition)
        self.log = log

    async def commit(self, drafts: Sequence[Draft]) -> None:
        self.log.committing.set()
        await self.log.may_commit.wait()
        await super().commit(drafts)


async def test_what_lies_before_a_due_timer_is_one_commit_with_it() -> None:
    log, clock = LaboriousLog(), VirtualClock(100)
    async with Workers(CountingCore, log, clock):
        await log.append(0, [fact(opened("c"))])
        await read(log, ROUTING, 2)
        clock.move_to(110)
        await log.append(0, [fact(opened(f"n{n}")) for n in range(5)])
        await until_closed(log, "c")
    journal = await everything(log, ROUTER_JOURNAL)
    entries = [msgspec.json.decode(one.value or b"", type=JournalEntry) for one in journal]
    [fired] = [entry for entry in entries if any(step.timers for step in entry.steps)]
    assert Step(topic=CONTACTS, start=1, end=6) in fired.steps


async def test_what_is_before_a_timer_is_asked_while_the_commit_before_is_under_way() -> None:
    log, clock = LaboriousLog(), VirtualClock(100)
    log.may_commit.clear()
    async with Workers(CountingCore, log, clock), asyncio.timeout(20):
        await log.append(0, [fact(opened("c"))])
        await log.committing.wait()
        log.asked.clear()
        clock.move_to(110)
        try:
            await log.asked.wait()
        finally:
            log.may_commit.set()
        await until_closed(log, "c")


async def test_a_decision_ahead_of_its_contacts_stops_nothing_but_the_timers_after_it() -> None:
    log, clock = MemoryLog(MemoryWorld(1)), VirtualClock(100)
    early = fact(ContactParked(key="acme/main", at=100, contact_id="c", reason="of contacts that are yet to come"))
    async with Workers(CountingCore, log, clock):
        await log.append(0, [fact(opened("c"))])
        await read(log, ROUTING, 2)
        await log.append(0, [msgspec.structs.replace(early, headers=early.headers | {AFTER_HEADER: "1000"})])
        clock.move_to(110)
        await read(log, ROUTING, 3)
        await log.append(0, [fact(opened("later"))])
        assert told(await read(log, ROUTING, 5))[-1] == ("contact.parked", "later", 2)


async def test_timers_that_fell_due_while_nobody_watched_wait_for_the_grace(world: World) -> None:
    log, clock = await world.open_log(), VirtualClock(100)
    async with Workers(CountingCore, log, clock):
        await log.append(0, [fact(opened("c1"))])
        await read(log, ROUTING, 2)
    clock.move_to(200)
    async with Workers(CountingCore, log, clock, grace_seconds=10):
        await log.append(0, [fact(opened("c2"))])
        await read(log, ROUTING, 4)
        clock.move_to(200 + 10_000_000)
        closed = await read(log, ROUTING, 6)
    assert [(kind, contact) for kind, contact, _ in told(closed)[4:]] == [
        ("contact.closed", "c1"),
        ("contact.closed", "c2"),
    ]


async def test_the_second_owner_fences_the_first_and_nothing_is_doubled(world: World) -> None:
    log, other, clock = await world.open_log(), await world.open_log(), VirtualClock(100)
    async with Workers(CountingCore, log, clock), Workers(CountingCore, other, clock):
        await log.append(0, [fact(opened(f"c{n}")) for n in range(50)])
        records = await read(log, ROUTING, 100)
    assert sorted(told(records)) == sorted(("contact.parked", f"c{n}", s) for n in range(50) for s in (1, 2))


class FailingLog(MemoryLog):
    """Every commit fails in the same breath, and has a cause."""

    def __init__(self, failure: type[LogError]) -> None:
        super().__init__(MemoryWorld(1))
        self.failure = failure
        self.commits = 0
        self.failed = asyncio.Event()

    async def own(self, service: str, partition: int) -> Owner:
        return FailingOwner(self, self._world, service, partition)


class FailingOwner(MemoryOwner):
    def __init__(self, log: FailingLog, world: MemoryWorld, service: str, partition: int) -> None:
        super().__init__(world, service, partition)
        self.log = log

    async def commit(self, drafts: Sequence[Draft]) -> None:
        self.log.commits += 1
        self.log.failed.set()
        if self.log.commits > COMMITS_WITHOUT_A_REST_MAX:
            await asyncio.sleep(0)  # So that a test can fail which would hang.
        raise self.log.failure("no") from ConnectionResetError("mario.rossi@example.com")


async def first_failure(log: FailingLog) -> None:
    await log.append(0, [fact(opened("c1"))])
    async with asyncio.timeout(20):
        await log.failed.wait()


async def test_a_commit_that_is_refused_at_once_is_not_repeated_without_a_rest() -> None:
    log = FailingLog(Aborted)
    async with Workers(CountingCore, log, VirtualClock(100)):
        await first_failure(log)
        assert log.commits == 1, "the others have their turn first"


@pytest.mark.parametrize(
    ("failure", "event"), [(LogError, "log_unavailable"), (Fenced, "fenced"), (Aborted, "commit_aborted")]
)
async def test_the_cause_of_trouble_is_told(failure: type[LogError], event: str) -> None:
    log = FailingLog(failure)
    with capture_logs() as lines:
        async with Workers(CountingCore, log, VirtualClock(100)):
            await first_failure(log)
    told_of = {"event": event, "service": "router", "partition": 0, "error": "ConnectionResetError"}
    assert told_of.items() <= lines[0].items()


async def test_a_failing_evolve_is_a_dead_letter_after_three_strikes(world: World) -> None:
    log, clock = await world.open_log(), VirtualClock(100)

    def core() -> Any:
        return CountingCore(evolve_fails_for="c1")

    async with Workers(core, log, clock):
        await log.append(0, [fact(opened("c0")), fact(opened("c1")), fact(opened("c2"))])
        dead = await read(log, DEAD_LETTERS, 1)
        assert [contact for _, contact, _ in told(await read(log, ROUTING, 4))] == ["c0", "c0", "c2", "c2"]
    assert [(record.headers["topic"], record.headers["offset"]) for record in dead] == [(CONTACTS, "1")]


async def test_a_timer_whose_evolve_fails_is_a_dead_letter_after_three_strikes(world: World) -> None:
    log, clock = await world.open_log(), VirtualClock(100)

    def core() -> CountingCore:
        return CountingCore(closing_fails_for="c1")

    async with Workers(core, log, clock):
        await log.append(0, [fact(opened(f"c{n}")) for n in range(3)])
        await read(log, ROUTING, 6)
        clock.move_to(110)
        assert [record.headers["offset"] for record in await read(log, DEAD_LETTERS, 1)] == ["-1"]
        closed = told(await read(log, ROUTING, 8))[6:]
    assert [(kind, contact) for kind, contact, _ in closed] == [("contact.closed", "c0"), ("contact.closed", "c2")]
    again = [commit async for commit in replay(log, CountingCore(), 0, [])]
    assert all(commit.identical for commit in again)


async def test_the_journal_replays_to_the_same_bytes(world: World) -> None:
    log, clock = await world.open_log(), VirtualClock(100)
    async with Workers(CountingCore, log, clock):
        for n in range(30):
            await log.append(0, [fact(opened(f"c{n}"))])
            clock.move_to(100 + n // 4)
        await read(log, ROUTING, 60)
        clock.move_to(1_000)
        recorded = await read(log, ROUTING, 90)
    again = [commit async for commit in replay(log, CountingCore(), 0, [])]
    assert all(commit.identical for commit in again)
    assert [one.value for commit in again for one in commit.drafts] == [record.value for record in recorded]


@pytest.mark.parametrize(("rule", "entry"), [
    ("the first commits of the journal", JournalEntry(batch=2, at=1, version="", steps=[], decisions=0, digest="")),
    ("the inputs of a commit", JournalEntry(
        batch=1, at=1, version="", steps=[Step(topic=CONTACTS, start=0, end=3)], decisions=0, digest="")),
])  # fmt: skip
async def test_a_replay_says_what_is_no_longer_there(world: World, rule: str, entry: JournalEntry) -> None:
    log = await world.open_log()
    await log.append(0, [fact(opened("c1")), Draft(topic=ROUTER_JOURNAL, key="0", value=msgspec.json.encode(entry))])
    with pytest.raises(Missing):
        [commit async for commit in replay(log, CountingCore(), 0, [])]
