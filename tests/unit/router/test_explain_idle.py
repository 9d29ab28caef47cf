"""Why an agent is idle, and why a queue isn't moving."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import DrainQueue, TransferContact
from libs.common.events.values import Match
from services.router.core.explain_agent import AgentExplanation, explain_agent
from services.router.core.explain_queue import explain_queue
from tests.simulation.router.builders import (
    START,
    accept,
    agent,
    decline,
    make,
    need,
    opened,
    presence,
    queue,
)
from tests.simulation.router.driver import PoolDriver

BOB_HAS_WORK = [opened("con_9", "tax"), accept("con_9.offer.1", "bob")]


def ann(*events: Any, units: int = 40) -> PoolDriver:
    """Ann knows billing 2; Bob knows everything and has room for one."""
    pool = PoolDriver(queue(), agent("ann", "billing:2", units=units), agent("bob", "billing:5", "tax:5", units=20))
    pool.receive(*events)
    return pool


def explained(pool: PoolDriver, agent_id: str = "ann") -> AgentExplanation:
    return explain_agent(pool.floor, pool.floor.desks[agent_id], pool.now)


@pytest.mark.parametrize(("rule", "events", "text"), [
    ("nothing waits",             [],                                                   "nothing waits"),
    ("who is away gets nothing",  [presence("ann", "away", reason="lunch"), presence("bob", "away"), opened()],
     "away: lunch; 1 contact looked at: away: lunch (1)"),
    ("a skill is missing",        [*BOB_HAS_WORK, opened("con_1", "tax"), opened("con_2", "billing:3")],
     "2 contacts looked at: skill billing 2 < 3 (1), skill tax 0 < 1 (1)"),
    ("what most share is first",  [*BOB_HAS_WORK, opened("con_1", "tax"), opened("con_2", "tax"),
                                   opened("con_3", "billing:3")],
     "3 contacts looked at: skill tax 0 < 1 (2), skill billing 2 < 3 (1)"),
    ("the desk is full",          [presence("bob", "away"), opened(), accept("con_1.offer.1"), opened("con_2"),
                                   accept("con_2.offer.1"), opened("con_3")],
     "holds 2 contacts, 40/40 units; 1 contact looked at: at capacity 40/40 (1)"),
    ("it waits for another",      [*BOB_HAS_WORK, opened(),
                                   make(TransferContact, contact_id="con_1", agent_id=None, to_agent="bob")],
     "1 contact looked at: held for bob (1)"),
    ("it was declined",           [*BOB_HAS_WORK, opened(), decline("con_1.offer.1", "ann")],
     "1 contact looked at: was asked and did not take it (1)"),
])  # fmt: skip
def test_why_an_agent_is_idle(rule: str, events: list[Any], text: str) -> None:
    assert explained(ann(*events)).text == text, rule


def test_an_agents_desk_in_figures() -> None:
    pool = ann(presence("bob", "away"), opened(), accept("con_1.offer.1"), opened("con_2"), opened("con_3"))
    shown = explained(pool)
    assert [(one.contact_id, one.state, one.units) for one in shown.holds] == [
        ("con_1", "assigned", 20), ("con_2", "offered", 20),
    ]  # fmt: skip
    assert (shown.used_units, shown.units, shown.looked_at) == (40, 40, 1)
    assert shown.next_change_at == START + 86_400 * SECOND


def test_the_first_of_a_reason_is_the_most_urgent() -> None:
    pool = ann(*BOB_HAS_WORK, opened("con_1", "tax"), opened("con_2", "tax", channel="chat"))
    assert [(one.why, one.contacts, one.first) for one in explained(pool).reasons] == [
        ("skill tax 0 < 1", 2, "con_2"),
    ]  # fmt: skip


def test_it_is_told_in_the_words_of_the_contacts_own_explanation() -> None:
    from services.router.core.explain import candidates

    pool = ann(*BOB_HAS_WORK, opened("con_1", "tax"))
    whys = {one.agent: one.why for one in candidates(pool.floor, pool.contact())}
    assert explained(pool).reasons[0].why == whys["ann"]
    assert explained(pool, "bob").reasons[0].why == whys["bob"] == "at capacity 20/20"


# -- a queue ----------------------------------------------------------------------------------------------------

TAX = queue("tax", requirement=need("tax"), match=Match(tier="gold"))


def standing(*events: Any) -> PoolDriver:
    pool = PoolDriver(queue(), TAX, agent("ann"), agent("bob"), agent("cat", "tax"))
    pool.receive(presence("cat", "away", reason="lunch"), *events)
    return pool


@pytest.mark.parametrize(("rule", "events", "text"), [
    ("nobody waits",             [], "nothing waits"),
    ("what keeps each from it",  [opened(tier="gold")],
     "1 contact waits; first con_1: skill tax 0 < 1 (2), away: lunch (1)"),
    ("the most urgent is first", [opened(tier="gold"), opened("con_2", tier="gold", channel="chat")],
     "2 contacts wait; first con_2: skill tax 0 < 1 (2), away: lunch (1)"),
    ("others' contacts don't count", [opened(), opened("con_2", tier="gold")],
     "1 contact waits; first con_2: skill tax 0 < 1 (2), away: lunch (1)"),
    ("it is being drained",      [opened(tier="gold"), make(DrainQueue, queue_id="tax", to_queue="everyone")],
     "1 contact waits; first con_1: skill tax 0 < 1 (2), away: lunch (1); goes to everyone"),
])  # fmt: skip
def test_why_a_queue_is_not_moving(rule: str, events: list[Any], text: str) -> None:
    pool = standing(*events)
    assert explain_queue(pool.floor, pool.floor.queues["tax"], pool.now).text == text, rule


def test_a_pool_without_agents() -> None:
    pool = PoolDriver(queue())
    pool.receive(opened())
    shown = explain_queue(pool.floor, pool.floor.queues["everyone"], pool.now, waiting=1_234)
    assert shown.text == "1,234 contacts wait; first con_1: the pool has no agents"
    assert shown.first is not None
    assert shown.first.contact_id == "con_1"
