"""The outbox and its relay: nothing lost, nothing taken twice, nothing out of order, whatever dies."""

import asyncio
from collections import Counter

from libs.common.events import CONTACTS
from libs.common.outbox import OUTBOX_HEADER, outbox_position
from libs.common.postgres import Database
from services.ingest.leader import Leadership
from services.ingest.outbox import Outbox
from tests.integration.ingest.house import House, body


def positions(house: House, partition: int) -> list[int]:
    return [int(record.headers[OUTBOX_HEADER]) for record in house.world.records[CONTACTS, partition]]


async def test_positions_ascend_without_gaps(house: House, database: Database) -> None:
    await house.put_account()
    await asyncio.gather(*(house.post(body(str(n), conversation=f"c{n % 7}")) for n in range(60)))
    await house.settled(facts=60)
    partition = await house.ingest.pools.partition("default", "main")
    assert positions(house, partition) == list(range(1, 61))
    assert await database.pool.fetchval("SELECT count(*) FROM ingest_outbox") == 0


async def test_a_crash_between_append_and_note_repeats_and_readers_drop_it(house: House) -> None:
    await house.put_account()
    house.log.forgetful = True
    await asyncio.gather(*(house.post(body(str(n), conversation="c")) for n in range(5)))
    await house.settled_on_log(5)
    house.log.forgetful = False
    await house.post(body("last", conversation="c"))
    facts = await house.settled(facts=6)
    assert [one.sequence for one in facts] == [1, 2, 3, 4, 5, 6]
    partition = await house.ingest.pools.partition("default", "main")
    assert max(Counter(positions(house, partition)).values()) > 1, "the records were appended again"


async def test_a_row_keeps_the_position_that_it_was_given_before_the_crash(house: House, database: Database) -> None:
    """A relay dies after numbering; a slower transaction with a smaller id commits; the next relay comes."""
    await house.put_account()
    partition = await house.ingest.pools.partition("default", "main")
    house.log.down = True
    relay = Outbox(database, house.log, Leadership(database, "another"))
    insert = "INSERT INTO ingest_outbox (id, partition, key, value, headers) VALUES ($1, $2, 'w/p', $3, '{}')"
    await database.pool.execute(insert, 1_010, partition, b"quick")
    died = await relay.take(partition, appended=0)
    await database.pool.execute(insert, 1_009, partition, b"slow")
    again = await relay.take(partition, appended=0)
    given = [(outbox_position(draft.headers), draft.value) for draft in again.drafts]
    assert [(outbox_position(draft.headers), draft.value) for draft in died.drafts] == [(1, b"quick")]
    assert given == [(1, b"quick"), (2, b"slow")]
    assert (await relay.take(partition, appended=again.last)).drafts == ()
    house.log.down = False


async def test_what_is_not_committed_is_not_relayed_and_holds_nobody_up(house: House, database: Database) -> None:
    await house.put_account()
    partition = await house.ingest.pools.partition("default", "main")
    headers = '{"ce_type": "none"}'
    insert = "INSERT INTO ingest_outbox (partition, key, value, headers) VALUES ($1, 'w/p', '', $2)"
    async with database.transaction() as slow:
        await slow.execute(insert, partition, headers)
        await house.post(body("1"))
        await house.settled_on_log(1)
    await house.settled_on_log(2)
    assert positions(house, partition) == [1, 2]


async def test_two_relays_lose_nothing_and_readers_see_each_once(house: House, database: Database) -> None:
    """Even if both believe that they lead."""
    await house.put_account()
    partition = await house.ingest.pools.partition("default", "main")
    second = Outbox(database, house.log, Leadership(database, "another"))

    async def post(n: int) -> None:
        await house.post(body(str(n), conversation=f"c{n % 3}"))
        await second.drain(partition)

    await asyncio.gather(*(post(n) for n in range(40)))
    facts = await house.settled(facts=40)
    expected: Counter[str] = Counter()
    for one in facts:
        expected[one.event.subject] += 1
        assert one.sequence == expected[one.event.subject]
    assert expected.total() == 40


async def test_another_process_takes_over_the_lead(database: Database) -> None:
    first, second = Leadership(database, "it"), Leadership(database, "it")
    async with second.running():
        async with first.running(), asyncio.timeout(10):
            leads = [asyncio.create_task(one.leading()) for one in (first, second)]
            done, waiting = await asyncio.wait(leads, return_when=asyncio.FIRST_COMPLETED)
            assert (len(done), len(waiting)) == (1, 1)
        for task in waiting:
            task.cancel()
        async with asyncio.timeout(10):
            await second.leading()
