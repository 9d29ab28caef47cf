"""The dead letters of a workspace: the latest of every partition, and what may be put back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from libs.common.auth import Caller
from libs.common.errors import Conflict, NotFound, Problem
from libs.common.events import COMMANDS, CONTACTS, DEAD_LETTERS, ROUTING, SECOND
from libs.common.events.codec import rfc3339
from libs.common.http import PageRequest, decode_cursor
from libs.common.log import Draft, Log
from libs.common.log.memory import MemoryWorld, open_memory_log
from services.console.dead_letters import PER_PARTITION_MAX, DeadLetter, list_dead_letters, retry_dead_letter

ADMIN = Caller(workspace="acme", role="admin", key_id="k", agent_id=None)
NOON = 1_790_000_000 * SECOND


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(3)


@pytest.fixture
async def log(world: MemoryWorld) -> AsyncIterator[Log]:
    async with open_memory_log(world) as log:
        yield log


async def die(
    log: Log, partition: int, at: int | None = None, topic: str = COMMANDS, key: str = "acme/main", times: int = 1
) -> None:
    headers = {"error": "decide raised ValueError", "topic": topic, "partition": str(partition), "offset": "7"}
    dated = {} if at is None else {"ce_time": rfc3339(NOON + at * SECOND)}
    letter = Draft(topic=DEAD_LETTERS, key=key, value=b"{}", headers=headers | dated | {"ce_type": "agent.put"})
    await log.append(partition, [letter] * times)


async def listed(log: Log, limit: int = 200) -> list[str]:
    """The ids, page by page."""
    found: list[DeadLetter] = []
    request = PageRequest(limit=limit)
    while True:
        page = await list_dead_letters(ADMIN, log, request)
        found += page.items
        if page.next_cursor is None:
            return [letter.id for letter in found]
        assert len(page.items) == limit
        request = PageRequest(limit=limit, after=decode_cursor(page.next_cursor))


@pytest.mark.parametrize("limit", [1, 2, 200])
async def test_the_newest_of_all_partitions_come_first(log: Log, limit: int) -> None:
    for partition, at in ((0, 1), (1, 2), (0, 3), (2, 4), (1, None), (0, 5)):
        await die(log, partition, at)
    await die(log, 1, 6, key="other/main")
    assert await listed(log, limit) == ["0-2", "2-0", "0-1", "1-1", "1-0", "0-0"]


async def test_what_is_put_back_and_dies_again_is_new(log: Log) -> None:
    for at in (1, 5, 2):
        await die(log, 0, at)
    await die(log, 1, 4)
    assert await listed(log) == ["0-2", "0-1", "1-0", "0-0"]


async def test_a_busy_partition_hides_no_other(log: Log) -> None:
    await die(log, 0, at=1, times=2 * PER_PARTITION_MAX)
    await die(log, 2, at=2)
    found = await listed(log)
    assert found[0] == "2-0"
    assert found[1:] == [f"0-{number}" for number in reversed(range(PER_PARTITION_MAX, 2 * PER_PARTITION_MAX))]


async def test_a_command_is_put_back_as_it_came(log: Log, world: MemoryWorld) -> None:
    await die(log, 1, at=1, times=3)
    await retry_dead_letter("1-1", ADMIN, log)
    [again] = world.records[COMMANDS, 1]
    assert (again.key, again.value) == ("acme/main", b"{}")
    assert again.headers == {"ce_type": "agent.put", "ce_time": rfc3339(NOON + SECOND)}


@pytest.mark.parametrize("topic", [CONTACTS, ROUTING, "omniroute.escalations.v1"])
async def test_what_others_read_too_is_not_put_back(log: Log, world: MemoryWorld, topic: str) -> None:
    await die(log, 0, topic=topic)
    with pytest.raises(Conflict) as refused:
        await retry_dead_letter("0-0", ADMIN, log)
    assert refused.value.code == "not_retryable"
    assert not world.records[topic, 0]


@pytest.mark.parametrize("letter_id", ["0-1", "0-0", "3-0", "x", "0-", "1-0"])
async def test_there_is_no_such_letter(log: Log, letter_id: str) -> None:
    await die(log, 0, key="other/main")
    with pytest.raises(Problem) as refused:
        await retry_dead_letter(letter_id, ADMIN, log)
    assert isinstance(refused.value, NotFound)
