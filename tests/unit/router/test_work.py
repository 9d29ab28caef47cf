"""What agents and supervisors ask to be done, who may, and what escalations do."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.commands import (
    AbandonContact,
    CompleteWrapUp,
    ParkContact,
    PutPolicy,
    ReleaseContact,
    ResumeContact,
    SetPriority,
)
from tests.simulation.router.builders import (
    START,
    accept,
    agent,
    ask,
    close,
    escalation,
    make,
    need,
    opened,
    queue,
    relax,
    response,
)
from tests.simulation.router.driver import PoolDriver

FIRST = "con_1.offer.1"
ACCEPT = accept(FIRST, "ann")


def pool_after(*events: Any, setup: Any = ()) -> PoolDriver:
    pool = PoolDriver(setup, agent("ann", "public"), agent("bob", "public"))
    pool.receive(opened(), *events)
    return pool


PARK = ask(ParkContact, "ann")


@pytest.mark.parametrize(("rule", "before", "command", "status", "state"), [
    ("the owner closes",               [ACCEPT],               close("con_1", "ann"),             200, "closed"),
    ("closed once, closed for ever",   [ACCEPT, close("con_1", "ann")], close("con_1", "ann"),    200, "closed"),
    ("another can't close it again",   [ACCEPT, close("con_1", "ann")], close("con_1", "bob"),    409, "closed"),
    ("a supervisor may ask again",     [ACCEPT, close("con_1", "ann")], close("con_1"),           200, "closed"),
    ("another's contact",              [ACCEPT],               close("con_1", "bob"),             403, "assigned"),
    ("an offer owns nothing yet",      [],                     close("con_1", "ann"),             403, "offered"),
    ("a supervisor closes anything",   [],                     close("con_1"),                    200, "closed"),
    ("what was abandoned isn't closed", [ask(AbandonContact)], close("con_1"),                    409, "abandoned"),
    ("nothing is known of it",         [],                     close("con_x"),                    404, None),
    ("abandoned while it waits",       [],                     ask(AbandonContact),               200, "abandoned"),
    ("abandoned twice",                [ask(AbandonContact)],  ask(AbandonContact),               200, "abandoned"),
    ("the owner parks",                [ACCEPT],               PARK,                              200, "parked"),
    ("parked twice",                   [ACCEPT, PARK],         ask(ParkContact, "ann"),           200, "parked"),
    ("parked by another",              [ACCEPT],               ask(ParkContact, "bob"),           403, "assigned"),
    ("until the past",                 [ACCEPT],               ask(ParkContact, until=START),     422, "assigned"),
    ("resumed to its agent",           [ACCEPT, PARK],         ask(ResumeContact, "ann"),         200, "assigned"),
    ("resumed though not parked",      [ACCEPT],               ask(ResumeContact),                200, "assigned"),
    ("released",                       [ACCEPT],               ask(ReleaseContact, "ann"),        200, "waiting"),
    ("released though nobody has it",  [],                     ask(ReleaseContact),               409, "offered"),
    ("released when it is over",       [close("con_1")],       ask(ReleaseContact),               409, "closed"),
    ("a priority out of bounds",       [],                     ask(SetPriority, boost=251),       422, "offered"),
    ("a priority",                     [],                     ask(SetPriority, boost=250),       200, "offered"),
    ("a priority by who hasn't it",    [],                     ask(SetPriority, "ann", boost=1),  403, "offered"),
])  # fmt: skip
def test_requests(rule: str, before: list[Any], command: Any, status: int, state: str | None) -> None:
    pool = pool_after(*before)
    outcome = pool.run(command)
    assert (outcome.status, outcome.state.get("state")) == (status, state), rule
    if status != 200:
        assert outcome.code in {"forbidden", "conflict", "invalid", "not_found"}


def test_a_released_contact_goes_to_somebody_else_with_its_age() -> None:
    pool = pool_after(ACCEPT)
    pool.advance(100)
    pool.receive(ask(ReleaseContact, "ann"))
    queued = pool.events("contact.queued")[-1]
    assert (queued.reason, queued.waiting_since, pool.contact().offer_agent) == ("released", START, "bob")


def test_what_is_released_says_that_nobody_has_it() -> None:
    pool = pool_after(ACCEPT)
    assert pool.run(ask(ReleaseContact, "ann")).state["agent"] is None


def test_relaxed_once_it_stays_so_when_it_is_taken_away() -> None:
    rules = queue(requirement=need("tax"), relax=(relax(600),))
    pool = PoolDriver(rules, agent("ann"), agent("bob"))
    pool.receive(opened(), escalation(do="relax_skills"), ACCEPT, escalation(do="reassign"))
    assert (pool.contact().relaxed, pool.contact().offer_agent) == (1, "bob")


def test_a_new_score_names_the_policy_that_gave_it() -> None:
    pool = pool_after(make(PutPolicy, weights={"reach": 10, "sentiment": 50, "tier": 50, "strikes": 100}))
    pool.receive(escalation())
    assert pool.events("contact.priority_changed")[-1].policy_version == pool.contact().policy_version == 1


def test_a_parked_contact_leaves_room() -> None:
    pool = PoolDriver(agent("ann", units=20))
    pool.receive(opened(), opened("con_2"), ACCEPT, PARK)
    assert pool.contact("con_2").offer_agent == "ann"


def test_a_manual_priority_replaces_what_an_escalation_raised() -> None:
    pool = pool_after(escalation(), ask(SetPriority, boost=50), escalation())
    changes = [(one.boost, one.reason) for one in pool.events("contact.priority_changed")]
    assert changes == [(100, "escalated"), (50, "manual")]


def test_wrap_up_is_completed_by_its_agent() -> None:
    pool = pool_after(ACCEPT, close("con_1", "ann"), setup=queue(wrap_up_seconds=60))
    assert pool.run(close("con_1", "ann")).state["state"] == "wrap_up"
    outcome = pool.run(make(CompleteWrapUp, agent_id="ann"))
    assert outcome.state["completed"] == ["con_1"]
    assert pool.event_types()[-2:] == ["contact.wrap_up_ended", "contact.closed"]
    assert pool.run(make(CompleteWrapUp, agent_id="ghost")).status == 404


# -- escalations ------------------------------------------------------------------------------------------------


def test_raised_once_and_only_once() -> None:
    pool = pool_after(escalation(), escalation())
    assert [one.terms["raised"] for one in pool.events("contact.priority_changed")] == [100]


def test_skills_are_relaxed_to_the_last_step() -> None:
    rules = queue(requirement=need("tax"), relax=(relax(600, "billing"), relax(900)))
    pool = pool_after(escalation(do="relax_skills"), escalation(do="relax_skills"), setup=rules)
    assert pool.event_types() == ["contact.queued", "contact.relaxed", "contact.offered"]
    assert pool.contact().relaxed == 2


def test_without_steps_there_is_nothing_to_relax() -> None:
    pool = pool_after(escalation(do="relax_skills"), setup=queue(requirement=need("tax")))
    assert pool.contact().relaxed == 0


@pytest.mark.parametrize(("rule", "before", "types"), [
    ("an offer is withdrawn",     [],                   ["offer.withdrawn", "contact.offered"]),
    ("unanswered work is taken",  [ACCEPT],             ["contact.released", "contact.queued", "contact.offered"]),
    ("answered work is not",      [ACCEPT, response()], []),
])  # fmt: skip
def test_reassigned(rule: str, before: list[Any], types: list[str]) -> None:
    pool = pool_after(*before)
    assert [event.type for event in pool.receive(escalation(do="reassign"))] == types, rule
    if types:
        assert pool.contact().offer_agent == "bob"


def test_an_escalation_of_what_is_over_does_nothing() -> None:
    pool = pool_after(close("con_1"))
    assert pool.receive(escalation()) == []
