"""What follows from facts outside: opening, going on, being answered elsewhere, ending, coming back."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import DeleteAgent, ParkContact, ResumeContact
from libs.common.events.contacts import ContactEnriched, ReachChanged
from libs.common.events.routing import ContactQueued
from libs.common.events.values import Match, Reach, Requirement
from tests.simulation.router.builders import (
    START,
    accept,
    added,
    agent,
    close,
    left,
    make,
    need,
    opened,
    presence,
    queue,
    relax,
    response,
    target,
    withdrawn,
)
from tests.simulation.router.driver import PoolDriver

FIRST = "con_1.offer.1"
DAY = 24 * 3_600


def queued(pool: PoolDriver) -> ContactQueued:
    event: ContactQueued = pool.events("contact.queued")[-1]
    return event


def with_ann(*events: Any, channel: str = "email", setup: Any = ()) -> PoolDriver:
    pool = PoolDriver(setup, agent("ann", "public"))
    pool.receive(opened(channel=channel), accept(FIRST, "ann"), *events)
    return pool


# -- opening ----------------------------------------------------------------------------------------------------


SOCIAL = queue("social", match=Match(visibility="public"), order=10)
ITALIAN = queue("italian", match=Match(language="it"), order=5)


@pytest.mark.parametrize(("rule", "fields", "expected"), [
    ("the first that matches",             {"channel": "x"},                                   "social"),
    ("by order",                           {"channel": "x", "language": "it"},                 "italian"),
    ("the default takes the rest",         {"channel": "email"},                               "everyone"),
    ("the one that was asked for",         {"channel": "x", "queue": "italian"},               "italian"),
    ("an unknown one was not asked for",   {"channel": "x", "queue": "nowhere"},               "social"),
])  # fmt: skip
def test_which_queue(rule: str, fields: dict[str, Any], expected: str) -> None:
    pool = PoolDriver(queue(order=1), SOCIAL, ITALIAN)
    pool.receive(opened(**fields))
    assert queued(pool).queue == expected, rule


@pytest.mark.parametrize(("rule", "channel", "requirement", "expected"), [
    ("a public contact asks for public", "x", None, need("public")),
    ("a private one for nothing", "email", None, Requirement()),
    ("unless the queue says what it needs", "x", need("billing"), need("billing")),
    ("or that it needs nothing", "x", Requirement(), Requirement()),
])
def test_what_is_required(rule: str, channel: str, requirement: Any, expected: Requirement) -> None:
    pool = PoolDriver(queue(requirement=requirement))
    pool.receive(opened(channel=channel))
    assert queued(pool).requirement == expected, rule


def test_its_own_requirement_is_needed_besides_the_queues_at_every_step() -> None:
    pool = PoolDriver(queue(requirement=need("billing"), relax=(relax(60),)), agent("ann", "billing"), agent("bob"))
    pool.receive(*agent("eve", "billing", "vip"), presence("eve", "away"), opened("con_1", "vip"))
    pool.advance(60)
    assert pool.offers() == []
    pool.receive(*agent("zoe", "vip"))
    assert pool.offers() == [("con_1", "zoe")]


def test_the_rules_and_the_promise_are_pinned_at_entry() -> None:
    pool = PoolDriver(target("fast", 300, channel="email"), queue(offer_seconds=30))
    pool.receive(opened(), *queue(offer_seconds=5), *target("fast", 10, channel="email"))
    pool.receive(*agent("ann"))
    offer = pool.events("contact.offered")[0]
    assert (offer.expires_at - pool.now, pool.contact().target_seconds) == (30_000_000, 300)
    assert (queued(pool).target, queued(pool).target_version) == ("fast", 1)


def test_its_age_counts_from_the_providers_time_but_never_from_the_future() -> None:
    pool = PoolDriver()
    pool.receive(opened("con_1", occurred_at=START - 5), opened("con_2", occurred_at=START + 10**9))
    assert [one.waiting_since for one in pool.events("contact.queued")] == [START - 5, START]


def test_a_fact_that_is_delivered_twice_counts_once() -> None:
    pool = PoolDriver(agent("ann")[:1])
    fact = opened()
    pool.receive(fact, fact, close(), fact)
    assert pool.event_types() == ["contact.queued", "contact.closed"]


def test_a_dead_end_is_found_at_entry() -> None:
    pool = PoolDriver(agent("ann", "billing:2"), [presence("ann", "offline")])
    pool.receive(opened("con_1", "billing:3", "tax"), opened("con_2", "billing:2"))
    flags = pool.events("contact.unroutable")
    assert [(one.contact_id, one.reason, one.missing) for one in flags] == [
        ("con_1", "no_agent", ("billing", "tax"))
    ]


@pytest.mark.parametrize(("rule", "events"), [
    ("whoever could is deleted while they hold it",
     [accept(FIRST, "ann"), make(DeleteAgent, agent_id="ann")]),
    ("whoever could loses the skill while it waits",
     [presence("ann", "away"), *agent("ann")[:1]]),
    ("the customer writes again after an answer elsewhere",
     [response(), make(DeleteAgent, agent_id="ann"), added()]),
])  # fmt: skip
def test_a_dead_end_is_found_later_too(rule: str, events: list[Any]) -> None:
    pool = PoolDriver(agent("ann", "billing"))
    pool.receive(opened("con_1", "billing"), *events)
    flag = pool.events("contact.unroutable")[-1]
    assert (flag.unroutable, flag.reason, flag.missing) == (True, "no_agent", ("billing",)), rule


def test_a_configured_default_queue_takes_what_no_other_matches() -> None:
    pool = PoolDriver(queue(match=Match(channel="chat"), offer_seconds=99))
    pool.receive(opened(channel="email"))
    assert queued(pool).offer_seconds == 99


def test_a_dead_end_ends_when_somebody_able_appears() -> None:
    pool = PoolDriver(agent("ann"))
    pool.receive(opened("con_1", "tax"), opened("con_2", "tax", "vip"), agent("bob", "tax")[0])
    flags = [(one.contact_id, one.unroutable) for one in pool.events("contact.unroutable")]
    assert flags == [("con_1", True), ("con_2", True), ("con_1", False)]
    assert pool.contact().unroutable is None


def test_what_relaxes_far_enough_is_no_dead_end() -> None:
    pool = PoolDriver(queue(requirement=need("tax"), relax=(relax(60),)), agent("ann"))
    pool.receive(presence("ann", "away"), opened())
    assert pool.event_types() == ["contact.queued"]


# -- the last agent ---------------------------------------------------------------------------------------------


def busy_ann() -> PoolDriver:
    """Ann has no room; Bob has."""
    pool = PoolDriver(agent("ann", units=20), agent("bob"), [presence("bob", "away")])
    pool.receive(opened("con_0"), accept("con_0.offer.1", "ann"), presence("bob"))
    return pool


def test_the_last_agent_goes_first() -> None:
    pool = PoolDriver(agent("ann"), agent("bob"))
    pool.receive(opened(last_agent="bob"))
    assert pool.offers() == [("con_1", "bob")]


@pytest.mark.parametrize(("rule", "fields", "setup", "seconds"), [
    ("at most what the queue allows",       {},                                 queue(last_agent_seconds=30),   30),
    ("at most two minutes",                 {},                                 queue(last_agent_seconds=600), 120),
    ("at most a quarter of the target",     {"channel": "chat"},                queue(last_agent_seconds=600),  15),
    ("only while it is early",              {"occurred_at": START - 10_795 * 10**6}, queue(last_agent_seconds=600), 5),
    ("not when it isn't early",             {"occurred_at": START - 10_800 * 10**6}, queue(last_agent_seconds=600), 0),
])  # fmt: skip
def test_how_long_it_is_held(rule: str, fields: dict[str, Any], setup: Any, seconds: int) -> None:
    pool = busy_ann()
    pool.receive(*setup, opened(last_agent="ann", **fields))
    pool.advance(max(0, seconds - 1))
    assert len(pool.offers()) == (1 if seconds else 2), rule
    pool.advance(1)
    assert pool.offers()[1:] == [("con_1", "bob")], rule


def test_a_held_contact_goes_to_its_agent_as_soon_as_there_is_room() -> None:
    pool = busy_ann()
    pool.receive(opened(last_agent="ann"), close("con_0", "ann"))
    assert pool.offers()[1:] == [("con_1", "ann")]


def test_nobody_is_held_for_who_leaves() -> None:
    pool = busy_ann()
    pool.receive(opened(last_agent="ann"), presence("ann", "away"))
    assert pool.offers()[1:] == [("con_1", "bob")]


# -- going on ---------------------------------------------------------------------------------------------------


def test_what_becomes_known_moves_a_waiting_contact() -> None:
    pool = PoolDriver()
    pool.receive(
        opened(channel="x"),
        make(ReachChanged, contact_id="con_1", reach=Reach(views=1_000_000)),
        make(ReachChanged, contact_id="con_1", reach=Reach(views=1_000_000)),
        make(ContactEnriched, contact_id="con_1", sentiment=-1.0),
        make(ContactEnriched, contact_id="con_1", language="it"),
    )
    changes = [(one.boost, one.reach, one.reason) for one in pool.events("contact.priority_changed")]
    assert changes == [(130, 10**6, "reach_changed"), (180, 10**6, "enriched")]
    assert pool.contact().language == "it"


def test_answered_and_moved_to_private_nobody_else_sees_it() -> None:
    pool = with_ann(response(visibility="public"), channel="x")
    pool.receive(make(ReachChanged, contact_id="con_1", reach=Reach(views=5_000)))
    assert pool.contact().reach == 5_000
    pool.receive(added(channel="x", visibility="private", reach=90_000))
    assert (pool.contact().reach, pool.contact().visibility) == (1, "private")


def test_a_bystander_brings_those_who_follow_them() -> None:
    pool = PoolDriver()
    pool.receive(opened(channel="x", reach=10), added(channel="x", reach=1_000_000, author="bystander"))
    assert (pool.contact().reach, pool.contact().boost) == (1_000_000, 130)


def test_a_bystander_changes_nothing_else() -> None:
    pool = with_ann(response(), close("con_1", "ann"))
    before = len(pool.emitted)
    pool.receive(added(author="bystander"))
    assert len(pool.emitted) == before


def test_a_message_after_the_answer_begins_a_new_wait() -> None:
    pool = with_ann(response())
    pool.advance(100)
    pool.receive(added(occurred_at=START + 90 * 10**6))
    assert (pool.contact().waiting_since, pool.contact().answered) == (START + 90 * 10**6, False)
    pool.receive(added(occurred_at=START + 95 * 10**6))
    assert pool.contact().waiting_since == START + 90 * 10**6


# -- answered, left, withdrawn ----------------------------------------------------------------------------------


def test_answered_elsewhere_it_is_parked_until_the_customer_writes() -> None:
    pool = PoolDriver(agent("ann"))
    pool.receive(opened(), response())
    assert pool.event_types()[-2:] == ["offer.withdrawn", "contact.parked"]
    pool.advance(3_600)
    pool.receive(added(occurred_at=pool.now))
    assert pool.event_types()[-3:] == ["contact.resumed", "contact.queued", "contact.offered"]
    assert queued(pool).waiting_since == pool.now


@pytest.mark.parametrize(("rule", "before", "late", "state"), [
    ("the customer has written since",    [added(occurred_at=START + 50 * SECOND)],            40, "offered"),
    ("it came back since",                [close(), added(occurred_at=START + 50 * SECOND)],   40, "offered"),
    ("what was written before it opened", [],                                                 -40, "parked"),
    ("in order",                          [added(occurred_at=START + 50 * SECOND)],            60, "parked"),
])  # fmt: skip
def test_a_response_that_is_learnt_of_late(rule: str, before: list[Any], late: int, state: str) -> None:
    """It answers what was there when it was given."""
    pool = PoolDriver(agent("ann"))
    pool.advance(100)
    pool.receive(opened(), *before, response(occurred_at=START + late * SECOND))
    [contact] = pool.floor.contacts.values()
    assert contact.state == state, rule


def test_an_answer_that_was_overtaken_leaves_its_agent_owing_one() -> None:
    pool = with_ann()
    pool.advance(100)
    pool.receive(added(occurred_at=START + 50 * SECOND), response(occurred_at=START + 40 * SECOND))
    assert not pool.contact().answered
    pool.receive(response(occurred_at=START + 60 * SECOND))
    assert pool.contact().answered


def test_parked_by_hand_it_keeps_its_age() -> None:
    pool = with_ann(make(ParkContact, contact_id="con_1", reason="awaiting_parts"))
    pool.advance(3_600)
    pool.receive(make(ResumeContact, contact_id="con_1"))
    assert (pool.contact().state, pool.contact().waiting_since) == ("assigned", START)


def test_parked_after_an_answer_a_new_wait_begins() -> None:
    pool = with_ann(response(), make(ParkContact, contact_id="con_1", reason="awaiting_customer"))
    pool.advance(3_600)
    pool.receive(added(occurred_at=pool.now))
    assert pool.contact().waiting_since == pool.now


def test_an_automatic_reply_answers_nothing() -> None:
    pool = PoolDriver(agent("ann")[:1])
    pool.receive(opened(), response(automatic=True))
    assert pool.event_types() == ["contact.queued"]


@pytest.mark.parametrize(("rule", "channel", "before", "types"), [
    ("unserved: abandoned",         "voice", [],                          ["offer.withdrawn", "contact.abandoned"]),
    ("in conversation: closed",     "voice", [accept(FIRST, "ann")],      ["contact.closed"]),
    ("greeted: closed",             "chat",  [accept(FIRST, "ann"), response()], ["contact.closed"]),
    ("taken and not greeted: abandoned", "chat", [accept(FIRST, "ann")],  ["contact.abandoned"]),
    ("unanswered letter: abandoned", "email", [accept(FIRST, "ann")],     ["contact.abandoned"]),
    ("answered elsewhere: closed",  "email", [response()],                ["contact.closed"]),
])  # fmt: skip
def test_the_customer_leaves(rule: str, channel: str, before: list[Any], types: list[str]) -> None:
    pool = PoolDriver(agent("ann"))
    pool.receive(opened(channel=channel), *before)
    assert [event.type for event in pool.receive(left())] == types, rule
    assert not pool.floor.contacts


def test_withdrawn_by_its_author_it_is_closed() -> None:
    pool = PoolDriver(agent("ann"))
    pool.receive(opened())
    assert [event.type for event in pool.receive(withdrawn())] == ["offer.withdrawn", "contact.closed"]
    assert pool.events("contact.closed")[0].resolution == "withdrawn"
    assert pool.floor.desks["ann"].used == 0


# -- parking ----------------------------------------------------------------------------------------------------


def test_it_comes_back_to_its_agent_by_assignment() -> None:
    pool = with_ann(make_park())
    assert pool.floor.desks["ann"].used == 0
    types = [event.type for event in pool.receive(added())]
    assert types == ["contact.resumed", "contact.assigned"]
    assert pool.contact().agent_id == "ann"


def make_park(**fields: Any) -> Any:
    return make(ParkContact, contact_id="con_1", **fields)


def test_without_room_it_waits_for_its_agent_first() -> None:
    pool = PoolDriver(agent("ann", units=20))
    pool.receive(opened(), accept(FIRST, "ann"), make_park(), opened("con_2"), accept("con_2.offer.1"))
    pool.receive(*agent("bob"), added())
    assert (queued(pool).last_agent, queued(pool).last_agent_until) == ("ann", pool.now + 45_000_000)
    assert pool.contact().state == "waiting"
    pool.advance(45)
    assert pool.contact().offer_agent == "bob"


def test_a_parked_contact_comes_back_at_its_time() -> None:
    pool = with_ann(make_park(until=START + 600 * 10**6))
    pool.advance(599)
    assert pool.contact().state == "parked"
    pool.advance(1)
    assert pool.contact().state == "assigned"


# -- coming back ------------------------------------------------------------------------------------------------


def test_a_return_after_closing_is_a_repeat() -> None:
    pool = with_ann(close("con_1", "ann"), added())
    event = queued(pool)
    assert (event.contact_id, event.reason, event.repeat_of, event.strikes) == ("con_1.r2", "reopened", "con_1", 1)
    assert event.last_agent == "ann"
    assert [one.sequence for one in pool.emitted if one.event.subject == "con_1.r2"] == [1, 2]


def test_messages_find_the_latest_generation() -> None:
    pool = with_ann(close("con_1", "ann"), added(), added(), close("con_1.r2"), added("con_1.r2"))
    assert sorted(pool.floor.contacts) == ["con_1.r3"]
    pool.receive(response("con_1"))
    assert pool.contact("con_1.r3").state == "parked"


def test_writing_during_the_wrap_up_ends_it() -> None:
    pool = with_ann(close("con_1", "ann"), setup=queue(wrap_up_seconds=30))
    types = [event.type for event in pool.receive(added())]
    assert types == ["contact.wrap_up_ended", "contact.closed", "contact.queued", "contact.offered"]


def test_a_closed_contact_is_remembered_for_a_day() -> None:
    pool = with_ann(close("con_1", "ann"))
    pool.advance(DAY - 1)
    assert "closed|acme/main|con_1" in pool.stored
    pool.advance(1)
    assert not [key for key in pool.stored if key.startswith(("closed", "contact"))]


def test_a_forgotten_contact_comes_back_under_a_number_of_its_own() -> None:
    pool = with_ann(close("con_1", "ann"))
    pool.advance(DAY)
    pool.receive(added(occurred_at=pool.now))
    assert list(pool.floor.contacts) == [f"con_1.r{pool.now // 10**6 + 1}"]
