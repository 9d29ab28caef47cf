"""What an agent's preferred queues do: they decide among equals, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND, Event
from libs.common.events.commands import PutAgent
from libs.common.events.values import Capacity, Match
from tests.simulation.router.builders import START, agent, make, opened, presence, queue
from tests.simulation.router.driver import PoolDriver

CARE, SALES = queue("care", match=Match(channel="email")), queue("sales", match=Match(channel="whatsapp"))


def prefers(agent_id: str, *queues: str, skills: dict[str, int] | None = None, **capacity: Any) -> tuple[Event, ...]:
    put = make(
        PutAgent, agent_id=agent_id, skills=skills or {}, capacity=Capacity(**capacity), preferred_queues=queues
    )
    return put, presence(agent_id)


@pytest.mark.parametrize(("rule", "agents", "expected"), [
    ("among equals who prefers its queue",       [agent("ann"), prefers("bob", "care")],                     "bob"),
    ("another queue is no reason",               [agent("ann"), prefers("bob", "sales")],                    "ann"),
    ("one of several",                           [agent("ann"), prefers("bob", "sales", "care")],            "bob"),
    ("the versatile come after who prefers it",  [agent("ann"), prefers("bob", "care", skills={"vip": 5})],  "bob"),
    ("full is full",                             [agent("ann"), prefers("bob", "care", units=10)],           "ann"),
])  # fmt: skip
def test_which_agent(rule: str, agents: list[Any], expected: str) -> None:
    pool = PoolDriver(CARE, SALES, *agents)
    pool.receive(opened(channel="email"))
    assert pool.offers() == [("con_1", expected)], rule


def test_load_comes_before_preference() -> None:
    pool = PoolDriver(CARE, prefers("bob", "care"))
    pool.receive(opened("con_1", channel="email"), *agent("ann"), opened("con_2", channel="email"))
    assert pool.offers() == [("con_1", "bob"), ("con_2", "ann")]


@pytest.mark.parametrize(("rule", "ago", "first"), [
    ("equal scores: the preferred queue",      0,  "con_b"),
    ("a higher score goes before preference",  1,  "con_a"),
])  # fmt: skip
def test_which_contact(rule: str, ago: int, first: str) -> None:
    pool = PoolDriver(CARE, SALES, prefers("ann", "sales", units=20), [presence("ann", "away")])
    pool.receive(
        opened("con_a", channel="email", occurred_at=START - ago * SECOND), opened("con_b", channel="whatsapp")
    )
    pool.receive(presence("ann"))
    assert pool.offers() == [(first, "ann")], rule


def test_a_changed_preference_holds_from_then_on() -> None:
    pool = PoolDriver(CARE, agent("ann"), prefers("bob", "care"))
    pool.receive(prefers("bob")[0], prefers("ann", "care")[0])
    pool.restore()
    pool.receive(opened(channel="email"))
    assert pool.offers() == [("con_1", "ann")]


def test_twenty_at_most() -> None:
    queues = tuple(f"q{number}" for number in range(21))
    assert PoolDriver().run(prefers("ann", *queues)[0]).code == "invalid"
