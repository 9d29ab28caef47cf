"""What an agent can hold: units and maxima, the reserve for what wakes, and what a changed capacity does."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND, Event
from libs.common.events.commands import CloseContact, ParkContact, PutAgent, ResumeContact
from libs.common.events.values import Capacity
from tests.simulation.router.builders import START, accept, added, agent, close, make, opened, presence
from tests.simulation.router.driver import PoolDriver

CALLS_INTERRUPT = {"async": ("voice",)}


def park(contact_id: str, **fields: Any) -> Event:
    event: Event = make(ParkContact, contact_id=contact_id, **fields)
    return event


def ann_with(held: int, parked: int, **capacity: Any) -> PoolDriver:
    """Ann holds letters con_held0 … and has parked con_parked0 …"""
    pool = PoolDriver(agent("ann", "public", **(capacity | {"wake_up_reserve": 0})))
    for name in [*(f"con_parked{n}" for n in range(parked)), *(f"con_held{n}" for n in range(held))]:
        pool.receive(opened(name), accept(f"{name}.offer.1"))
        if "parked" in name:
            pool.receive(park(name))
    pool.receive(make(PutAgent, agent_id="ann", skills={"public": 1}, capacity=Capacity(**capacity)))
    return pool


# -- the wake-up reserve --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "capacity", "held", "parked", "arrives", "state"), [
    ("new work leaves the reserve free",             {"wake_up_reserve": 40}, 4, 1, "email", "waiting"),
    ("and takes what is beyond it",                  {"wake_up_reserve": 40}, 3, 1, "email", "offered"),
    ("nothing parked, nothing reserved",             {"wake_up_reserve": 40}, 4, 0, "email", "offered"),
    ("without a reserve there is none",              {},                      4, 1, "email", "offered"),
    ("a call has no use for half a reserve",         {"wake_up_reserve": 20}, 0, 1, "voice", "waiting"),
    ("what could pause it needs leave it no room",
     {"wake_up_reserve": 20, "interrupted_by": CALLS_INTERRUPT},              0, 1, "voice", "offered"),
])  # fmt: skip
def test_the_reserve(rule: str, capacity: Any, held: int, parked: int, arrives: str, state: str) -> None:
    pool = ann_with(held, parked, **capacity)
    pool.receive(opened("con_new", channel=arrives))
    assert pool.contact("con_new").state == state, rule


def test_the_reserve_is_for_what_wakes() -> None:
    pool = ann_with(4, 2, wake_up_reserve=40)
    pool.receive(added("con_parked0"), make(ResumeContact, contact_id="con_parked1"))
    assert [pool.contact(f"con_parked{n}").agent_id for n in range(2)] == ["ann", "ann"]
    assert pool.floor.desks["ann"].used == 120


@pytest.mark.parametrize(("rule", "event"), [
    ("it was closed",          make(CloseContact, contact_id="con_parked0")),
    ("it woke and is held",    make(ResumeContact, contact_id="con_parked0")),
])  # fmt: skip
def test_the_reserve_ends_with_the_last_that_is_parked(rule: str, event: Event) -> None:
    pool = ann_with(3, 1, wake_up_reserve=60)
    pool.receive(opened("con_new"))
    assert pool.contact("con_new").state == "waiting"
    pool.receive(event)
    assert pool.contact("con_new").state == "offered", rule


def test_a_mass_wake_up_overloads_nobody() -> None:
    """Twelve letters of two agents wake at once while only Ann is there, and again when Bob comes."""
    pool = PoolDriver(*(agent(name, "public", units=60, wake_up_reserve=20) for name in ("ann", "bob")))
    for number in range(12):
        pool.receive(opened(f"con_{number:02}"))
        offer = pool.events("contact.offered")[-1]
        pool.receive(accept(offer.offer_id), park(offer.contact_id, until=START + 3_600 * SECOND))
        pool.advance(1)
    pool.receive(presence("bob", "away"))
    pool.advance(3_600)
    assert holdings(pool) == {"ann": 60, "bob": 0}
    pool.receive(presence("bob"))
    assert holdings(pool) == {"ann": 60, "bob": 60}, "each their share"
    states = [contact.state for contact in pool.floor.contacts.values()]
    assert (states.count("assigned") + states.count("offered"), states.count("waiting")) == (6, 6)


def holdings(pool: PoolDriver) -> dict[str, int]:
    return {name: desk.used for name, desk in sorted(pool.floor.desks.items())}


# -- a capacity that changes ----------------------------------------------------------------------------------------


def test_a_lowered_capacity_revokes_nothing_and_takes_nothing_new() -> None:
    pool = ann_with(3, 0)
    pool.receive(opened("con_offered"))
    pool.receive(make(PutAgent, agent_id="ann", skills={}, capacity=Capacity(units=40)))
    pool.receive(accept("con_offered.offer.1", "ann"), opened("con_new"))
    assert pool.outcomes[-1].status == 200, "an offer that was made stands"
    assert (pool.floor.desks["ann"].used, pool.contact("con_new").state) == (80, "waiting")
    pool.receive(close("con_held0"), close("con_held1"))
    assert pool.contact("con_new").state == "waiting"
    pool.receive(close("con_held2"))
    assert pool.contact("con_new").state == "offered"


def test_who_is_above_a_lowered_capacity_is_not_interrupted() -> None:
    rules: dict[str, Any] = {"interrupted_by": CALLS_INTERRUPT}
    pool = ann_with(3, 0, **rules)
    pool.receive(make(PutAgent, agent_id="ann", skills={}, capacity=Capacity(units=40, cost={"voice": 40}, **rules)))
    pool.receive(opened("con_call", channel="voice"))
    assert pool.contact("con_call").state == "waiting"


def test_a_raised_capacity_lets_paused_work_go_on() -> None:
    pool = ann_with(1, 0, interrupted_by=CALLS_INTERRUPT)
    pool.receive(opened("con_call", channel="voice"), accept("con_call.offer.1"))
    assert pool.contact("con_held0").paused_for == "con_call"
    pool.receive(make(PutAgent, agent_id="ann", skills={}, capacity=Capacity(units=140)))
    assert pool.contact("con_held0").paused_for is None


@pytest.mark.parametrize("capacity", [
    {"interrupted_by": {"voice": ("voice",)}}, {"interrupted_by": {"live": ("live",)}},
    {"interrupted_by": {"live": ("async",)}}, {"interrupted_by": {"email": ("voice",)}},
    {"wake_up_reserve": -1}, {"wake_up_reserve": 120},
])  # fmt: skip
def test_what_no_capacity_can_be(capacity: dict[str, Any]) -> None:
    pool = PoolDriver()
    assert pool.run(make(PutAgent, agent_id="ann", skills={}, capacity=Capacity(**capacity))).status == 422
