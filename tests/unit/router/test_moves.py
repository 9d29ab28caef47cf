"""Moves: transfer, assignment by a supervisor, referral, call-back, and an agent whose work is taken away."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.codec import encode_value
from libs.common.events.commands import (
    AssignContact,
    CallBack,
    CompleteWrapUp,
    DeleteQueue,
    ParkContact,
    ReferContact,
    RequeueAgent,
    TransferContact,
)
from libs.common.events.values import Match
from tests.simulation.router.builders import (
    START,
    accept,
    added,
    agent,
    ask,
    close,
    decline,
    make,
    need,
    opened,
    presence,
    queue,
    relax,
    response,
)
from tests.simulation.router.driver import PoolDriver

ACCEPT = accept("con_1.offer.1", "ann")
NOBODYS = Match(tier="gold")
"""What no contact of these tests is: they come to such a queue by a transfer alone."""
TAX = queue("tax", match=NOBODYS, requirement=need("tax"))


def transfer(by: str | None = None, **to: Any) -> Any:
    return ask(TransferContact, by, **to)


def floor_of(*events: Any, units: int = 40) -> PoolDriver:
    """Ann takes whatever comes; Bob does that and tax; Cat is away."""
    pool = PoolDriver(
        TAX, agent("ann", units=units), agent("bob", "tax", units=units), agent("cat", "tax"),
        [presence("cat", "away", reason="lunch")],
    )  # fmt: skip
    pool.receive(opened(), *events)
    return pool


OWNED = [ACCEPT]
WAITING = [presence("ann", "away"), presence("bob", "away")]
PARKED = [ACCEPT, ask(ParkContact)]
WRAPPING = [ACCEPT, close("con_1", "ann")]
BUSY_BOB = [opened("con_2", "tax"), accept("con_2.offer.1"), opened("con_3", "tax"), accept("con_3.offer.1")]


@pytest.mark.parametrize(("rule", "before", "command", "status", "code", "state", "who"), [
    ("its agent gives it to a queue",     OWNED,   transfer("ann", to_queue="tax"),     200, "ok", "waiting", None),
    ("another's isn't theirs to give",    OWNED,   transfer("bob", to_queue="tax"),     403, "forbidden", "assigned",
     "ann"),
    ("a supervisor moves anything",       WAITING, transfer(to_queue="tax"),            200, "ok", "waiting", None),
    ("an offer is withdrawn",             [],      transfer(to_queue="tax"),            200, "ok", "waiting", None),
    ("a parked one wakes",                PARKED,  transfer(to_queue="tax"),            200, "ok", "waiting", None),
    ("no such queue",                     OWNED,   transfer(to_queue="nowhere"),        422, "unknown_queue",
     "assigned", "ann"),
    ("a deleted queue takes nothing",     [*OWNED, make(DeleteQueue, queue_id="tax")], transfer(to_queue="tax"),
     422, "unknown_queue", "assigned", "ann"),
    ("everyone's queue is always there",  OWNED,   transfer(to_queue="everyone"),       200, "ok", "waiting", None),
    ("to whoever meets this",             OWNED,   transfer(requirement=need("tax")),   200, "ok", "waiting", None),
    ("a level above 5",                   OWNED,   transfer(requirement=need("tax:6")), 422, "invalid", "assigned",
     "ann"),
    ("to an agent with room, at once",    OWNED,   transfer("ann", to_agent="bob"),     200, "ok", "assigned", "bob"),
    ("to who has it already",             OWNED,   transfer("ann", to_agent="ann"),     200, "ok", "assigned", "ann"),
    ("no such agent",                     OWNED,   transfer(to_agent="ghost"),          422, "unknown_agent",
     "assigned", "ann"),
    ("an agent who is away",              OWNED,   transfer(to_agent="cat"),            409, "agent_not_available",
     "assigned", "ann"),
    ("nowhere",                           OWNED,   transfer(),                          422, "invalid", "assigned",
     "ann"),
    ("in two directions",                 OWNED,   transfer(to_queue="tax", to_agent="bob"), 422, "invalid",
     "assigned", "ann"),
    ("when it is over",                   [close()], transfer(to_queue="tax"),          409, "conflict", "closed",
     None),
    ("a supervisor assigns",              WAITING[:1], ask(AssignContact, to_agent="bob"), 200, "ok", "assigned",
     "bob"),
    ("what was offered to them",          [],      ask(AssignContact, to_agent="ann"),  200, "ok", "assigned", "ann"),
    ("from one agent to the other",       OWNED,   ask(AssignContact, to_agent="bob"),  200, "ok", "assigned", "bob"),
    ("a parked one",                      PARKED,  ask(AssignContact, to_agent="bob"),  200, "ok", "assigned", "bob"),
    ("not to who is away",                OWNED,   ask(AssignContact, to_agent="cat"),  409, "agent_not_available",
     "assigned", "ann"),
    ("unless forced",                     OWNED,   ask(AssignContact, to_agent="cat", forced=True), 200, "ok",
     "assigned", "cat"),
    ("not to nobody, forced or not",      OWNED,   ask(AssignContact, to_agent="ghost", forced=True), 422,
     "unknown_agent", "assigned", "ann"),
    ("in the same pool",                  OWNED,   ask(ReferContact, to_pool="main"),   422, "same_pool", "assigned",
     "ann"),
    ("referred it is closed",             OWNED,   ask(ReferContact, "ann", to_pool="sales"), 200, "ok", "closed",
     "ann"),
    ("referred it goes on",               OWNED,   ask(ReferContact, to_pool="sales", closes=False), 200, "ok",
     "assigned", "ann"),
    ("a call in the past",                OWNED,   ask(CallBack, callback_at=START),    422, "invalid", "assigned",
     "ann"),
    ("a call",                            OWNED,   ask(CallBack, callback_at=START + 1), 200, "ok", "closed", "ann"),
    ("nobody says so of another closing", OWNED,   close("con_1", "ann", resolution="referred"), 422, "invalid",
     "assigned", "ann"),
])  # fmt: skip
def test_requests(
    rule: str, before: list[Any], command: Any, status: int, code: str, state: str, who: str | None
) -> None:
    outcome = floor_of(*before).run(command)
    assert (outcome.status, outcome.code, outcome.state["state"], outcome.state["agent"]) == (
        status, code, state, who,
    ), rule  # fmt: skip


@pytest.mark.parametrize("move", [
    transfer(to_queue="tax"), ask(AssignContact, to_agent="bob", forced=True), ask(ReferContact, to_pool="sales"),
    ask(CallBack),
])  # fmt: skip
def test_what_is_being_wrapped_up_moves_no_more(move: Any) -> None:
    pool = PoolDriver(queue(wrap_up_seconds=60), TAX, agent("ann"), agent("bob"))
    pool.receive(opened(), *WRAPPING)
    outcome = pool.run(move)
    assert (outcome.status, outcome.state["state"]) == (409, "wrap_up")


# -- transfer ---------------------------------------------------------------------------------------------------


def test_a_transfer_keeps_the_age_and_the_promise_and_takes_the_new_queues_rules() -> None:
    rules = queue("tax", match=NOBODYS, requirement=need("tax"), offer_seconds=7, offers_max=2, wrap_up_seconds=9)
    pool = PoolDriver(queue(), agent("ann"), agent("bob", "tax"))
    pool.receive(opened(channel="chat"), ACCEPT, *rules)
    pool.advance(100)
    pool.receive(transfer("ann", to_queue="tax"))
    moved, queued = pool.events("contact.transferred")[0], pool.events("contact.queued")[-1]
    assert (moved.agent_id, moved.from_queue, moved.to_queue) == ("ann", "everyone", "tax")
    assert (queued.reason, queued.queue, queued.waiting_since, queued.target_seconds) == (
        "transferred", "tax", START, 60,
    )  # fmt: skip
    contact = pool.contact()
    assert (contact.rules.offers_max, contact.rules.wrap_up_seconds, contact.offer_agent) == (2, 9, "bob")
    assert contact.offer_expires_at == pool.now + 7 * SECOND


@pytest.mark.parametrize(("rule", "channel", "before", "since"), [
    ("unanswered it keeps its age",           "chat",  [],                           0),
    ("after an answer a new wait begins",     "chat",  [response(occurred_at=START)], 60),
    ("who is on the line has waited since",   "voice", [],                           0),
])  # fmt: skip
def test_the_age(rule: str, channel: str, before: list[Any], since: int) -> None:
    pool = PoolDriver(TAX, agent("ann", units=120))
    pool.receive(opened(channel=channel), ACCEPT, *before)
    pool.advance(60)
    pool.receive(transfer("ann", to_queue="tax"))
    assert pool.contact().waiting_since == START + since * SECOND, rule


def test_what_was_answered_is_new_work_to_the_agent_who_gets_it() -> None:
    pool = floor_of(ACCEPT, response())
    pool.advance(60)
    pool.receive(transfer("ann", to_agent="bob"))
    contact = pool.contact()
    assert (contact.agent_id, contact.answered, contact.waiting_since) == ("bob", False, START + 60 * SECOND)


def test_somebody_else_is_asked_before_who_gave_it_away() -> None:
    pool = PoolDriver(queue("other", match=NOBODYS), agent("ann"), agent("bob"))
    pool.receive(opened(), ACCEPT, transfer("ann", to_queue="other"))
    assert pool.contact().offer_agent == "bob"
    pool.receive(decline("con_1.offer.2", "bob"))
    assert pool.events("contact.offered")[-1].asked_again, "everybody able was asked"


def test_what_decliners_of_the_old_queue_said_counts_no_more() -> None:
    pool = PoolDriver(TAX, agent("bob", "tax"), agent("cat"))
    pool.receive(opened(), decline("con_1.offer.1", "bob"), presence("cat", "away"), transfer(to_queue="tax"))
    assert pool.contact().offer_agent == "bob"


def test_a_requirement_replaces_all_that_it_needed() -> None:
    steps = queue(requirement=need("billing"), relax=(relax(600, "vip"),))
    pool = PoolDriver(steps, agent("bob", "tax:3"))
    pool.receive(opened("con_1", "lang:it"), transfer(requirement=need("tax:3")))
    contact = pool.contact()
    assert (contact.rules.queue, contact.offer_agent, contact.own, contact.rules.relax) == ("everyone", "bob", None, ())
    assert need("tax:3") in [seen.requirement for seen in pool.floor.pool.seen], "whoever can do this is versatile"


def test_a_dead_end_that_is_transferred_is_none() -> None:
    pool = PoolDriver(queue(requirement=need("tax")), queue("other", match=NOBODYS), agent("ann"))
    pool.receive(opened())
    assert pool.contact().unroutable == "no_agent"
    pool.receive(transfer(to_queue="other"))
    assert (pool.contact().unroutable, pool.contact().offer_agent) == (None, "ann")
    assert pool.floor.dead_ends == []


def test_a_full_agent_is_waited_for_and_asked_first() -> None:
    pool = floor_of(*BUSY_BOB, ACCEPT, transfer("ann", to_agent="bob"))
    contact = pool.contact()
    assert (contact.state, contact.last_agent, contact.last_agent_until) == ("waiting", "bob", START + 120 * SECOND)
    pool.receive(close("con_2"))
    assert pool.offers()[-1] == ("con_1", "bob")


def test_a_full_agent_is_waited_for_two_minutes_then_anyone_takes_it() -> None:
    pool = floor_of(*BUSY_BOB, ACCEPT, transfer("ann", to_agent="bob"), *agent("dan"))
    pool.advance(119.9)
    assert pool.contact().state == "waiting"
    pool.advance(0.1)
    assert pool.contact().offer_agent == "dan"


def test_a_full_agent_who_leaves_is_not_waited_for() -> None:
    pool = floor_of(*BUSY_BOB, ACCEPT, transfer("ann", to_agent="bob"), presence("bob", "away"))
    assert pool.contact().offer_agent == "ann"


def test_who_lacks_a_skill_is_not_given_it_and_is_told_which() -> None:
    pool = PoolDriver(agent("ann", "tax:2"), agent("bob", "tax"))
    pool.receive(opened("con_1", "tax:2"), ACCEPT)
    outcome = pool.run(transfer("ann", to_agent="bob"))
    assert (outcome.status, outcome.code, outcome.state["why"]) == (409, "agent_not_able", "skill tax 1 < 2")


def test_a_step_that_was_taken_stays_taken_for_a_named_agent() -> None:
    rules = queue(requirement=need("tax"), relax=(relax(60),))
    pool = PoolDriver(rules, agent("ann"), agent("bob", units=20))
    pool.receive(opened())
    pool.advance(60)
    pool.receive(accept("con_1.offer.1", "ann"), opened("con_2"))
    pool.receive(ask(AssignContact, contact_id="con_2", to_agent="bob", forced=True), transfer(to_agent="bob"))
    assert (pool.contact().relaxed, pool.contact().last_agent) == (1, "bob")


def test_a_transfer_to_a_queue_begins_with_its_first_step() -> None:
    pool = PoolDriver(queue("tax", match=NOBODYS, requirement=need("tax"), relax=(relax(600, "vip"),)), agent("ann"))
    pool.receive(opened(), ACCEPT, transfer("ann", to_queue="tax"))
    assert (pool.contact().relaxed, pool.contact().rules.relax[0].after_seconds) == (0, 600)


# -- assignment -------------------------------------------------------------------------------------------------


def test_force_may_exceed_capacity_and_revokes_nothing() -> None:
    pool = floor_of(*BUSY_BOB, ACCEPT)
    refused = pool.run(ask(AssignContact, to_agent="bob"))
    assert (refused.status, refused.code, refused.state["why"]) == (409, "agent_at_capacity", "at capacity 40/40")
    pool.receive(ask(AssignContact, to_agent="bob", forced=True))
    assert pool.events("contact.assigned")[-1].forced
    assert (sorted(pool.floor.desks["bob"].held), pool.floor.desks["bob"].used) == (["con_1", "con_2", "con_3"], 60)
    assert pool.floor.desks["ann"].held == {}


def test_who_holds_too_much_by_force_gets_nothing_new_before_there_is_room() -> None:
    pool = floor_of(*BUSY_BOB, ACCEPT, ask(AssignContact, to_agent="bob", forced=True), presence("ann", "away"))
    pool.receive(opened("con_4"), close("con_2"))
    assert pool.contact("con_4").state == "waiting"
    pool.receive(close("con_3"))
    assert pool.contact("con_4").offer_agent == "bob"


def test_an_assignment_without_force_is_not_called_forced() -> None:
    pool = floor_of(ask(AssignContact, to_agent="ann"))
    assert not pool.events("contact.assigned")[-1].forced
    assert pool.event_types()[-2:] == ["offer.withdrawn", "contact.assigned"]


def test_the_room_that_its_own_offer_holds_is_room_for_it() -> None:
    pool = floor_of(units=20)
    assert pool.run(ask(AssignContact, to_agent="ann")).status == 200


def test_what_was_held_for_somebody_is_assigned_to_another() -> None:
    pool = floor_of(*BUSY_BOB, ACCEPT, transfer("ann", to_agent="bob"), ask(AssignContact, to_agent="ann"))
    assert (pool.contact().agent_id, pool.contact().last_agent_until, pool.floor.held) == ("ann", None, {})


# -- everything that an agent holds -----------------------------------------------------------------------------


def test_everything_that_an_agent_holds_goes_to_others() -> None:
    pool = PoolDriver(agent("ann", units=60))
    pool.receive(opened(), ACCEPT, opened("con_2"), accept("con_2.offer.1"), opened("con_3"))
    pool.receive(*agent("bob", units=60))
    outcome = pool.run(make(RequeueAgent, agent_id="ann"))
    assert outcome.state["requeued"] == ["con_1", "con_2", "con_3"]
    assert [pool.contact(one).offer_agent for one in ("con_1", "con_2", "con_3")] == ["bob"] * 3
    assert [one.reason for one in pool.events("contact.released")] == ["requeued"] * 2
    assert pool.run(make(RequeueAgent, agent_id="ghost")).status == 404


# -- linked contacts --------------------------------------------------------------------------------------------


def test_a_referral_names_the_linked_contact_after_itself() -> None:
    pool = floor_of(ACCEPT)
    pool.advance(60)
    outcome = pool.run(ask(ReferContact, "ann", to_pool="sales", to_queue="leads"))
    (event,) = pool.events("contact.referred")
    (sequence,) = (one.sequence for one in pool.emitted if one.event is event)
    assert event.linked_id == outcome.state["linked_id"] == f"con_1.linked.{sequence}"
    assert (event.agent_id, event.to_pool, event.to_queue, event.waiting_since, event.closes) == (
        "ann", "sales", "leads", START, True,
    )  # fmt: skip
    assert pool.events("contact.closed")[-1].resolution == "referred"


def test_two_referrals_of_one_contact_open_two() -> None:
    pool = floor_of(ACCEPT)
    ids = [pool.run(ask(ReferContact, to_pool="sales", closes=False)).state["linked_id"] for _ in range(2)]
    assert len({*ids}) == 2


@pytest.mark.parametrize("wrap_up_seconds", [0, 60])
def test_a_message_for_what_was_referred_opens_nothing_here(wrap_up_seconds: int) -> None:
    pool = PoolDriver(queue(wrap_up_seconds=wrap_up_seconds), agent("ann"))
    pool.receive(opened(), ACCEPT, ask(ReferContact, "ann", to_pool="sales"), added())
    assert len(pool.events("contact.queued")) == 1
    pool.receive(make(CompleteWrapUp, agent_id="ann"), added())
    assert len(pool.events("contact.queued")) == 1
    assert pool.floor.contacts == {}


def test_who_is_called_back_and_writes_again_is_a_repeat() -> None:
    pool = floor_of(ACCEPT, ask(CallBack, "ann"), added())
    assert pool.events("contact.queued")[-1].contact_id == "con_1.r2"
    assert pool.events("contact.callback_requested")[-1].callback_at is None


def test_a_linked_contact_waits_with_the_age_that_it_brings() -> None:
    pool = PoolDriver(agent("ann"))
    pool.advance(600)
    pool.receive(opened("con_9.linked.3", occurred_at=START, linked_to="con_9"))
    queued = pool.events("contact.queued")[-1]
    assert (queued.waiting_since, queued.linked_to, pool.contact("con_9.linked.3").linked_to) == (
        START, "con_9", "con_9",
    )  # fmt: skip


def test_what_is_linked_to_nothing_is_written_as_ever() -> None:
    pool = floor_of()
    plain, linked = pool.events("contact.queued")[0], pool.receive(opened("con_9.linked.3", linked_to="con_9"))[0]
    assert b"linked_to" not in encode_value(plain, sequence=1, cause="")
    assert b'"linked_to":"con_9"' in encode_value(linked, sequence=1, cause="")


def test_a_restore_while_an_agent_is_waited_for_changes_nothing() -> None:
    pools = [floor_of(*BUSY_BOB, ACCEPT, transfer("ann", to_agent="bob")) for _ in range(2)]
    pools[1].restore()
    for pool in pools:
        pool.receive(close("con_2"))
        pool.advance(200)
    assert pools[0].offers() == pools[1].offers()
    assert pools[0].event_types() == pools[1].event_types()
