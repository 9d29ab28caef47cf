"""Pools, policies, queues, agents, targets: what may be put, what is refused, and what it changes."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.commands import (
    DeleteAgent,
    DeletePool,
    DeleteQueue,
    DeleteTarget,
    PutAgent,
    PutPolicy,
    PutPool,
    PutTarget,
)
from libs.common.events.escalations import TargetUpdated
from libs.common.events.values import Capacity, Match, Requirement, SkillNeed
from tests.simulation.router.builders import agent, close, make, opened, put_queue, queue, relax, target
from tests.simulation.router.driver import PoolDriver

TOO_HIGH = Requirement(all=(SkillNeed(skill="billing", level=6),))


@pytest.mark.parametrize(("rule", "command", "code"), [
    ("a level above 5",             make(PutAgent, agent_id="a", skills={"billing": 6}),                   "invalid"),
    ("no units",                    make(PutAgent, agent_id="a", skills={}, capacity=Capacity(units=0)),   "invalid"),
    ("free work",                   make(PutAgent, agent_id="a", skills={}, capacity=Capacity(cost={"live": 0})),
     "invalid"),
    ("a negative maximum",          make(PutAgent, agent_id="a", skills={}, capacity=Capacity(max={"live": -1})),
     "invalid"),
    ("an offer without time",       put_queue("q", offer_seconds=0),                                       "invalid"),
    ("no offers",                   put_queue("q", offers_max=0),                                          "invalid"),
    ("a step before the one before", put_queue("q", relax=(relax(60), relax(-30))),                        "invalid"),
    ("a step of too high a level",  put_queue("q", requirement=TOO_HIGH),                                  "invalid"),
    ("a queue that matches a queue", put_queue("q", match=Match(queue="r")),                               "invalid"),
    ("an unknown weight",           make(PutPolicy, weights={"karma": 10}),                                "invalid"),
    ("a weight above the cap",      make(PutPolicy, weights={"reach": 251}),                               "invalid"),
    ("an optional one above it",    make(PutPolicy, weights={"velocity": 251}),                            "invalid"),
])  # fmt: skip
def test_refused_as_it_is(rule: str, command: Any, code: str) -> None:
    pool = PoolDriver()
    outcome = pool.run(command)
    assert (outcome.status, outcome.code) == (422, code), rule
    assert not pool.emitted


@pytest.mark.parametrize("command", [
    make(DeleteQueue, queue_id="q"), make(DeleteAgent, agent_id="a"), make(DeletePool),
])  # fmt: skip
def test_what_is_not_there_can_not_be_deleted(command: Any) -> None:
    assert PoolDriver().run(command).status == 404


def test_a_deleted_queue_takes_nothing_new_and_keeps_what_it_has() -> None:
    pool = PoolDriver(queue("mail", match=Match(channel="email")))
    pool.receive(opened("con_1"), make(DeleteQueue, queue_id="mail"), opened("con_2"))
    assert [one.queue for one in pool.events("contact.queued")] == ["mail", "everyone"]
    assert pool.contact("con_1").rules.queue == "mail"


def test_everyones_queue_stays() -> None:
    pool = PoolDriver(queue("everyone"))
    assert pool.run(make(DeleteQueue, queue_id="everyone")).code == "default_queue"


def test_every_put_is_a_new_version() -> None:
    pool = PoolDriver(queue("q"), queue("q", order=3), [make(DeleteQueue, queue_id="q")], queue("q"))
    assert [one.config_version for one in pool.events("queue.updated")] == [1, 2, 3, 4]
    assert [one.sequence for one in pool.emitted] == [1, 2, 3, 4]


def test_weights_that_are_absent_take_their_default() -> None:
    pool = PoolDriver()
    outcome = pool.run(make(PutPolicy, weights={"reach": 0, "velocity": 0}))
    assert outcome.state["weights"] == {"reach": 0, "sentiment": 50, "tier": 50, "strikes": 100}
    pool.receive(opened(channel="x", reach=10**6))
    queued = pool.events("contact.queued")[0]
    assert (queued.boost, queued.policy_version) == (0, 1)


def test_a_pool_with_work_or_agents_stays() -> None:
    pool = PoolDriver([make(PutPool)], agent("ann"))
    pool.receive(opened())
    assert pool.run(make(DeletePool)).code == "pool_in_use"
    pool.receive(close("con_1"), make(DeleteAgent, agent_id="ann"))
    assert pool.run(make(DeletePool)).status == 200
    assert [one.deleted for one in pool.events("pool.updated")] == [False, True]


def test_policy_and_pool_count_together() -> None:
    pool = PoolDriver([make(PutPool), make(PutPolicy, weights={}), make(PutPool)])
    assert [one.sequence for one in pool.emitted] == [1, 2, 3]


def test_a_target_that_is_gone_binds_nobody() -> None:
    pool = PoolDriver(target("fast", 60))
    assert "target|acme/*|fast" in pool.stored
    gone = make(TargetUpdated, key="acme/*", target_id="fast", target_version=2, deleted=True)
    pool.receive(opened("con_1"), gone, opened("con_2"))
    assert [one.target_seconds for one in pool.events("contact.queued")] == [60, 14_400]
    assert "target|acme/*|fast" not in pool.stored


def test_other_workspaces_targets_bind_nobody() -> None:
    pool = PoolDriver(target("fast", 60, key="other/*"))
    pool.receive(opened())
    assert pool.events("contact.queued")[0].target is None


@pytest.mark.parametrize("command", [
    make(PutTarget, target_id="t", metric="first_response", seconds=60), make(DeleteTarget, target_id="t"),
])  # fmt: skip
def test_the_sla_services_commands_are_left_to_it(command: Any) -> None:
    pool = PoolDriver()
    pool.receive(command)
    assert not pool.outcomes


def test_room_that_grows_is_filled() -> None:
    pool = PoolDriver(agent("ann", units=20))
    pool.receive(opened("con_1"), opened("con_2"))
    assert len(pool.offers()) == 1
    pool.receive(agent("ann", units=40)[0])
    assert pool.offers()[1:] == [("con_2", "ann")]
