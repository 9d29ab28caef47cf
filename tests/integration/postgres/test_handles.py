"""What the log promises beyond the common suite: ticks, tails, and several handles on one database."""

import asyncio

import pytest

from libs.common.events import CONTACTS, ROUTER_STATE, ROUTING
from libs.common.log import Draft, Fenced
from libs.common.log.postgres import open_postgres_log
from libs.common.log.postgres_places import TAIL_BYTES_MAX, TAIL_RECORDS_MAX
from libs.common.postgres import open_database
from tests.contract.log.worlds import draft, drafts, entity, everything, read, values
from tests.integration.postgres.blocked import until_blocked
from tests.integration.postgres.cut import At, Cut


async def test_a_fenced_owner_disturbs_nobody_in_its_transaction(database_url: str) -> None:
    async with open_postgres_log(database_url, partitions=3) as log:
        owners = [await log.own("router", partition) for partition in range(3)]
        await log.own("router", 1)
        results = await asyncio.gather(
            *(owner.commit(drafts(owner.partition)) for owner in owners), return_exceptions=True
        )
        assert [type(result) for result in results] == [type(None), Fenced, type(None)]
        assert [values(await everything(log, ROUTING, partition=p)) for p in range(3)] == [["0"], [], ["2"]]


async def test_a_take_over_waits_for_a_commit_that_is_under_way(cut: Cut, database_url: str) -> None:
    """Or the successor would restore a state that its predecessor still changes."""
    async with (
        open_postgres_log(cut.url, partitions=1) as one,
        open_postgres_log(database_url, partitions=1) as other,
    ):
        predecessor = await one.own("router", 0)
        await predecessor.commit(drafts("first"))
        cut.at = At.HELD
        committing = asyncio.create_task(predecessor.commit([entity("k", "v")]))
        await cut.held.wait()
        taking_over = asyncio.create_task(other.own("router", 0))
        done, _ = await asyncio.wait({taking_over}, timeout=0.3)
        assert not done, "the commit holds its owner's row"
        cut.released.set()
        await committing
        successor = await taking_over
        assert [pair async for pair in successor.restore(ROUTER_STATE)] == [("k", b"v")]


async def test_all_that_waits_is_one_transaction(database_url: str) -> None:
    async with open_postgres_log(database_url, partitions=12) as log, open_database(database_url) as database:
        owners = [await log.own(service, p) for service in ("router", "sla") for p in range(12)]
        await asyncio.gather(*(owner.commit(drafts("a")) for owner in owners))
        transactions = await database.pool.fetch("SELECT DISTINCT xmin::text FROM log_records")
        assert len(transactions) <= 2, "the first may go alone"


async def test_two_handles_that_write_at_once_leave_no_gap(database_url: str) -> None:
    async with (
        open_postgres_log(database_url, partitions=2) as one,
        open_postgres_log(database_url, partitions=2) as other,
    ):
        calls = [log.append(p, drafts(n)) for n in range(100) for p in (0, 1) for log in (one, other)]
        await asyncio.gather(*calls)
        for partition in (0, 1):
            records = await everything(other, ROUTING, partition=partition)
            assert [record.position for record in records] == list(range(200))
            assert sorted(values(records)) == sorted(str(n) for n in [*range(100)] * 2)


async def test_a_waiting_reader_hears_of_another_handle(database_url: str) -> None:
    async with (
        open_postgres_log(database_url, partitions=1) as one,
        open_postgres_log(database_url, partitions=1) as other,
    ):
        reader = await one.reader({(ROUTING, 0): 0})
        for number in range(3):
            await other.append(0, drafts(f"other{number}"))
            await one.append(0, drafts(f"one{number}"))
        expected = [f"{who}{number}" for number in range(3) for who in ("other", "one")]
        assert values(await read(reader, 6)) == expected
        await other.append(0, drafts("last"))
        assert values(await read(reader, 1)) == ["last"]


async def test_a_reader_that_fell_behind_the_tail_misses_nothing(database_url: str) -> None:
    count = 3 * TAIL_RECORDS_MAX
    async with open_postgres_log(database_url, partitions=1) as log:
        reader = await log.reader({(ROUTING, 0): 0})
        for start in range(0, count, 100):
            await log.append(0, drafts(*range(start, start + 100)))
        assert values(await read(reader, count)) == [str(number) for number in range(count)]


async def test_the_tail_is_bounded_in_bytes_too(database_url: str) -> None:
    value = b"x" * (TAIL_BYTES_MAX // 3)
    async with open_postgres_log(database_url, partitions=1) as log:
        reader = await log.reader({(ROUTING, 0): 0})
        for _ in range(10):
            await log.append(0, [Draft(topic=ROUTING, key="k", value=value)])
        tail = log.places[ROUTING, 0]
        assert tail.end - tail.start <= 3
        assert [record.position for record in await read(reader, 10)] == list(range(10))


async def test_a_place_far_behind_leaves_room_for_the_others(database_url: str) -> None:
    async with open_postgres_log(database_url, partitions=1) as log:
        await log.append(0, drafts(*range(500), topic=CONTACTS))
        reader = await log.reader({(CONTACTS, 0): 0, (ROUTING, 0): 0})
        await log.append(0, drafts("news"))
        records = await reader.read(max_records=10, wait_seconds=1)
        assert values(records) == ["news"]
        assert values(records, CONTACTS) == ["0", "1", "2", "3", "4"]


async def test_ends_are_observed_for_those_who_wait_behind_one_who_gives_up(database_url: str) -> None:
    async with open_postgres_log(database_url, partitions=1) as log, open_database(database_url) as database:
        async with database.transaction() as connection:
            await connection.execute("LOCK TABLE log_places")
            first, second, third = (asyncio.create_task(log.ends([(ROUTING, 0)])) for _ in range(3))
            for asking in (first, second):
                await until_blocked(database)
                asking.cancel()
                await asyncio.wait({asking})
            await connection.execute("INSERT INTO log_places VALUES (1, $1, 0, 7)", ROUTING)
        assert await third == {(ROUTING, 0): 7}


async def test_namespaces_keep_logs_apart(database_url: str) -> None:
    async with (
        open_postgres_log(database_url, partitions=1, namespace="a.") as one,
        open_postgres_log(database_url, partitions=1, namespace="b.") as other,
    ):
        owner = await one.own("router", 0)
        await other.own("router", 0)
        await owner.commit(drafts("mine"))
        assert values(await everything(one, ROUTING)) == ["mine"]
        assert await everything(other, ROUTING) == []


@pytest.mark.parametrize("key", ["with\0zero", "x" * 1_001, "\ud800"])
async def test_what_cant_be_stored_is_refused_before_it_meets_others(database_url: str, key: str) -> None:
    async with open_postgres_log(database_url, partitions=1) as log:
        good = asyncio.create_task(log.append(0, drafts("good")))
        with pytest.raises(ValueError, match=r"key|surrogates"):
            await log.append(0, [Draft(topic=ROUTING, key=key, value=b"")])
        assert await good == [0]


async def test_a_partition_there_isnt_is_refused(database_url: str) -> None:
    async with open_postgres_log(database_url, partitions=2) as log:
        with pytest.raises(ValueError, match="no partition 2 of 2"):
            await log.append(2, [draft("a")])
