"""Records are filed under the storage's own day; old days go, the last value of every key stays."""

import asyncio
from datetime import UTC, datetime

import pytest

from libs.common.clock import VirtualClock
from libs.common.events import ROUTER_STATE, ROUTING
from libs.common.log.postgres import PostgresLog, open_postgres_log
from libs.common.postgres import open_database
from tests.contract.log.worlds import draft, drafts, entity, everything, read, values
from tests.integration.postgres.blocked import until_blocked

DAY = 86_400_000_000
NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


async def append_over_days(log: PostgresLog, clock: VirtualClock, days: int) -> None:
    """Record and entity N on day N, and another value of the entity `often` every day."""
    for day in range(days):
        clock.move_to(NOON + day * DAY)
        owner = await log.own("router", 0)
        await owner.commit([draft(day), entity(f"once{day}", str(day)), entity("often", str(day))])


async def test_a_program_that_runs_over_midnight_reads_on(database_url: str, clock: VirtualClock) -> None:
    async with open_postgres_log(database_url, partitions=1, clock=clock) as log:
        await append_over_days(log, clock, 5)
        assert values(await everything(log, ROUTING)) == ["0", "1", "2", "3", "4"]


async def test_a_program_that_slept_for_days_writes_on(database_url: str, clock: VirtualClock) -> None:
    async with open_postgres_log(database_url, partitions=1, clock=clock) as log:
        await log.append(0, drafts("before"))
        clock.move_to(NOON + 40 * DAY)
        await log.append(0, drafts("after"))
        assert values(await everything(log, ROUTING)) == ["before", "after"]


async def test_two_handles_make_the_days_at_once(database_url: str, clock: VirtualClock) -> None:
    async with (
        open_postgres_log(database_url, partitions=1, clock=clock) as one,
        open_postgres_log(database_url, partitions=1, clock=clock) as other,
    ):
        await append_over_days(one, clock, 3)
        await append_over_days(other, clock, 5)
        assert values(await everything(one, ROUTING)) == ["0", "1", "2", "0", "1", "2", "3", "4"]


async def test_old_days_go_and_positions_go_on(database_url: str, clock: VirtualClock) -> None:
    async with open_postgres_log(database_url, partitions=1, clock=clock) as log:
        await append_over_days(log, clock, 5)
        assert await log.retain(2) == ["log_records_20261122", "log_records_20261123"]
        assert await log.retain(2) == []
        left = [(record.position, record.value) for record in await everything(log, ROUTING)]
        assert left == [(2, b"2"), (3, b"3"), (4, b"4")]
        assert await log.append(0, drafts("next")) == [5]


async def test_each_day_goes_by_itself_and_holds_nobody_up(database_url: str, clock: VirtualClock) -> None:
    async with (
        open_postgres_log(database_url, partitions=1, clock=clock) as log,
        open_database(database_url) as database,
    ):
        await append_over_days(log, clock, 5)
        async with database.transaction() as connection:
            await connection.execute("LOCK TABLE log_records_20261123")
            retaining = asyncio.create_task(log.retain(2))
            await until_blocked(database)
            assert await database.pool.fetchval("SELECT to_regclass('log_records_20261122')") is None
            async with asyncio.timeout(3):
                assert await log.append(0, drafts("next")) == [5]
        assert await retaining == ["log_records_20261122", "log_records_20261123"]


async def test_a_reader_passes_over_what_is_gone(database_url: str, clock: VirtualClock) -> None:
    async with open_postgres_log(database_url, partitions=1, clock=clock) as log:
        await append_over_days(log, clock, 3)
        clock.move_to(NOON + 10 * DAY)
        await log.retain(1)
        assert await everything(log, ROUTING) == []
        reader = await log.reader({(ROUTING, 0): 1})
        await log.append(0, drafts("news"))
        assert values(await read(reader, 1)) == ["news"]


async def test_every_keys_last_value_outlives_its_day(database_url: str, clock: VirtualClock) -> None:
    """For whoever restores, and for whoever reads the topic from its start, in the order of the positions."""
    async with open_postgres_log(database_url, partitions=1, clock=clock) as log:
        await append_over_days(log, clock, 4)
        owner = await log.own("router", 0)
        await owner.commit([entity("once1", None)])
        clock.move_to(NOON + 10 * DAY)
        await log.retain(1)
        expected = {"once0": "0", "once2": "2", "once3": "3", "often": "3"}
        records = await everything(log, ROUTER_STATE)
        assert {record.key: (record.value or b"").decode() for record in records} == expected
        assert [record.position for record in records] == [0, 4, 6, 7]
        assert {key: value.decode() async for key, value in owner.restore(ROUTER_STATE)} == expected


async def test_the_log_drops_old_days_by_itself(database_url: str, clock: VirtualClock) -> None:
    async with open_postgres_log(database_url, partitions=1, clock=clock) as log:
        await append_over_days(log, clock, 3)
    clock.move_to(NOON + 10 * DAY)
    async with open_postgres_log(database_url, partitions=1, clock=clock, retain_days=1) as log:
        reader = await log.reader({(ROUTING, 0): 0})
        while await everything(log, ROUTING):
            await reader.read(max_records=1, wait_seconds=0.01)
