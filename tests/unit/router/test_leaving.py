"""How agents come to leave: a break when free, the end of a shift, offers missed in a row."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import DeleteAgent, ParkContact, PutAgent, ReleaseContact, RenewLeases
from libs.common.events.values import Match
from tests.simulation.router.builders import START, accept, agent, close, decline, make, opened, presence, queue
from tests.simulation.router.driver import PoolDriver

LUNCH = presence("ann", "away", reason="lunch", when_free=True)
HOME = presence("ann", "offline", reason="home", when_free=True)
FIRST = "con_1.offer.1"


def at_work(*more: Any) -> PoolDriver:
    """Ann holds a contact and has room for others."""
    pool = PoolDriver(agent("ann"), *more)
    pool.receive(opened(), accept(FIRST, "ann"))
    return pool


def stands(pool: PoolDriver) -> tuple[str, str | None, str | None]:
    ann = pool.floor.desks["ann"].agent
    return ann.status, ann.reason, ann.next_status


# -- a break when free -------------------------------------------------------------------------------------------


def test_who_asks_for_a_break_while_busy_gets_no_new_work() -> None:
    pool = at_work()
    outcome = pool.run(LUNCH)
    shown = {"agent_id": "ann", "status": "busy", "reason": "lunch", "next_status": "away"}
    assert (outcome.status, outcome.state) == (200, shown)
    pool.receive(opened("con_2"))
    assert pool.contact("con_2").state == "waiting"
    changed = pool.events("agent.presence_changed")[-1]
    assert (changed.status, changed.reason, changed.next_status) == ("busy", "lunch", "away")


@pytest.mark.parametrize(("rule", "wish", "last_step", "then"), [
    ("the break begins when the last contact is closed", LUNCH, [close()],                       "away"),
    ("or released",                       LUNCH, [make(ReleaseContact, contact_id="con_1")],     "away"),
    ("or parked",                         LUNCH, [make(ParkContact, contact_id="con_1")],        "away"),
    ("who wants to go home is offline",   HOME,  [close()],                                      "offline"),
])  # fmt: skip
def test_a_break_begins_when_the_last_contact_leaves(rule: str, wish: Any, last_step: list[Any], then: str) -> None:
    pool = at_work()
    pool.receive(wish)
    pool.receive(*last_step)
    assert stands(pool) == (then, wish.reason, None), rule
    assert pool.floor.desks["ann"].agent.release_at is None, rule


def test_not_before_the_last_of_several() -> None:
    pool = at_work()
    pool.receive(opened("con_2"), accept("con_2.offer.1", "ann"), LUNCH, close())
    assert stands(pool) == ("busy", "lunch", "away")
    pool.receive(close("con_2"))
    assert stands(pool) == ("away", "lunch", None)


def test_a_wrap_up_comes_first() -> None:
    pool = at_work(queue(wrap_up_seconds=30))
    pool.receive(LUNCH, close("con_1", "ann"))
    assert stands(pool)[0] == "busy"
    pool.advance(30)
    assert stands(pool)[0] == "away"


def test_who_holds_nothing_leaves_at_once_and_offers_go_on() -> None:
    pool = PoolDriver(agent("ann"), agent("bob"))
    pool.receive(opened(), LUNCH)
    assert stands(pool) == ("away", "lunch", None)
    assert pool.offers() == [("con_1", "ann"), ("con_1", "bob")]


def test_who_thinks_better_of_it_gets_work_again() -> None:
    pool = at_work()
    pool.receive(LUNCH, opened("con_2"), presence("ann"))
    assert (stands(pool), pool.contact("con_2").offer_agent) == (("available", None, None), "ann")


def test_who_cannot_wait_leaves_with_the_work() -> None:
    pool = at_work()
    pool.receive(LUNCH, presence("ann", "away", reason="fire"), close())
    assert [one.reason for one in pool.events("agent.presence_changed")][-2:] == ["lunch", "fire"]


def test_the_same_wish_again_only_renews_the_lease() -> None:
    pool = at_work()
    pool.receive(LUNCH)
    again = presence("ann", "away", reason="lunch", when_free=True, lease=30)
    assert pool.receive(again) == []
    assert pool.floor.desks["ann"].agent.lease_until == pool.now + 30 * SECOND


@pytest.mark.parametrize(("rule", "fields"), [
    ("who is there doesn't leave", {"status": "available", "when_free": True}),
    ("busy is no leaving",         {"status": "busy", "when_free": True}),
    ("a shift ends later",         {"until": START}),
    ("who isn't there has none",   {"status": "offline", "until": START + SECOND}),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(rule: str, fields: dict[str, Any]) -> None:
    assert PoolDriver(agent("ann")).run(presence("ann", **fields)).status == 422, rule


# -- the end of a shift ------------------------------------------------------------------------------------------


def on_shift(seconds: int, *, lease: int = 86_400) -> PoolDriver:
    """Ann holds a contact; her shift ends in so many seconds."""
    pool = at_work()
    pool.receive(presence("ann", until=pool.now + seconds * SECOND, lease=lease))
    return pool


def test_a_shift_ends_with_the_last_contact() -> None:
    pool = on_shift(600)
    pool.advance(599)
    pool.receive(opened("con_2"))
    assert pool.contact("con_2").offer_agent == "ann"
    pool.advance(1)
    assert (stands(pool), pool.contact("con_2").state) == (("busy", "shift_ended", "offline"), "waiting")
    assert pool.events("offer.withdrawn")[0].reason == "shift_ended"
    pool.receive(close())
    assert stands(pool) == ("offline", "shift_ended", None)


def test_who_holds_nothing_at_the_end_is_offline() -> None:
    pool = on_shift(600)
    pool.receive(close())
    pool.advance(600)
    assert stands(pool) == ("offline", "shift_ended", None)
    pool.advance(86_400)
    assert len(pool.events("agent.presence_changed")) == 3


def test_a_break_outlasts_no_shift() -> None:
    pool = at_work()
    until = pool.now + 600 * SECOND
    pool.receive(presence("ann", "away", reason="lunch", until=until, when_free=True))
    pool.advance(600)
    assert stands(pool) == ("busy", "shift_ended", "offline")


def test_a_presence_without_an_end_has_none() -> None:
    pool = on_shift(600)
    pool.receive(presence("ann"))
    pool.advance(600)
    assert stands(pool)[0] == "available"


def test_who_has_gone_home_before_has_no_shift_left() -> None:
    pool = at_work()
    pool.receive(presence("ann", "away", reason="home", when_free=True, until=pool.now + 600 * SECOND))
    pool.receive(make(RenewLeases, leases={"ann": 60}), presence("ann", until=pool.now + 600 * SECOND), HOME, close())
    assert (stands(pool), pool.floor.desks["ann"].agent.until) == (("offline", "home", None), None)


def test_a_break_keeps_the_end_of_the_shift() -> None:
    pool = at_work()
    pool.receive(presence("ann", "away", reason="lunch", when_free=True, until=pool.now + 600 * SECOND), close())
    assert stands(pool)[0] == "away"
    pool.advance(600)
    assert stands(pool)[:2] == ("offline", "shift_ended")


def test_a_deleted_agents_shift_is_over() -> None:
    pool = on_shift(600)
    pool.receive(make(DeleteAgent, agent_id="ann"))
    assert pool.advance(2 * 86_400) == []


# -- with the lease, its grace and the release -------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "seconds", "wish"), [
    ("who vanishes before the break",    0,   presence("ann", "away", reason="lunch", when_free=True, lease=60)),
    ("who vanishes after the shift",     30,  presence("ann", until=START + 30 * SECOND, lease=60)),
])  # fmt: skip
def test_a_lease_ends_whoever_wants_to_leave(rule: str, seconds: int, wish: Any) -> None:
    """Offline when it ends; a minute later what is unanswered goes back, and nothing is left of the wish."""
    pool = at_work()
    pool.receive(wish)
    pool.advance(seconds)
    assert stands(pool)[0] == "busy", rule
    pool.advance(60 - seconds)
    assert stands(pool) == ("offline", "lease_ended", None), rule
    pool.advance(59)
    assert pool.contact().state == "assigned", rule
    pool.advance(1)
    assert pool.contact().state == "waiting", rule
    assert stands(pool) == ("offline", "lease_ended", None), rule


def test_heartbeats_keep_who_finishes_before_a_break() -> None:
    pool = at_work()
    pool.receive(presence("ann", "away", reason="lunch", when_free=True, lease=60))
    for _ in range(5):
        pool.advance(50)
        pool.receive(make(RenewLeases, leases={"ann": 60}))
    assert stands(pool) == ("busy", "lunch", "away")


def test_work_stays_for_who_goes_home_at_once_and_comes_back_in_time() -> None:
    pool = at_work()
    pool.receive(presence("ann", "offline"))
    pool.advance(59)
    pool.receive(HOME)
    assert stands(pool) == ("busy", "home", "offline")
    pool.advance(600)
    assert pool.contact().agent_id == "ann"


def test_whom_the_lease_ended_holds_what_was_answered_and_a_shift_end_adds_nothing() -> None:
    pool = on_shift(300, lease=60)
    pool.advance(1_000)
    assert [one.reason for one in pool.events("agent.presence_changed")][-1] == "lease_ended"


@pytest.mark.parametrize(("step", "expected"), [
    (LUNCH,   ("busy", "lunch", "away")),
    (close(), ("offline", "shift_ended", None)),
])  # fmt: skip
def test_a_restore_forgets_no_wish(step: Any, expected: Any) -> None:
    pool = at_work()
    pool.receive(presence("ann", until=pool.now + 600 * SECOND))
    pool.restore()
    pool.receive(step)
    pool.restore()
    pool.advance(600)
    assert stands(pool) == expected


def test_who_may_leave_leaves_after_a_restore() -> None:
    """The last contact was given up, and what settles it was not done any more."""
    pool = at_work()
    pool.receive(LUNCH)
    del pool.stored["contact|acme/main|con_1"]
    pool.restore()
    pool.advance(0)
    assert stands(pool) == ("away", "lunch", None)


# -- offers missed in a row --------------------------------------------------------------------------------------


def eager(*more: Any, most: int = 3) -> PoolDriver:
    """Ann may miss two in a row, but not three; what she misses is asked of her again."""
    put = make(PutAgent, agent_id="ann", skills={}, missed_offers_max=most)
    return PoolDriver(queue(offers_max=50), [put, presence("ann")], *more)


def test_who_misses_so_many_in_a_row_goes_away() -> None:
    pool = eager()
    pool.receive(opened())
    pool.advance(59)
    assert stands(pool)[0] == "available"
    pool.advance(1)
    assert stands(pool) == ("away", "missed_offers", None)
    assert pool.event_types()[-1] == "offer.expired"
    pool.advance(600)
    assert len(pool.offers()) == 3


@pytest.mark.parametrize(("rule", "answers"), [
    ("a decline ends the row", lambda number: decline(f"con_1.offer.{number}", "ann")),
    ("an accept ends the row", lambda number: accept(f"con_1.offer.{number}", "ann")),
])
def test_an_answer_ends_the_row(rule: str, answers: Any) -> None:
    pool = eager()
    pool.receive(opened())
    pool.advance(40)
    pool.receive(answers(3), *([make(ReleaseContact, contact_id="con_1")] if "accept" in rule else []))
    assert pool.floor.desks["ann"].agent.missed == 0, rule
    pool.advance(59)
    assert stands(pool)[0] == "available", rule
    pool.advance(1)
    assert stands(pool)[0] == "away", rule


def test_what_was_accepted_for_the_agent_ends_no_row() -> None:
    pool = eager(queue("chats", match=Match(medium="live"), auto_accept=("live",)))
    pool.receive(opened())
    pool.advance(40)
    pool.receive(opened("con_2", channel="chat"))
    assert pool.contact("con_2").agent_id == "ann"
    pool.advance(20)
    assert stands(pool)[:2] == ("away", "missed_offers")


def test_the_other_offers_of_who_goes_away_are_withdrawn() -> None:
    pool = eager(most=1)
    pool.receive(opened())
    pool.advance(10)
    pool.receive(opened("con_2"), *agent("bob"))
    pool.advance(10)
    gone = pool.events("offer.withdrawn")[0]
    assert (gone.contact_id, gone.agent_id, gone.reason) == ("con_2", "ann", "missed_offers")
    assert (pool.contact().offer_agent, pool.contact("con_2").offer_agent) == ("bob", "bob")


def test_who_comes_back_begins_anew() -> None:
    pool = eager()
    pool.receive(opened())
    pool.advance(60)
    pool.receive(presence("ann"))
    pool.advance(59)
    assert stands(pool)[0] == "available"


def test_never_where_the_setting_is_nought() -> None:
    pool = eager(most=0)
    pool.receive(opened())
    pool.advance(900)
    assert stands(pool)[0] == "available"


def test_every_racer_who_misses_is_counted() -> None:
    both = [
        one
        for name in ("ann", "bob")
        for one in (make(PutAgent, agent_id=name, skills={}, missed_offers_max=1), presence(name))
    ]
    pool = PoolDriver(queue(parallel_offers=2), both)
    pool.receive(opened())
    pool.advance(20)
    assert [one.agent_id for one in pool.events("agent.presence_changed")[-2:]] == ["ann", "bob"]
    assert pool.contact().state == "waiting"


def test_a_restore_between_the_misses_forgets_none() -> None:
    pool = eager()
    pool.receive(opened())
    pool.advance(40)
    pool.restore()
    pool.advance(20)
    assert stands(pool)[:2] == ("away", "missed_offers")


def test_who_was_sent_away_keeps_the_lease_and_the_work() -> None:
    pool = eager(most=1)
    pool.receive(opened(), accept(FIRST, "ann"), presence("ann", lease=600), opened("con_2"))
    pool.advance(20)
    assert (stands(pool)[0], pool.contact().agent_id) == ("away", "ann")
    pool.advance(580)
    assert stands(pool)[:2] == ("offline", "lease_ended")
