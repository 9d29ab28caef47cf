"""A partition has one writer, whose commits are whole; who was taken over can write nothing more (P13)."""

import asyncio
import contextlib

import pytest

from libs.common.events import COMMANDS, OUTCOMES, ROUTER_JOURNAL, ROUTER_STATE, ROUTING
from libs.common.log import Fenced, Log, Owner
from tests.contract.log.worlds import World, draft, drafts, entity, everything, read_to_ends, values


async def restored(owner: Owner) -> dict[str, str]:
    return {key: value.decode() async for key, value in owner.restore(ROUTER_STATE)}


async def test_a_commit_shows_outputs_state_outcomes_and_journal(log: Log) -> None:
    owner = await log.own("router", 1)
    batch = [draft("queued"), entity("contact|c1", "waiting"), draft("ok", topic=OUTCOMES)]
    await owner.commit([*batch, draft("inputs", topic=ROUTER_JOURNAL)])
    records = await everything(log, ROUTING, ROUTER_STATE, OUTCOMES, ROUTER_JOURNAL, partition=1)
    assert sorted(record.topic for record in records) == sorted([ROUTING, ROUTER_STATE, OUTCOMES, ROUTER_JOURNAL])
    assert values(records) == ["queued"]


async def test_commits_are_read_in_their_order(log: Log) -> None:
    owner = await log.own("router", 0)
    for batch in range(10):
        await owner.commit(drafts(f"{batch}.0", f"{batch}.1"))
    found = values(await everything(log, ROUTING))
    assert found == [f"{batch}.{number}" for batch in range(10) for number in range(2)]


async def test_an_owner_writes_to_its_partition_only(log: Log) -> None:
    owner = await log.own("router", 1)
    await owner.commit(drafts("a"))
    assert owner.partition == 1
    assert await log.ends([(ROUTING, 0)]) == {(ROUTING, 0): 0}


async def test_an_empty_commit_writes_nothing(log: Log) -> None:
    owner = await log.own("router", 0)
    await owner.commit([])
    assert await log.ends([(ROUTING, 0), (ROUTER_STATE, 0)]) == {(ROUTING, 0): 0, (ROUTER_STATE, 0): 0}
    await owner.commit(drafts("after"))
    assert values(await everything(log, ROUTING)) == ["after"]


async def test_a_commit_lies_below_the_ends_as_soon_as_it_is_answered(log: Log) -> None:
    owner = await log.own("router", 0)
    reader = await log.reader({(ROUTING, 0): 0})
    for batch in range(100):
        await owner.commit([draft(batch), entity("k", str(batch)), draft(batch, topic=OUTCOMES)])
        assert values(await read_to_ends(log, reader)) == [str(batch)]
    await reader.close()


async def test_nobody_ever_reads_half_a_commit(log: Log) -> None:
    """Whoever sees a batch's journal record finds all that the batch wrote, whenever they look."""
    owner = await log.own("router", 0)

    async def commit_all() -> None:
        for batch in range(30):
            await owner.commit([*drafts(*[batch] * 5), draft(batch, topic=ROUTER_JOURNAL)])

    committing = asyncio.create_task(commit_all())
    while not committing.done():
        journal = await log.reader({(ROUTER_JOURNAL, 0): 0})
        seen = values(await read_to_ends(log, journal), ROUTER_JOURNAL)
        await journal.close()
        found = values(await everything(log, ROUTING))
        assert all(found.count(batch) == 5 for batch in seen)
    await committing


async def test_services_own_the_same_partition_without_disturbing_each_other(log: Log) -> None:
    router, sla = await log.own("router", 0), await log.own("sla", 0)
    await router.commit(drafts("a"))
    await sla.commit(drafts("b"))
    await router.commit(drafts("c"))
    assert values(await everything(log, ROUTING)) == ["a", "b", "c"]


async def test_owners_commit_while_others_append(log: Log) -> None:
    owners = [await log.own("router", 0), await log.own("sla", 0)]
    writing = [owner.commit(drafts(f"{number}")) for number, owner in enumerate(owners)]
    await asyncio.gather(*writing, *(log.append(0, drafts("x", "y")) for _ in range(10)))
    assert sorted(values(await everything(log, ROUTING))) == ["0", "1", *["x"] * 10, *["y"] * 10]


async def test_who_was_taken_over_is_fenced_and_writes_nothing(world: World) -> None:
    predecessor_log, successor_log = await world.open_log(), await world.open_log()
    predecessor = await predecessor_log.own("router", 0)
    await predecessor.commit([draft("before"), entity("k", "1")])
    successor = await successor_log.own("router", 0)
    with pytest.raises(Fenced):
        await predecessor.commit([draft("too late"), entity("k", "2")])
    await successor.commit([draft("after"), entity("k", "3")])
    assert values(await everything(successor_log, ROUTING)) == ["before", "after"]
    assert values(await everything(successor_log, ROUTER_STATE), ROUTER_STATE) == ["1", "3"]


async def test_the_fenced_stay_fenced(log: Log) -> None:
    predecessor = await log.own("router", 0)
    await predecessor.commit(drafts("first"))
    await log.own("router", 0)
    for _ in range(3):
        with pytest.raises(Fenced):
            await predecessor.commit(drafts("too late"))
    await predecessor.close()
    assert values(await everything(log, ROUTING)) == ["first"]


async def test_one_who_never_committed_is_fenced_too(log: Log) -> None:
    predecessor = await log.own("router", 0)
    await log.own("router", 0)
    with pytest.raises(Fenced):
        await predecessor.commit(drafts("too late"))
    assert values(await everything(log, ROUTING)) == []


async def test_a_take_over_fences_that_partition_only(log: Log) -> None:
    other = await log.own("router", 1)
    await log.own("router", 0)
    await log.own("router", 0)
    await other.commit(drafts("mine"))
    assert values(await everything(log, ROUTING, partition=1)) == ["mine"]


async def test_a_race_of_commit_and_take_over_has_one_result(world: World) -> None:
    """Whatever a successor restores is all that its predecessor will ever have written."""
    predecessor_log, successor_log = await world.open_log(), await world.open_log()
    predecessor = await predecessor_log.own("router", 0)
    racing = asyncio.create_task(predecessor.commit([entity("k", "written"), draft("written")]))
    successor = await successor_log.own("router", 0)
    state = await restored(successor)
    await asyncio.wait({racing})
    written = values(await everything(successor_log, ROUTING))
    assert (state, written) in [({"k": "written"}, ["written"]), ({}, [])]
    assert (racing.exception() is None) <= (written == ["written"]), "a commit that succeeded is there"


async def test_a_cancelled_commit_is_whole_or_nothing(world: World) -> None:
    log = await world.open_log()
    owner = await log.own("router", 0)
    await owner.commit([entity("k", "old")])
    committing = asyncio.create_task(owner.commit([entity("k", "new"), *drafts(*range(5))]))
    await asyncio.wait({committing}, timeout=0.002)
    committing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await committing
    successor = await log.own("router", 0)
    found = values(await everything(log, ROUTING))
    state = await restored(successor)
    assert (state["k"], found) in [("new", ["0", "1", "2", "3", "4"]), ("old", [])]


async def test_an_owner_goes_on_after_a_cancelled_commit(log: Log) -> None:
    owner = await log.own("router", 0)
    committing = asyncio.create_task(owner.commit(drafts(*range(5))))
    await asyncio.wait({committing}, timeout=0.002)
    committing.cancel()
    await asyncio.wait({committing})
    await owner.commit(drafts("after"))
    found = values(await everything(log, ROUTING))
    assert found in (["0", "1", "2", "3", "4", "after"], ["after"])


async def test_restore_gives_the_last_value_of_every_key(log: Log) -> None:
    owner = await log.own("router", 0)
    for version in range(20):
        await owner.commit([entity(f"contact|c{number}", f"v{version}") for number in range(10)])
    successor = await log.own("router", 0)
    assert await restored(successor) == {f"contact|c{number}": "v19" for number in range(10)}


async def test_restore_leaves_out_what_is_gone(log: Log) -> None:
    owner = await log.own("router", 0)
    await owner.commit([entity("a", "1"), entity("b", "1"), entity("c", "1")])
    await owner.commit([entity("a", None), entity("b", None), entity("b", "again")])
    assert await restored(await log.own("router", 0)) == {"b": "again", "c": "1"}


async def test_restore_of_nothing_is_empty(log: Log) -> None:
    await (await log.own("router", 1)).commit([entity("of the other partition", "1")])
    assert await restored(await log.own("router", 0)) == {}


async def test_restore_gives_a_big_state_whole(log: Log) -> None:
    owner = await log.own("router", 0)
    expected = {f"contact|{number}": "x" * 500 + str(number) for number in range(5_000)}
    pairs = list(expected.items())
    for start in range(0, len(pairs), 500):
        await owner.commit([entity(key, value) for key, value in pairs[start : start + 500]])
    assert await restored(await log.own("router", 0)) == expected


async def test_the_successor_goes_on_from_the_positions_of_the_last_commit(world: World) -> None:
    """The loop of every worker: outputs and the position of what was read are one commit."""
    log = await world.open_log()
    await log.append(0, drafts(*range(10), topic=COMMANDS))
    for most in (4, 3, 10):
        await decide_some(log, most)
    assert values(await everything(log, ROUTING)) == [f"decided {number}" for number in range(10)]


async def decide_some(log: Log, most: int) -> None:
    """A worker's life: takes over, restores, decides at most that many, and is gone without a word."""
    owner = await log.own("router", 0)
    start = int((await restored(owner)).get("positions", "0"))
    reader = await log.reader({(COMMANDS, 0): start})
    records = await reader.read(max_records=most, wait_seconds=5)
    decided = [f"decided {value}" for value in values(records, COMMANDS)]
    position = reader.next_positions()[COMMANDS, 0]
    await owner.commit([*drafts(*decided), entity("positions", str(position))])
    await reader.close()
