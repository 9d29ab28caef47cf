"""What may be paused for what, for how long, and when it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND, Event
from libs.common.events.commands import (
    AssignContact,
    CloseContact,
    CompleteWrapUp,
    DeleteAgent,
    ParkContact,
    PutAgent,
    ReleaseContact,
    TransferContact,
)
from libs.common.events.values import Capacity
from services.router.core.explain import explain
from tests.simulation.router.builders import accept, agent, close, decline, make, opened, presence, queue, target
from tests.simulation.router.driver import PoolDriver

ALL = {"async": ("live", "voice"), "live": ("voice",)}
BUDGET = 7_200
"""Seconds: half of what is promised to an e-mail."""


def ann(**capacity: Any) -> tuple[Event, ...]:
    return agent("ann", "public", **({"interrupted_by": ALL} | capacity))


def ann_with(*held: str, setup: tuple[Event, ...] = (), **capacity: Any) -> PoolDriver:
    """Ann has taken a contact of each of these channels: con_0, con_1 …, each a second younger than the one before."""
    pool = PoolDriver(setup, ann(**capacity))
    for number, channel in enumerate(held):
        take(pool, f"con_{number}", channel)
        pool.advance(1)
    return pool


def take(pool: PoolDriver, contact_id: str, channel: str) -> None:
    pool.receive(opened(contact_id, channel=channel, occurred_at=pool.now))
    pool.receive(accept(pool.events("contact.offered")[-1].offer_id))
    assert pool.contact(contact_id).state == "assigned"


def paused(pool: PoolDriver) -> list[str]:
    """Who is paused now, in order of id."""
    return sorted(contact.id for contact in pool.floor.contacts.values() if contact.paused_at is not None)


def call_for(pool: PoolDriver, seconds: float, contact_id: str = "con_call") -> None:
    take(pool, contact_id, "voice")
    pool.advance(seconds)
    pool.receive(close(contact_id))


@pytest.mark.parametrize(("rule", "interrupted_by", "held", "arrives", "expected"), [
    ("a call pauses all that is in its way",  ALL, ["email"] * 6,       "voice", 6),
    ("a chat pauses no more than it needs",   ALL, ["email"] * 6,       "chat",  2),
    ("what has room pauses nothing",          ALL, ["email"] * 2,       "chat",  0),
    ("a chat is paused for a call",           ALL, ["chat"] * 3,        "voice", 3),
    ("calls pause posts and chats alike",     ALL, ["x", "chat", "x"],  "voice", 3),
    ("only for what is named",                {"async": ("voice",)}, ["email"] * 6, "voice", 6),
])  # fmt: skip
def test_who_is_paused(rule: str, interrupted_by: Any, held: list[str], arrives: str, expected: int) -> None:
    pool = ann_with(*held, interrupted_by=interrupted_by)
    take(pool, "con_new", arrives)
    assert len(paused(pool)) == expected, rule
    assert pool.floor.desks["ann"].used <= 120


@pytest.mark.parametrize(("rule", "interrupted_by", "held", "arrives"), [
    ("an e-mail interrupts nothing",          ALL, ["email"] * 6,       "email"),
    ("a chat interrupts no chat",             ALL, ["chat"] * 3,        "chat"),
    ("a call is never interrupted",           ALL, ["voice"],           "voice"),
    ("a chat is not named",                   {"async": ("voice",)}, ["email"] * 6, "chat"),
    ("nothing is named",                      {}, ["email"],            "voice"),
])  # fmt: skip
def test_who_has_to_wait(rule: str, interrupted_by: Any, held: list[str], arrives: str) -> None:
    pool = ann_with(*held, interrupted_by=interrupted_by)
    pool.receive(opened("con_new", channel=arrives))
    assert pool.contact("con_new").state == "waiting", rule


# -- the offer ----------------------------------------------------------------------------------------------------


def test_an_offer_pauses_nothing_and_its_acceptance_does() -> None:
    pool = ann_with("email")
    pool.receive(opened("con_call", channel="voice"))
    assert (paused(pool), pool.contact("con_call").state) == ([], "offered")
    pool.receive(accept("con_call.offer.1", "ann"))
    assert pool.event_types()[-3:] == ["offer.accepted", "contact.paused", "contact.assigned"]
    event = pool.events("contact.paused")[0]
    assert (event.contact_id, event.agent_id, event.paused_for) == ("con_0", "ann", "con_call")
    assert (event.medium, event.units, event.pause_left_seconds) == ("async", 20, BUDGET)


def test_a_declined_offer_has_paused_nothing() -> None:
    pool = ann_with("email")
    pool.receive(opened("con_call", channel="voice"), decline("con_call.offer.1", "ann"))
    assert pool.events("contact.paused") == []


def test_nothing_else_is_offered_while_an_offer_relies_on_a_pause() -> None:
    """Else two would count on the same room."""
    pool = ann_with("email", "email", "email", "email", "email", "email")
    pool.receive(opened("con_a", channel="chat"), opened("con_b", channel="chat"))
    assert [pool.contact(one).state for one in ("con_a", "con_b")] == ["offered", "waiting"]
    pool.receive(accept("con_a.offer.1"))
    assert pool.contact("con_b").state == "offered"
    pool.receive(accept("con_b.offer.1"))
    assert len(paused(pool)) == 4


def test_an_accepted_letter_can_make_room_for_the_call_that_waits() -> None:
    """While it was only offered it held its room."""
    pool = PoolDriver(ann())
    pool.receive(opened("con_0"), opened("con_call", channel="voice"))
    assert pool.contact("con_call").state == "waiting"
    pool.receive(accept("con_0.offer.1"))
    assert pool.contact("con_call").state == "offered"


def test_what_an_offer_relies_on_has_no_wrap_up() -> None:
    pool = ann_with("email", setup=queue(wrap_up_seconds=30))
    pool.receive(opened("con_call", channel="voice"), close("con_0"), accept("con_call.offer.1"))
    assert ("con_0" in pool.floor.contacts, pool.floor.desks["ann"].used) == (False, 120)


@pytest.mark.parametrize(("rule", "command", "status"), [
    ("a call that a colleague passes on",  make(TransferContact, contact_id="con_call", to_agent="ann"), 200),
    ("a call that a supervisor assigns",   make(AssignContact, contact_id="con_call", to_agent="ann"),   200),
    ("who can't be interrupted is full",   make(AssignContact, contact_id="con_call", to_agent="cat"),   409),
    ("unless it is forced",  make(AssignContact, contact_id="con_call", to_agent="cat", forced=True),    200),
])  # fmt: skip
def test_a_move_pauses_like_an_accept(rule: str, command: Event, status: int) -> None:
    pool = PoolDriver(agent("bob", "public"))
    pool.receive(opened("con_call", channel="voice"), accept("con_call.offer.1", "bob"))
    pool.receive(*ann(), opened("con_0"), accept("con_0.offer.1", "ann"))
    pool.receive(*agent("cat", "cats"), opened("con_1", "cats"), accept("con_1.offer.1", "cat"))
    assert pool.run(command).status == status, rule
    assert paused(pool) == (["con_0"] if pool.contact("con_call").agent_id == "ann" else [])


# -- the budget ---------------------------------------------------------------------------------------------------


def test_who_has_most_of_its_budget_left_is_paused_first_then_who_has_waited_least() -> None:
    pool = ann_with("email", "email", "email", "x", "email", "email")
    take(pool, "con_a", "chat")
    assert paused(pool) == ["con_4", "con_5"], "a post's budget is shorter, and of the letters these are the youngest"
    pool.advance(10)
    pool.receive(close("con_a"))
    take(pool, "con_b", "chat")
    assert paused(pool) == ["con_1", "con_2"], "the others have been paused already"


@pytest.mark.parametrize(("rule", "pauses", "offered"), [
    ("it has some of its budget left",     [BUDGET - 1],              True),
    ("a single pause has spent it",        [BUDGET],                  False),
    ("or several together",                [BUDGET // 2, BUDGET / 2], False),
    ("a pause may last longer",            [BUDGET * 2],              False),
])  # fmt: skip
def test_protected_after_half_the_target(rule: str, pauses: list[float], offered: bool) -> None:
    pool = ann_with("email")
    for number, seconds in enumerate(pauses):
        call_for(pool, seconds, f"con_call{number}")
    pool.receive(opened("con_new", channel="voice", occurred_at=pool.now))
    assert (pool.contact("con_new").state == "offered") is offered, rule


def test_a_target_decides_the_budget() -> None:
    pool = ann_with("email", setup=target("mail", 60, channel="email"))
    call_for(pool, 30)
    text = explain(pool.floor, pool.contact("con_0"), pool.now).text
    assert text == "promise of 1:00; was paused as long as it may be"


def test_a_spent_pause_keeps_its_room_from_everything() -> None:
    """Ann has two chats and a letter that waits for one of them to end; a small new chat doesn't overtake it."""
    costs = {"voice": 120, "live": 40, "async": 50, "whatsapp": 20}
    pool = ann_with("email", "chat", units=90, cost=costs)
    take(pool, "con_chat", "chat")
    assert paused(pool) == ["con_0"]
    pool.receive(make(PutAgent, agent_id="ann", skills={"public": 1}, capacity=Capacity(
        units=100, cost=costs, interrupted_by=ALL)))  # fmt: skip
    pool.receive(opened("con_early", channel="whatsapp", medium="live"))
    assert pool.contact("con_early").state == "offered"
    pool.receive(close("con_early"))
    pool.advance(BUDGET)
    pool.receive(opened("con_late", channel="whatsapp", medium="live"))
    assert pool.contact("con_late").state == "waiting"
    pool.receive(close("con_chat"))
    assert (paused(pool), pool.contact("con_late").state) == ([], "waiting")


def test_the_budget_is_the_contacts_wherever_it_goes() -> None:
    pool = ann_with("email")
    take(pool, "con_call", "voice")
    pool.advance(100)
    pool.receive(*agent("bob", "public", interrupted_by=ALL), make(ReleaseContact, contact_id="con_0"))
    pool.receive(accept("con_0.offer.2", "bob"), opened("con_new", channel="voice"), accept("con_new.offer.1", "bob"))
    assert [one.pause_left_seconds for one in pool.events("contact.paused")] == [BUDGET, BUDGET - 100]


# -- going on -----------------------------------------------------------------------------------------------------


def test_it_goes_on_when_there_is_room() -> None:
    pool = ann_with("email", "email")
    call_for(pool, 60)
    resumed = pool.events("contact.resumed")
    assert [(one.contact_id, one.agent_id, one.reason) for one in resumed] == [
        ("con_0", "ann", "unpaused"), ("con_1", "ann", "unpaused"),
    ]  # fmt: skip
    assert (paused(pool), pool.floor.desks["ann"].used) == ([], 40)


def test_after_a_call_the_wrap_up_comes_before_what_was_paused() -> None:
    pool = ann_with("email", setup=queue(wrap_up_seconds=30))
    call_for(pool, 60)
    assert paused(pool) == ["con_0"]
    pool.receive(make(CompleteWrapUp, agent_id="ann"))
    assert paused(pool) == []


def test_the_least_budget_left_goes_on_first() -> None:
    """A post's promise is shorter than a letter's, so it is more urgent; of letters the longest paused."""
    pool = ann_with("email", "email", "email", "email", "email", "x")
    pool.receive(opened("con_a", channel="chat"), accept("con_a.offer.1"))
    pool.advance(5)
    pool.receive(opened("con_b", channel="chat"), accept("con_b.offer.1"))
    pool.receive(opened("con_c", channel="chat"), accept("con_c.offer.1"))
    assert len(paused(pool)) == 6
    pool.receive(close("con_a"))
    assert [one.contact_id for one in pool.events("contact.resumed")] == ["con_5", "con_3"]


def test_new_work_of_its_kind_waits_until_it_has_gone_on() -> None:
    """An e-mail would fit beside the chats, but the room is what was paused there."""
    costs = {"live": 40, "async": 20, "whatsapp": 10}
    pool = ann_with("email", "email", "email", "email", "email", cost=costs)
    pool.receive(opened("con_a", channel="chat"), accept("con_a.offer.1"))
    assert (len(paused(pool)), pool.floor.desks["ann"].used) == (1, 120)
    pool.receive(make(PutAgent, agent_id="ann", skills={}, capacity=Capacity(
        units=130, cost=costs, interrupted_by=ALL)))  # fmt: skip
    pool.receive(opened("con_small", channel="whatsapp"))
    assert pool.contact("con_small").state == "waiting"


@pytest.mark.parametrize("status", ["away", "busy", "offline"])
def test_it_goes_on_without_presence(status: str) -> None:
    """It isn't new work: who wants a break finishes what they have."""
    pool = ann_with("email")
    take(pool, "con_call", "voice")
    pool.receive(presence("ann", status), close("con_call"))
    assert paused(pool) == []


def test_alone_it_goes_on_even_above_a_lowered_capacity() -> None:
    pool = ann_with("email")
    take(pool, "con_call", "voice")
    pool.receive(make(PutAgent, agent_id="ann", skills={}, capacity=Capacity(units=10)), close("con_call"))
    assert paused(pool) == []


@pytest.mark.parametrize(("rule", "command"), [
    ("closed, without a wrap-up", make(CloseContact, contact_id="con_0")),
    ("parked",                    make(ParkContact, contact_id="con_0")),
    ("released",                  make(ReleaseContact, contact_id="con_0")),
    ("transferred",               make(TransferContact, contact_id="con_0", to_queue="everyone")),
    ("its agent is gone",         make(DeleteAgent, agent_id="ann")),
])  # fmt: skip
def test_a_paused_contact_may_leave(rule: str, command: Event) -> None:
    pool = ann_with("email", setup=queue(wrap_up_seconds=30))
    take(pool, "con_call", "voice")
    pool.receive(command)
    assert paused(pool) == [], rule
    assert not pool.floor.desks["ann"].paused
    left = pool.floor.contacts.get("con_0")
    assert left is None or left.state in {"parked", "waiting"}


# -- the choice, and what is said of it -----------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "interrupted_by", "call", "expected"), [
    ("who could pause it is ready for calls, and that has a price", ALL, 0,      "bob"),
    ("also when it is protected: that is soon over",                ALL, BUDGET, "bob"),
    ("who couldn't isn't, and holds least",                         {},  0,      "ann"),
])  # fmt: skip
def test_interruptible_work_leaves_an_agent_ready_for_calls(
    rule: str, interrupted_by: Any, call: int, expected: str
) -> None:
    rules: dict[str, Any] = {"interrupted_by": interrupted_by}
    pool = PoolDriver(agent("ann", "a", **rules), agent("bob", "b", max={"voice": 0}))
    pool.receive(opened("con_call", channel="voice"), close("con_call"))
    for number, skill in enumerate(("a", "b", "b")):
        pool.receive(opened(f"con_{number}", skill), accept(f"con_{number}.offer.1"))
    if call:
        call_for(pool, call, "con_long")
    pool.receive(opened("con_new"))
    assert pool.contact("con_new").offer_agent == expected, rule


def test_a_call_goes_where_least_has_to_be_paused() -> None:
    pool = PoolDriver(ann(), agent("bob", "public", interrupted_by=ALL))
    for number in range(3):
        take(pool, f"con_{number}", "email")
    pool.receive(opened("con_call", channel="voice"))
    assert pool.contact("con_call").offer_agent == "bob"


def test_it_explains_itself() -> None:
    pool = ann_with("email", "email", "email", "email", "email", "email")
    take(pool, "con_chat", "chat")
    pool.advance(BUDGET - 450)
    text = "promise of 240:00; paused for con_chat, 7:30 of its budget left"
    assert explain(pool.floor, pool.contact("con_5"), pool.now).text == text
    assert explain(pool.floor, pool.contact("con_5"), pool.now).next_change_at == pool.now + 450 * SECOND
    pool.receive(opened("con_new"))
    reasons = [one.why for one in explain(pool.floor, pool.contact("con_new"), pool.now).candidates]
    assert reasons == ["at capacity 120/120, 40 kept for paused and parked work"]
