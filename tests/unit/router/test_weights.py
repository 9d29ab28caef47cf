"""A pool's weights: who takes new ones when, and the terms that count only where a pool weighs them."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import ParkContact, PutPolicy, ResumeContact
from libs.common.events.contacts import ReachChanged
from libs.common.events.values import Reach
from services.router.core import explain, weights
from services.router.core.core import RouterCore
from services.router.core.limits import REWEIGHED_A_COMMIT
from tests.simulation.router.builders import accept, added, agent, decline, make, opened, queue
from tests.simulation.router.driver import PoolDriver

MILLION: dict[str, Any] = {"channel": "x", "reach": 10**6}
"""A post that a million can see: a boost of 130 by the usual weights."""


def put(**given: int) -> Any:
    return make(PutPolicy, weights=given)


def shared(pool: PoolDriver, count: int, contact_id: str = "con_1") -> list[Any]:
    """Its channel reports so many shares, now."""
    return pool.receive(make(ReachChanged, contact_id=contact_id, at=pool.now, reach=Reach(shares=count)))


def parked(pool: PoolDriver) -> None:
    pool.receive(make(ParkContact, contact_id="con_1"))


def assigned(pool: PoolDriver) -> None:
    pool.receive(*agent("ann", "public"), accept("con_1.offer.1"))


def on_offer(pool: PoolDriver) -> None:
    pool.receive(*agent("ann", "public"))


@pytest.mark.parametrize(("rule", "before", "boost", "version"), [
    ("who waits takes them at once",           lambda _: None, 40, 1),
    ("so does who is on offer",                on_offer,       40, 1),
    ("what is parked keeps what it had",       parked,        130, 0),
    ("and so does what an agent has",          assigned,      130, 0),
])  # fmt: skip
def test_new_weights(rule: str, before: Any, boost: int, version: int) -> None:
    pool = PoolDriver()
    pool.receive(opened(**MILLION))
    before(pool)
    pool.receive(put(reach=40))
    contact = pool.contact()
    assert (contact.boost, contact.policy_version) == (boost, version), rule
    assert explain.explain(pool.floor, contact, pool.now).policy_version == version, rule


def test_what_was_parked_takes_them_when_it_is_queued_again() -> None:
    pool = PoolDriver()
    pool.receive(opened(**MILLION), make(ParkContact, contact_id="con_1"), put(reach=40))
    pool.receive(make(ResumeContact, contact_id="con_1"))
    assert (pool.contact().boost, pool.contact().policy_version) == (40, 1)


def test_a_declined_offer_waits_by_the_new_weights() -> None:
    pool = PoolDriver(queue("everyone"))
    pool.receive(opened(**MILLION))
    on_offer(pool)
    pool.receive(put(reach=40), decline("con_1.offer.1"))
    assert (pool.contact().boost, pool.contact().policy_version) == (40, 1)


def test_only_a_boost_that_changes_is_published() -> None:
    pool = PoolDriver()
    pool.receive(opened("con_1", **MILLION), opened("con_2"))
    pool.receive(put(reach=40))
    changes = pool.events("contact.priority_changed")
    assert [(one.contact_id, one.reason, one.policy_version) for one in changes] == [("con_1", "policy_changed", 1)]
    assert pool.contact("con_2").policy_version == 1


def test_the_order_follows_the_new_weights() -> None:
    pool = PoolDriver(agent("ann", "public", units=20))
    pool.receive(opened("con_0", channel="x"), accept("con_0.offer.1"))
    pool.receive(opened("con_1", channel="x", at=pool.now), opened("con_2", **MILLION))
    pool.receive(put(reach=0))
    pool.receive(make(ParkContact, contact_id="con_0"))
    assert pool.offers()[-1] == ("con_1", "ann"), "as old, and of the lower id"


# -- many at once -----------------------------------------------------------------------------------------------


class Counting(RouterCore):
    """Counts what each decision about weights changes."""

    def __init__(self) -> None:
        self.chunks: list[int] = []

    def decide(self, state: Any, event: Any) -> Any:
        decided: tuple[Any, ...] = super().decide(state, event)
        if event.type == "timer.reweigh":
            *changes, applied = decided
            self.chunks.append(len(changes) + len(applied.unmoved))
        return decided


def test_many_take_them_a_bounded_number_at_once() -> None:
    core = Counting()
    pool = PoolDriver(core=core)
    pool.receive(*(opened(f"con_{n:05}", **MILLION) for n in range(2 * REWEIGHED_A_COMMIT + 5)))
    pool.receive(put(reach=40))
    assert core.chunks == [REWEIGHED_A_COMMIT, REWEIGHED_A_COMMIT, 5]
    assert {one.boost for one in pool.floor.contacts.values()} == {40}
    assert pool.floor.pool.reweigh_after is None


def begun(count: int) -> PoolDriver:
    """A pool whose first contacts have taken new weights, and whose others have not."""
    pool = PoolDriver()
    pool.receive(*(opened(f"con_{n:05}", **MILLION) for n in range(count)))
    pool._apply(pool.core.decide(pool.state, put(reach=40)))
    pool._apply(weights.reweighed(pool.floor, pool.now))
    pool._commit()
    return pool


def test_who_comes_meanwhile_is_scored_by_the_new_weights_and_the_rest_follow() -> None:
    pool = begun(REWEIGHED_A_COMMIT + 3)
    assert pool.contact("con_02002").policy_version == 0, "its turn hasn't come"
    pool.state.now = pool.now
    pool._apply(pool.core.decide(pool.state, opened("con_new", **MILLION)))
    assert (pool.contact("con_new").boost, pool.contact("con_new").policy_version) == (40, 1)
    pool.advance(1)
    assert {(one.boost, one.policy_version) for one in pool.floor.contacts.values()} == {(40, 1)}


def test_a_new_owner_goes_on_where_the_last_one_stopped() -> None:
    whole, restored = begun(REWEIGHED_A_COMMIT + 3), begun(REWEIGHED_A_COMMIT + 3)
    restored.restore()
    for pool in (whole, restored):
        pool.advance(1)
    assert whole.emitted == restored.emitted
    assert {one.policy_version for one in restored.floor.contacts.values()} == {1}


def test_weights_that_change_again_begin_anew() -> None:
    pool = begun(REWEIGHED_A_COMMIT + 3)
    pool.receive(put(reach=80))
    assert {(one.boost, one.policy_version) for one in pool.floor.contacts.values()} == {(80, 2)}


# -- velocity and urgency ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "reports", "velocity"), [
    ("the first report is measured against the opening", [(3_600, 400)],               300),
    ("the next against the one before",                  [(3_600, 400), (1_800, 900)], 1_000),
    ("what is sooner than five minutes counts as five",  [(1, 350)],                   3_000),
    ("and is no measure for the next",                   [(60, 200), (540, 350)],      1_500),
    ("fewer than before is none",                        [(3_600, 20)],                    0),
    ("a standstill is reported as one",                  [(600, 400), (3_600, 400)],       0),
])  # fmt: skip
def test_velocity(rule: str, reports: list[tuple[int, int]], velocity: int) -> None:
    pool = PoolDriver()
    pool.receive(opened(channel="x", reach=Reach(shares=60, reactions=40)))
    for seconds, count in reports:
        pool.now += seconds * SECOND
        shared(pool, count)
    assert pool.contact().velocity == velocity, rule


def test_velocity_moves_the_promise_only_where_it_weighs() -> None:
    pool = PoolDriver()
    pool.receive(opened(channel="x", reach=Reach(shares=1)))
    pool.now += 3_600 * SECOND
    shared(pool, 101)
    assert (pool.contact().velocity, pool.contact().boost) == (100, 0)
    assert not pool.events("contact.priority_changed")
    pool.receive(put(velocity=100))
    change = pool.events("contact.priority_changed")[-1]
    assert (change.boost, change.terms["velocity"], change.terms["urgency"]) == (50, 50, 0)
    shown = explain.explain(pool.floor, pool.contact(), pool.now)
    assert shown.terms["velocity"] == 0.05
    assert "because it is shared and liked 100 times an hour" in shown.text


def test_a_private_contact_has_no_velocity() -> None:
    pool = PoolDriver([put(velocity=100)])
    pool.receive(opened(reach=Reach(shares=1)))
    pool.now += 3_600 * SECOND
    shared(pool, 10_000)
    assert (pool.contact().velocity, pool.contact().boost) == (0, 0)


def test_a_later_message_changes_the_urgency() -> None:
    pool = PoolDriver([put(urgency=100)])
    pool.receive(opened(attributes={"urgency": 0.2}))
    assert pool.events("contact.queued")[0].terms["urgency"] == 20
    pool.receive(added(attributes={"urgency": 0.9}))
    assert (pool.contact().boost, pool.contact().urgency) == (90, 900)
    pool.receive(added(attributes={}))
    assert pool.contact().boost == 90, "what a message leaves open stays"


def test_terms_without_weight_are_no_part_of_an_event() -> None:
    pool = PoolDriver([put(reach=100, velocity=0)])
    pool.receive(opened(attributes={"urgency": 1}))
    assert list(pool.events("contact.queued")[0].terms) == ["reach", "sentiment", "tier", "strikes", "raised"]
