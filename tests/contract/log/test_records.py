"""What is appended is read: in order, once, whole, by everyone who asks."""

import asyncio

from libs.common.events import CONTACTS, ROUTER_STATE, ROUTING
from libs.common.log import Draft, Log
from tests.contract.log.worlds import (
    PATIENCE_SECONDS,
    World,
    draft,
    drafts,
    entity,
    everything,
    read,
    read_to_ends,
    values,
)


async def test_records_are_read_in_the_order_of_their_appends(log: Log) -> None:
    for number in range(20):
        await log.append(0, [draft(number)])
    assert values(await everything(log, ROUTING)) == [str(number) for number in range(20)]


async def test_an_append_tells_the_positions_at_which_its_records_are_read(log: Log) -> None:
    await log.append(0, drafts("before"))
    positions = await log.append(0, drafts("a", "b", "c"))
    records = await everything(log, ROUTING)
    assert [record.position for record in records[1:]] == positions
    assert positions == [positions[0], positions[0] + 1, positions[0] + 2]


async def test_a_partition_has_only_its_own_records(log: Log) -> None:
    await log.append(0, drafts("zero"))
    await log.append(1, drafts("one"))
    records = await everything(log, ROUTING, partition=1)
    assert values(records) == ["one"]
    assert [(record.topic, record.partition) for record in records] == [(ROUTING, 1)]


async def test_positions_start_at_zero_and_have_no_gaps(log: Log, world: World) -> None:
    owner = await log.own("router", 0)
    for number in range(3):
        await owner.commit(drafts(number))
        await log.append(0, drafts("appended"))
    positions = [record.position for record in await everything(log, ROUTING)]
    assert positions == sorted(set(positions))
    assert positions[0] == 0
    assert positions == list(range(6)) or not world.gap_free


async def test_concurrent_appends_interleave_as_wholes(log: Log) -> None:
    calls = [[f"{call}.{number}" for number in range(7)] for call in range(40)]
    await asyncio.gather(*(log.append(0, drafts(*call)) for call in calls))
    found = values(await everything(log, ROUTING))
    assert sorted(found[start : start + 7] for start in range(0, len(found), 7)) == sorted(calls)


async def test_appends_of_one_caller_without_waiting_keep_their_order(log: Log) -> None:
    tasks = [asyncio.create_task(log.append(0, [draft(number)])) for number in range(50)]
    positions = await asyncio.gather(*tasks)
    assert values(await everything(log, ROUTING)) == [str(number) for number in range(50)]
    assert positions == sorted(positions)


async def test_an_append_to_several_topics_tells_each_position(log: Log) -> None:
    await log.append(0, [draft("x", topic=CONTACTS)])
    mixed = [draft("a"), draft("b", topic=CONTACTS), draft("c")]
    assert await log.append(0, mixed) == [0, 1, 1]


async def test_an_empty_append_writes_nothing(log: Log) -> None:
    assert await log.append(0, []) == []
    assert (await log.ends([(ROUTING, 0)]))[ROUTING, 0] == 0


async def test_key_value_and_headers_come_back_as_they_were(log: Log) -> None:
    headers = {"ce_type": "contact.queued", "ce_source": "/omniroute/acme/città", "empty": ""}
    await log.append(0, [Draft(topic=ROUTING, key="acme/città", value=b"\x00\xff{}", headers=headers)])
    [record] = await everything(log, ROUTING)
    assert (record.key, record.value, record.headers) == ("acme/città", b"\x00\xff{}", headers)


async def test_an_empty_value_is_no_tombstone(log: Log) -> None:
    empty, gone = entity("a", ""), entity("b", None)
    await log.append(0, [empty, gone])
    assert [record.value for record in await everything(log, ROUTER_STATE)] == [b"", None]


async def test_a_big_record_arrives_whole(log: Log) -> None:
    value = bytes(range(256)) * 8 * 1024  # 2 MiB
    await log.append(0, [draft("small"), Draft(topic=ROUTING, key="acme/main", value=value), draft("after")])
    records = await everything(log, ROUTING)
    assert [record.value for record in records] == [b"small", value, b"after"]


async def test_a_reader_gets_every_record_once_however_little_it_takes(log: Log) -> None:
    await log.append(0, drafts(*range(25)))
    reader = await log.reader({(ROUTING, 0): 0})
    found: list[str] = []
    while len(found) < 25:
        records = await reader.read(max_records=4, wait_seconds=PATIENCE_SECONDS)
        assert 1 <= len(records) <= 4
        found += values(records)
    assert found == [str(number) for number in range(25)]
    await reader.close()


async def test_a_reader_begins_where_it_is_told(log: Log) -> None:
    positions = await log.append(0, drafts(*range(6)))
    await log.append(1, drafts(*range(6)))
    reader = await log.reader({(ROUTING, 0): positions[4], (ROUTING, 1): positions[5]})
    records = await read_to_ends(log, reader)
    assert sorted(values(records)) == ["4", "5", "5"]
    await reader.close()


async def test_a_readers_positions_say_where_another_goes_on(log: Log) -> None:
    await log.append(0, drafts(*range(10)))
    first = await log.reader({(ROUTING, 0): 0})
    taken = values(await first.read(max_records=3, wait_seconds=PATIENCE_SECONDS))
    second = await log.reader(first.next_positions())
    taken += values(await read(second, 10 - len(taken)))
    assert taken == [str(number) for number in range(10)]
    await first.close()
    await second.close()


async def test_a_reader_that_read_everything_stands_at_the_ends(log: Log) -> None:
    """Also past what a transaction leaves behind its records: whoever reads up to an end must come to it."""
    places = [(ROUTING, 0), (ROUTER_STATE, 0), (CONTACTS, 0)]
    owner = await log.own("router", 0)
    await owner.commit([draft("a"), entity("k", "v")])
    reader = await log.reader(dict.fromkeys(places, 0))
    assert len(await read_to_ends(log, reader)) == 2
    assert reader.next_positions() == await log.ends(places)
    await reader.close()


async def test_a_busy_place_starves_no_other(log: Log) -> None:
    await log.append(0, drafts(*range(100), topic=CONTACTS))
    await log.append(0, drafts("quiet"))
    reader = await log.reader({(CONTACTS, 0): 0, (ROUTING, 0): 0})
    async with asyncio.timeout(PATIENCE_SECONDS):
        taken = [await reader.read(max_records=10, wait_seconds=5) for _ in range(10)]
    assert "quiet" in [value for records in taken for value in values(records)]
    await reader.close()


async def test_a_waiting_reader_is_woken_by_an_append(log: Log) -> None:
    reader = await log.reader({(ROUTING, 0): 0, (ROUTING, 1): 0})
    waiting = asyncio.create_task(reader.read(max_records=10, wait_seconds=3_600))
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done, "there was nothing to read"
    await log.append(1, drafts("news"))
    async with asyncio.timeout(5):
        assert values(await waiting) == ["news"]
    await reader.close()


async def test_a_waiting_reader_is_woken_by_a_commit(log: Log) -> None:
    owner = await log.own("router", 0)
    reader = await log.reader({(ROUTING, 0): 0})
    waiting = asyncio.create_task(reader.read(max_records=10, wait_seconds=3_600))
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done, "there was nothing to read"
    await owner.commit(drafts("news"))
    async with asyncio.timeout(5):
        assert values(await waiting) == ["news"]
    await reader.close()


async def test_a_reader_that_waits_in_vain_gets_nothing(log: Log) -> None:
    reader = await log.reader({(ROUTING, 0): 0})
    assert await reader.read(max_records=10, wait_seconds=0.05) == []
    assert await reader.read(max_records=10, wait_seconds=0) == []
    await reader.close()


async def test_every_handle_reads_what_another_wrote(world: World) -> None:
    writer, other = await world.open_log(), await world.open_log()
    await writer.append(0, drafts("a", "b"))
    assert values(await everything(other, ROUTING)) == ["a", "b"]


async def test_ends_are_observed_now(log: Log) -> None:
    places = [(ROUTING, 0), (ROUTING, 1)]
    assert await log.ends(places) == {(ROUTING, 0): 0, (ROUTING, 1): 0}
    await log.append(1, drafts("a", "b"))
    assert await log.ends(places) == {(ROUTING, 0): 0, (ROUTING, 1): 2}
