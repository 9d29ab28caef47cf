"""Membership: which partitions are ours, their inputs, and giving them back."""

import asyncio

from libs.common.events import COMMANDS, CONTACTS, ROUTING
from libs.common.log import Log
from tests.contract.log.worlds import PATIENCE_SECONDS, Member, World, draft, drafts, read, values


async def test_the_only_member_gets_every_partition_at_once(log: Log) -> None:
    member = Member()
    group = await member.join(log, COMMANDS, CONTACTS)
    await member.holds(0, 1)
    assert member.told == [("assigned", frozenset({0, 1}))]
    await group.leave()


async def test_a_member_reads_its_inputs_from_the_positions_it_names(log: Log) -> None:
    positions = await log.append(0, drafts(*range(5), topic=COMMANDS))
    await log.append(0, drafts("c", topic=CONTACTS))
    await log.append(1, drafts("elsewhere", topic=COMMANDS))
    member = Member()
    group = await member.join(log, COMMANDS, CONTACTS)
    await member.holds(0, 1)
    reader = group.reader(0, {COMMANDS: positions[3]})
    records = await read(reader, 3)
    assert (values(records, COMMANDS), values(records, CONTACTS)) == (["3", "4"], ["c"])
    await group.leave()


async def test_a_members_reader_goes_on_with_what_is_appended(log: Log) -> None:
    member = Member()
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    reader = group.reader(1, {})
    for number in range(5):
        await log.append(1, drafts(number, topic=COMMANDS))
        assert values(await read(reader, 1), COMMANDS) == [str(number)]
    await group.leave()


async def test_a_members_waiting_reader_is_woken(log: Log) -> None:
    member = Member()
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    waiting = asyncio.create_task(group.reader(0, {}).read(max_records=10, wait_seconds=3_600))
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done, "there was nothing to read"
    await log.append(0, drafts("news", topic=COMMANDS))
    async with asyncio.timeout(5):
        assert values(await waiting, COMMANDS) == ["news"]
    await group.leave()


async def test_a_members_reader_comes_to_the_ends(log: Log) -> None:
    owner = await log.own("router", 0)
    await owner.commit(drafts("a", topic=COMMANDS))
    ends = await log.ends([(COMMANDS, 0)])
    member = Member()
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    reader = group.reader(0, {})
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(reader.next_positions()[place] < end for place, end in ends.items()):
            await reader.read(max_records=10, wait_seconds=1)
    await group.leave()


async def test_a_later_reader_begins_anew_where_it_is_told(log: Log) -> None:
    await log.append(0, drafts(*range(5), topic=COMMANDS))
    member = Member()
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    first = group.reader(0, {})
    assert len(await read(first, 5)) == 5
    await first.close()
    again = group.reader(0, {COMMANDS: 2})
    assert values(await read(again, 3), COMMANDS) == ["2", "3", "4"]
    await group.leave()


async def test_much_input_arrives_whole_through_small_reads(log: Log) -> None:
    """More than a member's buffer holds, for two partitions of which one isn't read at first."""
    numbers = [f"{number:0200}" for number in range(12_000)]
    for start in range(0, len(numbers), 500):
        batch = drafts(*numbers[start : start + 500], topic=COMMANDS)
        await asyncio.gather(log.append(0, batch), log.append(1, batch))
    member = Member()
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    readers = [group.reader(partition, {}) for partition in (0, 1)]
    for reader in readers:
        found: list[str] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found) < len(numbers):
                found += values(await reader.read(max_records=300, wait_seconds=5), COMMANDS)
        assert found == numbers
    await group.leave()


async def test_whoever_leaves_is_told_and_a_next_member_goes_on(world: World) -> None:
    first_log, second_log = await world.open_log(), await world.open_log()
    first, second = Member(), Member()
    group = await first.join(first_log, COMMANDS)
    await first.holds(0, 1)
    await group.leave()
    assert first.told[-1] == ("revoked", frozenset({0, 1}))
    next_group = await second.join(second_log, COMMANDS)
    await second.holds(0, 1)
    await next_group.leave()


async def test_leaving_twice_is_leaving_once(log: Log) -> None:
    member = Member()
    group = await member.join(log, COMMANDS)
    await member.holds(0, 1)
    await group.leave()
    await group.leave()
    assert [what for what, _ in member.told] == ["assigned", "revoked"]


async def test_services_have_groups_of_their_own(log: Log) -> None:
    router, sla = Member(), Member()
    groups = [await router.join(log, COMMANDS), await sla.join(log, COMMANDS, service="sla")]
    await router.holds(0, 1)
    await sla.holds(0, 1)
    await log.append(0, [draft("for both", topic=COMMANDS)])
    for group in groups:
        assert values(await read(group.reader(0, {}), 1), COMMANDS) == ["for both"]
        await group.leave()


async def test_a_report_never_fails_its_caller(log: Log) -> None:
    member = Member()
    group = await member.join(log, COMMANDS, ROUTING)
    await member.holds(0, 1)
    await group.report(0, {COMMANDS: 3})
    await group.report(1, {})
    await group.leave()
    await group.report(0, {COMMANDS: 4})
