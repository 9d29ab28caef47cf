"""What Prometheus sees, what is forgotten, and that SQL counts a queue as the core does."""

import asyncio
import random

import pytest
from prometheus_client import REGISTRY

from libs.common.clock import VirtualClock
from libs.common.events import SECOND
from libs.common.events.routing import AgentPresenceChanged, ContactAssigned, OfferDeclined
from libs.common.log.memory import MemoryWorld
from libs.common.postgres import Database
from services.router.__main__ import Running
from services.router.core.explain import explain
from services.router.core.partition import Partition
from services.router.core.state import Contact, Rules
from services.router.stats import HISTORY_DAYS
from tests.integration.router.records import AT, KEY, agent, closed, contact, decision, gone, positions, queued, state

DEADLINE_SECONDS = 10


async def commit(world: MemoryWorld, router: Running, *drafts: object, batch: int = 1) -> None:
    world.append(0, [*drafts, positions(batch)])  # type: ignore[list-item]
    async with asyncio.timeout(DEADLINE_SECONDS):
        await router.projection.reached("router", 0, batch)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"omniroute_{name}", labels) or 0.0


def assigned(channel: str, waited_seconds: float) -> ContactAssigned:
    return ContactAssigned(
        key=KEY, at=AT, contact_id="con_1", agent_id="ann", queue="social", channel=channel, medium="async",
        units=20, waited_seconds=waited_seconds,
    )  # fmt: skip


async def test_decisions_are_counted_once(world: MemoryWorld, router: Running) -> None:
    declined = OfferDeclined(key=KEY, at=AT, contact_id="con_1", offer_id="con_1.offer.1", agent_id="ann")
    before = sample("offers_total", outcome="declined")
    await commit(world, router, decision(queued(), 1), decision(declined, 2), decision(assigned("telegram", 7), 3))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await router.projection.rebuild()
    assert sample("offers_total", outcome="declined") - before == 1
    assert sample("assignments_total", channel="telegram") == 1
    assert sample("contact_wait_seconds_bucket", channel="telegram", le="5.0") == 0
    assert sample("contact_wait_seconds_bucket", channel="telegram", le="10.0") == 1


async def test_who_is_sent_away_is_counted(world: MemoryWorld, router: Running) -> None:
    before = sample("agents_sent_away_total")
    for number, reason in enumerate(("lunch", "missed_offers"), start=1):
        left = AgentPresenceChanged(key=KEY, at=AT, agent_id="ann", status="away", reason=reason)
        await commit(world, router, decision(left, number), batch=number)
    assert sample("agents_sent_away_total") - before == 1


async def test_gauges_show_who_waits_and_who_works(
    world: MemoryWorld, router: Running, clock: VirtualClock
) -> None:
    await commit(
        world, router,
        state("agent", agent(status="available")), state("agent", agent("bob")),
        state("contact", contact("con_1", unroutable="nobody_answers")),
        state("contact", contact("con_2", state="assigned", agent_id="ann", units=30)),
    )  # fmt: skip
    clock.move_to(AT + 60 * SECOND)
    await router.shell.stats.draw_gauges()
    assert sample("contacts_waiting", queue="social", channel="x") == 1
    assert sample("contacts_unroutable", queue="social", reason="nobody_answers") == 1
    assert sample("oldest_wait_seconds", queue="social") == 60
    assert (sample("agents", state="available"), sample("agents", state="offline")) == (1, 1)
    assert sample("agent_capacity_used_ratio") == 0.25


async def test_what_ended_long_ago_is_forgotten(
    world: MemoryWorld, router: Running, database: Database, clock: VirtualClock
) -> None:
    await commit(world, router, decision(queued(), 1), decision(closed(), 2), gone("contact", "con_1"))
    await commit(world, router, state("contact", contact("con_2")), batch=2)
    clock.move_to(AT + HISTORY_DAYS * 86_400 * SECOND + 2)
    await router.shell.stats.purge()
    rows = await database.pool.fetch("SELECT id FROM router_entities WHERE kind = 'contact'")
    assert [row["id"] for row in rows] == ["con_2"]
    assert await database.pool.fetchval("SELECT count(*) FROM router_events") == 0


def drawn(chance: random.Random, number: int) -> Contact:
    return contact(
        f"con_{number}",
        rules=Rules(queue="social"),
        waiting_since=AT - chance.randrange(0, 3_600, 60) * SECOND,
        target_seconds=chance.choice([60, 900, 14_400]),
        boost=chance.choice([0, 50, 250]),
        terms=(0, 0, 0, 0, 0),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_sql_counts_who_is_ahead_as_the_core_does(world: MemoryWorld, router: Running, seed: int) -> None:
    chance = random.Random(seed)
    waiting = [drawn(chance, number) for number in range(60)]
    partition = Partition(0)
    partition.load(f"agent|{KEY}|ann", agent())
    for one in waiting:
        partition.load(f"contact|{KEY}|{one.id}", one)
    partition.loaded()
    floor = partition.floor(KEY)
    await commit(world, router, *(state("contact", one) for one in waiting))
    counted = [await router.shell.reads.ahead("acme", one, AT) for one in waiting]
    assert counted == [explain(floor, one, AT).ahead for one in waiting], f"seed {seed}"
