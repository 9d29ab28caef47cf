"""The auditor at work: it follows the log from now on, and counts what breaks."""

from __future__ import annotations

import asyncio

from libs.common.clock import VirtualClock
from libs.common.events import CONTACTS, ESCALATIONS, ROUTER_JOURNAL, ROUTING, SECOND, SLA_JOURNAL
from libs.common.log import Draft, Log, Record
from libs.common.log.memory import MemoryWorld, open_memory_log
from services.auditor.__main__ import SILENCE_SECONDS, Watch, running
from services.auditor.checker import WATCHED
from services.auditor.facts import UNQUEUED_SECONDS_MAX
from services.auditor.ladder import OVERDUE_AFTER_SECONDS
from tests.unit.auditor.story import START, true_history

DEADLINE_SECONDS = 10


def without(records: list[Record], kind: str) -> list[Record]:
    return [record for record in records if record.headers.get("ce_type") != kind]


async def append(log: Log, records: list[Record]) -> None:
    for one in records:
        await log.append(0, [Draft(topic=one.topic, key=one.key, value=one.value, headers=one.headers)])


async def checked(log: Log, watch: Watch) -> None:
    """Until everything that is on the log now was checked."""
    ends = await log.ends([(topic, 0) for topic in WATCHED])
    async with asyncio.timeout(DEADLINE_SECONDS):
        while any(watch.next_positions()[place] < end for place, end in ends.items()):  # noqa: ASYNC110 - it tells so
            await asyncio.sleep(0)


async def watched(records: list[Record], seconds_later: int = 0) -> int:
    """How many promises the auditor says are broken."""
    clock = VirtualClock(START + seconds_later * SECOND)
    async with open_memory_log(MemoryWorld(1)) as log, running(log, clock) as watch:
        await append(log, records)
        await checked(log, watch)
        return watch.broken


async def test_it_is_silent_of_what_is_true() -> None:
    assert await watched(true_history()) == 0


async def test_it_counts_what_is_not() -> None:
    assert await watched(without(true_history(), "offer.expired")) > 0


async def test_a_router_that_says_nothing_any_more_is_noticed_by_the_clock() -> None:
    history = true_history()
    offered = next(n for n, one in enumerate(history) if one.headers.get("ce_type") == "contact.offered")
    last = next(n for n, one in enumerate(history) if n > offered and one.topic.endswith("router.journal"))
    silent = [one for one in history[: last + 1] if one.topic != ROUTING or one in history[: offered + 1]]
    assert await watched(silent, seconds_later=SILENCE_SECONDS) == 0
    assert await watched(silent, seconds_later=SILENCE_SECONDS + 60) == 1


async def later(records: list[Record], seconds: int) -> int:
    """How many promises are broken when everything but the last record was read, and then so much time has passed."""
    clock = VirtualClock(START - SECOND)
    async with open_memory_log(MemoryWorld(1)) as log, running(log, clock) as watch:
        await append(log, records[:-1])
        await checked(log, watch)
        clock.move_to(START + seconds * SECOND)
        await append(log, records[-1:])
        await checked(log, watch)
        return watch.broken


async def test_who_is_never_queued_is_noticed_by_the_clock() -> None:
    history = [one for one in true_history() if one.topic in (CONTACTS, ROUTER_JOURNAL)]
    assert await later(history, SILENCE_SECONDS + UNQUEUED_SECONDS_MAX) == 0
    assert await later(history, SILENCE_SECONDS + UNQUEUED_SECONDS_MAX + 60) == 3


async def test_a_ladder_that_nobody_climbs_any_more_is_noticed_by_the_clock() -> None:
    history = true_history()
    started = next(n for n, one in enumerate(history) if one.headers.get("ce_type") == "clock.started")
    last = next(n for n, one in enumerate(history) if n > started and one.topic == SLA_JOURNAL)
    silent = [one for one in history[: last + 1] if one.topic in (ESCALATIONS, SLA_JOURNAL)]
    assert await later(silent, SILENCE_SECONDS + OVERDUE_AFTER_SECONDS) == 0
    assert await later(silent, SILENCE_SECONDS + OVERDUE_AFTER_SECONDS + 60) == 1


async def test_it_begins_in_the_middle_without_an_alarm() -> None:
    history = true_history()
    for beginning in range(0, len(history), 7):
        assert await watched(history[beginning:]) == 0, beginning
