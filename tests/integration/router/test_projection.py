"""The tables say what the log says: at once, once, and again after a rebuild."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client import REGISTRY

from libs.common.clock import VirtualClock
from libs.common.errors import NotFound
from libs.common.events.routing import OfferDeclined
from libs.common.log import Draft
from libs.common.log.memory import MemoryWorld
from libs.common.log.port import Log
from libs.common.postgres import Database
from services.router.__main__ import Running, running
from services.router.api_views import contact_view
from services.router.reads import Row
from tests.integration.router.records import (
    AT,
    KEY,
    agent,
    closed,
    contact,
    decision,
    gone,
    offered,
    positions,
    queued,
    state,
)

DEADLINE_SECONDS = 10


async def commit(world: MemoryWorld, router: Running, batch: int, drafts: Sequence[Draft], partition: int = 0) -> None:
    """What the machine's commit does, and what a caller then waits for."""
    world.append(partition, [*drafts, positions(batch)])
    async with asyncio.timeout(DEADLINE_SECONDS):
        await router.projection.reached("router", partition, batch)


async def contact_row(router: Running, id_: str = "con_1") -> Row:
    return await router.shell.reads.entity("acme", "contact", id_)


def declines() -> float:
    return REGISTRY.get_sample_value("omniroute_offers_total", {"outcome": "declined"}) or 0.0


async def everything(database: Database) -> list[list[tuple[Any, ...]]]:
    queries = (
        "SELECT workspace, kind, id, pool, state, queue, agent, ended::text FROM router_entities ORDER BY 1, 2, 3",
        "SELECT workspace, contact_id, sequence, id, type, doc::text FROM router_events ORDER BY 1, 2, 3",
    )
    return [[tuple(row) for row in await database.pool.fetch(query)] for query in queries]


async def test_a_commit_can_be_read_when_it_is_reached(world: MemoryWorld, router: Running) -> None:
    await commit(world, router, 1, [decision(queued(), 1), state("contact", contact())])
    row = await contact_row(router)
    assert (row.state, row.pool, row.partition) == ("waiting", "main", 0)
    assert [event[2] for event in await router.shell.reads.events("acme", "con_1", 0, 10)] == ["contact.queued"]


async def test_a_commit_is_not_reached_before_its_decisions_are_read(world: MemoryWorld, router: Running) -> None:
    """Chunks are bounded: the decisions of a large commit are read later than its state."""
    many = [decision(queued(), number) for number in range(1, 2_500)]
    await commit(world, router, 1, [*many, state("contact", contact())])
    assert len(await router.shell.reads.events("acme", "con_1", 0, 5_000)) == 2_499


async def test_every_process_tells_those_who_watch_it(
    world: MemoryWorld, router: Running, port: Log, database: Database, clock: VirtualClock
) -> None:
    """Whichever of two processes writes the tables first."""
    async with running(port, database, clock) as other:
        await commit(world, router, 1, [decision(queued(), 1)])
        await other.projection.reached("router", 0, 1)
        with router.shell.streams.watch("acme", "ann") as one, other.shell.streams.watch("acme", "ann") as two:
            for stream in (one, two):
                stream.look_again = False
            for number in range(2, 7):
                await commit(world, router, number, [decision(offered(f"con_{number}"), 1)])
            async with asyncio.timeout(DEADLINE_SECONDS):
                for stream in (one, two):
                    told: list[str] = []
                    while len(told) < 5:
                        told += [envelope.event.subject for envelope in await stream.next()]
                    assert told == [f"con_{number}" for number in range(2, 7)]


async def test_what_is_gone_is_not_found(world: MemoryWorld, router: Running) -> None:
    await commit(world, router, 1, [state("agent", agent())])
    await commit(world, router, 2, [gone("agent", "ann")])
    with pytest.raises(NotFound):
        await router.shell.reads.entity("acme", "agent", "ann")


async def test_what_was_deleted_is_not_found(world: MemoryWorld, router: Running) -> None:
    await commit(world, router, 1, [state("agent", agent(deleted=True))])
    with pytest.raises(NotFound):
        await router.shell.reads.entity("acme", "agent", "ann")


async def test_another_workspace_finds_nothing(world: MemoryWorld, router: Running) -> None:
    await commit(world, router, 1, [state("contact", contact())])
    with pytest.raises(NotFound):
        await router.shell.reads.entity("other", "contact", "con_1")


async def test_a_closed_contact_keeps_its_last_entity(world: MemoryWorld, router: Running) -> None:
    await commit(world, router, 1, [decision(queued(), 1), state("contact", contact(reach=700))])
    await commit(world, router, 2, [decision(closed(), 2), gone("contact", "con_1")])
    view = contact_view(await contact_row(router), AT)
    assert (view.state, view.resolution, view.agent, view.reach) == ("closed", "solved", "ann", 700)


async def test_a_closed_contact_is_told_from_its_events_when_its_entity_is_compacted_away(
    world: MemoryWorld, router: Running
) -> None:
    await commit(world, router, 1, [decision(queued(reach=700), 1), decision(offered(), 2), decision(closed(), 3)])
    view = contact_view(await contact_row(router), AT)
    assert (view.state, view.resolution, view.agent, view.reach) == ("closed", "solved", "ann", 700)


async def test_how_it_ended_stands_whatever_state_is_read_after_it(world: MemoryWorld, router: Running) -> None:
    """The topics are read side by side: the end may come before the entity's last change."""
    await commit(world, router, 1, [decision(queued(), 1), decision(closed(), 2)])
    await commit(world, router, 2, [state("contact", contact(state="assigned", agent_id="ann"))])
    assert (await contact_row(router)).state == "closed"


async def test_a_rebuild_ends_where_it_began(world: MemoryWorld, router: Running, database: Database) -> None:
    await commit(world, router, 1, [decision(queued(), 1), state("contact", contact()), state("agent", agent())])
    await commit(world, router, 2, [decision(closed(), 2), gone("contact", "con_1")])
    before = await everything(database)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await router.projection.rebuild()
    assert await everything(database) == before


async def test_two_processes_project_each_record_once(
    world: MemoryWorld, port: Log, database: Database, clock: VirtualClock, router: Running
) -> None:
    declined = OfferDeclined(key=KEY, at=AT, contact_id="con_1", offer_id="con_1.offer.1", agent_id="ann")
    before = declines()
    async with running(port, database, clock) as other, asyncio.timeout(DEADLINE_SECONDS):
        await commit(world, router, 1, [decision(queued(), 1), state("contact", contact())])
        await other.projection.reached("router", 0, 1)
        await commit(world, router, 2, [decision(declined, 2)])
        await other.projection.reached("router", 0, 2)
        assert await database.pool.fetchval("SELECT count(*) FROM router_events") == 2
        assert declines() - before == 1


async def test_a_new_process_goes_on_where_the_last_one_stopped(
    world: MemoryWorld, port: Log, database: Database, clock: VirtualClock
) -> None:
    async with running(port, database, clock) as first:
        await commit(world, first, 1, [state("contact", contact())])
    await database.pool.execute("UPDATE router_entities SET queue = 'touched'")
    async with running(port, database, clock) as second:
        await commit(world, second, 2, [state("agent", agent())])
        assert await database.pool.fetchval("SELECT queue FROM router_entities WHERE kind = 'contact'") == "touched"


async def test_what_cannot_be_read_stops_nothing(world: MemoryWorld, router: Running) -> None:
    unreadable = Draft(topic="omniroute.router.state", key="contact|acme/main|con_2", value=b"{")
    strange = Draft(topic="omniroute.routing.v1", key="acme/main", value=b"{", headers={"ce_type": "no.such"})
    await commit(world, router, 1, [unreadable, strange, state("contact", contact())])
    assert (await contact_row(router)).state == "waiting"
