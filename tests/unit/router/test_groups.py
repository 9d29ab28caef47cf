"""Contacts of one incident as one group: offered as one, at the cost of one, each with its own end."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.codec import encode_value
from libs.common.events.commands import BreakOut, DeleteAgent, ParkContact, ReleaseContact
from libs.common.events.values import Requirement
from services.router.core.explain import explain
from tests.simulation.router.builders import (
    START,
    accept,
    agent,
    close,
    decline,
    make,
    opened,
    presence,
    queue,
    relax,
    response,
    withdrawn,
)
from tests.simulation.router.driver import PoolDriver

GROUPS = queue(group_by_incident=True, offer_seconds=20)
ANN = agent("ann", units=20)
"""With room for one contact."""
BOB = agent("bob", units=20)
FIRST = "con_1.offer.1"


def of(incident: str | None, *contacts: int, **fields: Any) -> list[Any]:
    """Contacts of an incident, the lower number the older."""
    return [
        opened(f"con_{n}", incident_key=incident, occurred_at=START - (100 - n) * SECOND, **fields) for n in contacts
    ]


def waiting(rules: Any, *contacts: Any, agents: Any = (ANN,)) -> PoolDriver:
    """They wait, and then the agents come."""
    pool = PoolDriver(rules, *(one[:1] for one in agents))
    pool.receive(*contacts, *(one[1] for one in agents))
    return pool


def together(pool: PoolDriver) -> list[tuple[str, ...]]:
    """The contacts of every offer so far."""
    return [(one.contact_id, *one.group) for one in pool.events("contact.offered")]


def assigned(pool: PoolDriver) -> dict[str, int]:
    """Contact → units of every assignment so far."""
    return {one.contact_id: one.units for one in pool.events("contact.assigned")}


OUTAGE = of("outage", 1, 2, 3)
NOT_ANN = Requirement(exclude_agents=("ann",))


AT_MOST_TWO = queue(group_by_incident=True, group_max=2)
CHATS = of("outage", 1, 2, channel="chat")
OTHERS = [*of("outage", 1, 4), *of("recall", 2)]
SOME_NOT_FOR_ANN = [*of("outage", 1, 3), *of("outage", 2, requirement=NOT_ANN)]
MIXED = [*of("outage", 1), *of("outage", 2, channel="whatsapp")]


@pytest.mark.parametrize(("rule", "rules", "contacts", "expected"), [
    ("those of one incident are offered as one",  GROUPS,       OUTAGE,            ("con_1", "con_2", "con_3")),
    ("where the queue groups",                    queue(),      OUTAGE,            ("con_1",)),
    ("at most so many, the most urgent",          AT_MOST_TWO,  OUTAGE,            ("con_1", "con_2")),
    ("another incident is another group",         GROUPS,       OTHERS,            ("con_1", "con_4")),
    ("what has no incident is offered alone",     GROUPS,       of(None, 1, 2),    ("con_1",)),
    ("a chat is never grouped",                   GROUPS,       CHATS,             ("con_1",)),
    ("who needs somebody else isn't of it",       GROUPS,       SOME_NOT_FOR_ANN,  ("con_1", "con_3")),
    ("channels may be mixed",                     GROUPS,       MIXED,             ("con_1", "con_2")),
])  # fmt: skip
def test_who_is_offered_together(rule: str, rules: Any, contacts: list[Any], expected: tuple[str, ...]) -> None:
    pool = waiting(rules, *contacts, agents=(agent("ann", units=40, cost={"async": 40, "live": 40}),))
    assert together(pool) == [expected], rule


def test_accepted_they_are_all_the_agents_at_the_cost_of_one() -> None:
    pool = waiting(GROUPS, *OUTAGE)
    pool.receive(accept(FIRST, "ann"))
    assert assigned(pool) == {"con_1": 20, "con_2": 0, "con_3": 0}
    assert {one.group_id for one in pool.events("contact.assigned")} == {"con_1"}
    assert (pool.floor.desks["ann"].used, len(pool.floor.desks["ann"].held)) == (20, 3)


def test_a_maximum_counts_a_group_once() -> None:
    pool = waiting(GROUPS, *OUTAGE, agents=(agent("ann", max={"email": 2}),))
    pool.receive(accept(FIRST, "ann"), *of(None, 7, 8))
    assert len(assigned(pool)) == 3
    assert (pool.contact("con_7").state, pool.contact("con_8").state) == ("offered", "waiting")


def test_alone_it_is_no_group() -> None:
    pool = waiting(GROUPS, *of("outage", 1))
    pool.receive(accept(FIRST, "ann"))
    assert pool.events("contact.assigned")[0].group_id is None


def test_who_waits_for_the_first_is_offered_to_nobody_else() -> None:
    pool = waiting(GROUPS, *OUTAGE, agents=(ANN, BOB))
    assert together(pool) == [("con_1", "con_2", "con_3")]
    reasons = {one.agent: one.why for one in explain(pool.floor, pool.contact("con_2"), pool.now).candidates}
    assert reasons["bob"] == "offered together with con_1"


def test_nor_when_a_step_turns_meanwhile() -> None:
    rules = queue(group_by_incident=True, relax=(relax(5),), offer_seconds=20)
    pool = waiting(rules, *OUTAGE, agents=(ANN, BOB))
    pool.advance(10)
    assert pool.contact("con_2").relaxed == 1
    assert together(pool) == [("con_1", "con_2", "con_3")]


def test_when_the_offer_ends_each_is_sought_an_agent() -> None:
    """Bob is idle, and may have all but the first."""
    contacts = [*of("outage", 1, requirement=Requirement(exclude_agents=("bob",))), *of("outage", 2, 3)]
    pool = waiting(GROUPS, *contacts, agents=(ANN, BOB))
    assert together(pool) == [("con_1", "con_2", "con_3")]
    pool.receive(presence("ann", "away"))
    assert (together(pool)[1], pool.offers()[1][1]) == (("con_2", "con_3"), "bob")


@pytest.mark.parametrize(("rule", "end", "offered_next"), [
    ("declined",               [decline(FIRST, "ann")],           {"con_1", "con_2", "con_3"}),
    ("withdrawn",              [presence("ann", "away")],         {"con_1", "con_2", "con_3"}),
    ("the first was deleted",  [withdrawn("con_1")],              {"con_2", "con_3"}),
    ("the first is parked",    [make(ParkContact, contact_id="con_1")], {"con_2", "con_3"}),
])  # fmt: skip
def test_when_the_offer_ends_they_are_offered_again(rule: str, end: list[Any], offered_next: set[str]) -> None:
    pool = waiting(GROUPS, *OUTAGE)
    pool.receive(*BOB, *end)
    pool.advance(0)
    assert set().union(*together(pool)[1:]) == offered_next, rule
    assert pool.floor.groups.keys() <= {one.contact_id for one in pool.events("contact.offered")[1:]}


def test_an_offer_that_runs_out_frees_them() -> None:
    pool = waiting(GROUPS, *OUTAGE)
    pool.advance(19)
    pool.receive(*BOB)
    assert len(together(pool)) == 1
    pool.advance(1)
    assert together(pool)[1] == ("con_1", "con_2", "con_3")
    assert pool.events("contact.offered")[1].agent_id == "bob"


def test_who_declines_declines_all_of_it_and_is_asked_again_for_all_of_it() -> None:
    pool = waiting(GROUPS, *OUTAGE, agents=(ANN, BOB))
    pool.receive(decline(FIRST, "ann"), decline("con_1.offer.2", "bob"))
    asked = [(one.agent_id, one.asked_again) for one in pool.events("contact.offered")]
    assert together(pool) == [("con_1", "con_2", "con_3")] * 3
    assert asked == [("ann", False), ("bob", False), ("ann", True)]


def test_who_left_meanwhile_is_not_assigned() -> None:
    pool = waiting(GROUPS, *OUTAGE)
    pool.receive(withdrawn("con_2"), accept(FIRST, "ann"))
    assert assigned(pool) == {"con_1": 20, "con_3": 0}


# -- each its own -----------------------------------------------------------------------------------------------


def held(*then: Any, units: int = 20) -> PoolDriver:
    """Ann has the group of three."""
    pool = waiting(GROUPS, *OUTAGE, agents=(agent("ann", units=units),))
    pool.receive(accept(FIRST, "ann"), *then)
    return pool


def test_each_is_answered_and_closed_by_itself() -> None:
    pool = held(response("con_2"), close("con_2", "ann"))
    assert "con_2" not in pool.floor.contacts
    assert [pool.contact(one).answered for one in ("con_1", "con_3")] == [False, False]
    assert pool.floor.desks["ann"].used == 20


def test_the_group_costs_one_contact_until_the_last_has_ended() -> None:
    pool = held(*of(None, 9))
    for ended, used in (("con_1", 20), ("con_2", 20)):
        pool.receive(close(ended, "ann"))
        assert (pool.floor.desks["ann"].used, pool.contact("con_9").state) == (used, "waiting")
    pool.receive(close("con_3", "ann"))
    assert pool.contact("con_9").state == "offered"


@pytest.mark.parametrize(("rule", "then", "left"), [
    ("given back",        make(ReleaseContact, contact_id="con_1", agent_id="ann"), 20),
    ("parked",            make(ParkContact, contact_id="con_1", agent_id="ann"),    20),
    ("the agent is gone", make(DeleteAgent, agent_id="ann"),                        0),
])  # fmt: skip
def test_who_leaves_its_agent_leaves_the_group(rule: str, then: Any, left: int) -> None:
    pool = held(then)
    assert pool.contact("con_1").group is None, rule
    assert pool.floor.desks["ann"].used == left, rule


@pytest.mark.parametrize(("rule", "units", "contact_id", "state", "used"), [
    ("there is room for its own units",      60, "con_2", "assigned", 40),
    ("there is none: it waits again",        20, "con_2", "waiting",  20),
    ("the one that carries the group's",     60, "con_1", "assigned", 40),
    ("and has no room for its own besides",  20, "con_1", "waiting",  20),
])  # fmt: skip
def test_it_breaks_out(rule: str, units: int, contact_id: str, state: str, used: int) -> None:
    pool = held(units=units)
    outcome = pool.run(make(BreakOut, contact_id=contact_id, agent_id="ann"))
    assert (outcome.status, outcome.state["state"]) == (200, state), rule
    assert (pool.contact(contact_id).state, pool.contact(contact_id).group) == (state, None), rule
    assert pool.floor.desks["ann"].used == used, rule


CALLED: dict[str, Any] = {
    "units": 120, "cost": {"voice": 110, "whatsapp": 10, "async": 20}, "interrupted_by": {"async": ("voice",)},
}  # fmt: skip
CALL = [opened("con_9", channel="voice"), accept("con_9.offer.1", "ann")]
ASLEEP = [make(ParkContact, contact_id="con_3")]


@pytest.mark.parametrize(("rule", "capacity", "then", "contact_id", "state", "used"), [
    ("it fits beside its group",                    CALLED, [],   "con_2", "assigned", 30),
    ("a paused group keeps its room from it",       CALLED, CALL, "con_2", "waiting",  110),
    ("and stays paused when its first leaves it",   CALLED, CALL, "con_1", "waiting",  110),
    ("the room of who sleeps is for her own", {"units": 40, "wake_up_reserve": 20}, ASLEEP, "con_2", "assigned", 30),
])  # fmt: skip
def test_it_breaks_out_where_room_is_kept(
    rule: str, capacity: dict[str, Any], then: list[Any], contact_id: str, state: str, used: int
) -> None:
    """The second is a short message, and half the work of a letter."""
    contacts = [*of("outage", 1, 3), *of("outage", 2, channel="whatsapp")]
    pool = waiting(GROUPS, *contacts, agents=(agent("ann", **({"cost": CALLED["cost"]} | capacity)),))
    pool.receive(accept(FIRST, "ann"), *then)
    assert pool.run(make(BreakOut, contact_id=contact_id, agent_id="ann")).state["state"] == state, rule
    assert pool.floor.desks["ann"].used == used, rule


def test_a_paused_group_goes_on_as_one_after_its_first_was_closed() -> None:
    pool = waiting(GROUPS, *of("outage", 1, 2), agents=(agent("ann", **CALLED),))
    pool.receive(accept(FIRST, "ann"), *CALL)
    assert [event.contact_id for event in pool.events("contact.paused")] == ["con_1"]
    pool.receive(close("con_1"))
    assert [event.contact_id for event in pool.events("contact.paused")] == ["con_1", "con_2"]
    assert pool.floor.desks["ann"].used == 110
    pool.receive(close("con_9"))
    assert [event.contact_id for event in pool.events("contact.resumed")] == ["con_2"]


def test_the_last_of_a_group_breaks_out_at_what_it_costs_already() -> None:
    pool = held(close("con_1"), close("con_2"))
    assert pool.run(make(BreakOut, contact_id="con_3")).state["state"] == "assigned"
    assert pool.events("contact.broke_out")[0].units == pool.floor.desks["ann"].used == 20


def test_once_out_it_is_grouped_no_more() -> None:
    pool = held(make(BreakOut, contact_id="con_2"), *of("outage", 4), *BOB)
    assert ("con_2",) in together(pool)


@pytest.mark.parametrize(("rule", "pool"), [
    ("what waits has no group",    waiting(GROUPS, *OUTAGE)),
    ("nor what was taken alone",   waiting(GROUPS, *of("outage", 1))),
])  # fmt: skip
def test_there_must_be_a_group_to_break_out_of(rule: str, pool: PoolDriver) -> None:
    assert pool.run(make(BreakOut, contact_id="con_1")).status == 409, rule


@pytest.mark.parametrize("group_max", [1, 101])
def test_a_group_has_two_to_a_hundred(group_max: int) -> None:
    pool = PoolDriver()
    assert pool.run(queue(group_max=group_max)[0]).code == "invalid"


def test_where_nothing_is_grouped_the_events_are_written_as_ever() -> None:
    pool = PoolDriver(queue(), ANN)
    pool.receive(opened(), accept(FIRST, "ann"))
    written = b"".join(encode_value(one.event, sequence=1, cause="") for one in pool.emitted)
    new = (b"group", b"incident", b"language_", b"fallback", b"prefer_agents", b"exclude")
    assert [name for name in new if name in written] == []


def test_taken_at_once_it_is_the_whole_group() -> None:
    pool = waiting(queue(group_by_incident=True, auto_accept=("async",)), *OUTAGE)
    assert assigned(pool) == {"con_1": 20, "con_2": 0, "con_3": 0}
    assert pool.floor.groups == {}


def test_a_group_is_not_for_several_agents_at_once() -> None:
    pool = PoolDriver()
    assert pool.run(queue(group_by_incident=True, parallel_offers=2)[0]).code == "invalid"


def test_restored_the_same_follows() -> None:
    def day(restores: bool) -> list[Any]:
        pool = waiting(GROUPS, *of("outage", *range(1, 9)), agents=(agent("ann", units=60), BOB))
        for step in (accept(FIRST, "ann"), *of("outage", 20, 21), close("con_1"), make(BreakOut, contact_id="con_3"),
                     presence("bob", "away"), close("con_2"), make(DeleteAgent, agent_id="ann"), presence("bob")):
            if restores:
                pool.restore(sorted(pool.stored, reverse=True))
            pool.receive(step)
            pool.advance(7)
        return [one.event for one in pool.emitted]

    assert day(restores=True) == day(restores=False)
