"""A queue is drained: 500 with a commit, everybody who waits, and nobody twice."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import DeleteQueue, DrainQueue, SetPriority
from libs.common.events.values import Match
from tests.simulation.router.builders import START, accept, agent, make, need, opened, queue
from tests.simulation.router.driver import PoolDriver

OTHER = queue("other", match=Match(tier="gold"))
DRAIN = make(DrainQueue, queue_id="everyone", to_queue="other")


def waiting(count: int) -> PoolDriver:
    pool = PoolDriver(queue(), OTHER)
    pool.receive(*(opened(f"con_{number:04d}") for number in range(count)))
    return pool


def moved(pool: PoolDriver) -> list[str]:
    return [one.contact_id for one in pool.events("contact.transferred")]


@pytest.mark.parametrize(("rule", "fields", "status", "code"), [
    ("a queue goes to another",      {"queue_id": "everyone", "to_queue": "other"},    200, "ok"),
    ("not to itself",                {"queue_id": "other", "to_queue": "other"},       422, "invalid"),
    ("not to nowhere",               {"queue_id": "everyone", "to_queue": "nowhere"},  422, "unknown_queue"),
    ("not from nowhere",             {"queue_id": "nowhere", "to_queue": "other"},     404, "not_found"),
])  # fmt: skip
def test_requests(rule: str, fields: dict[str, Any], status: int, code: str) -> None:
    outcome = waiting(0).run(make(DrainQueue, **fields))
    assert (outcome.status, outcome.code) == (status, code), rule


def test_five_hundred_go_with_each_step() -> None:
    pool = waiting(1_001)
    outcome = pool.run(DRAIN)
    assert (outcome.state["waiting"], moved(pool)) == (1_001, [])
    steps = [[one.type for one in pool.advance(0.1)] for _ in range(4)]
    assert [step.count("contact.transferred") for step in steps] == [500, 500, 1, 0]
    assert moved(pool) == sorted(moved(pool)) == [f"con_{number:04d}" for number in range(1_001)]
    assert {one.rules.queue for one in pool.floor.contacts.values()} == {"other"}
    assert {one.waiting_since for one in pool.events("contact.queued")} == {START}


def test_what_has_an_agent_or_an_offer_stays() -> None:
    pool = PoolDriver(queue(), OTHER, agent("ann", units=40))
    pool.receive(opened(), accept("con_1.offer.1"), opened("con_2"), opened("con_3"), DRAIN)
    pool.advance(1)
    assert moved(pool) == ["con_3"]
    assert (pool.contact("con_1").rules.queue, pool.contact("con_2").rules.queue) == ("everyone", "everyone")


def test_who_comes_meanwhile_is_moved_too_and_who_comes_later_is_not() -> None:
    pool = waiting(500)
    pool.receive(DRAIN, opened("con_meanwhile"))
    pool.advance(1)
    pool.receive(opened("con_later"))
    pool.advance(1)
    assert moved(pool)[-1] == "con_meanwhile"
    assert pool.contact("con_later").rules.queue == "everyone"


def test_what_moves_is_placed_by_its_new_rules() -> None:
    pool = PoolDriver(queue(requirement=need("tax")), OTHER, agent("ann"))
    pool.receive(opened(), DRAIN)
    assert pool.contact().unroutable == "no_agent"
    pool.advance(0.1)
    assert pool.contact().offer_agent == "ann"


def test_a_deleted_queue_can_be_emptied() -> None:
    pool = PoolDriver(queue("old"), OTHER)
    pool.receive(opened(), make(DeleteQueue, queue_id="old"))
    assert pool.run(make(DrainQueue, queue_id="old", to_queue="other")).status == 200
    pool.advance(0.1)
    assert pool.contact().rules.queue == "other"


def test_it_stops_when_its_goal_is_deleted() -> None:
    pool = waiting(501)
    pool.receive(DRAIN)
    pool.advance(0.1)
    pool.receive(make(DeleteQueue, queue_id="other"))
    pool.advance(10)
    assert len(moved(pool)) == 500
    assert pool.floor.queues["everyone"].drain_to is None


def test_a_restore_in_between_moves_the_same() -> None:
    pools = [waiting(1_200), waiting(1_200)]
    for pool in pools:
        pool.receive(DRAIN)
        pool.advance(0.1)
        pool.receive(opened("con_0003.late"), make(SetPriority, contact_id="con_0900", boost=100))
    pools[1].restore(reversed(list(pools[1].stored)))
    for pool in pools:
        pool.advance(60)
    assert moved(pools[0]) == moved(pools[1])
    assert pools[0].floor.queues["everyone"].drain_at == 0


def test_the_next_step_waits_for_its_time() -> None:
    pool = waiting(501)
    pool.receive(DRAIN)
    pool.advance(0.1)
    assert pool.core.next_due(pool.state) == START + SECOND // 5
