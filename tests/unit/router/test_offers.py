"""Offers: accepted, declined, timed out, and what becomes of a contact that nobody takes."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.commands import Command
from tests.simulation.router.builders import accept, agent, close, decline, opened, presence, queue, relax
from tests.simulation.router.driver import PoolDriver

ANN, BOB, CAT = agent("ann"), agent("bob"), agent("cat")
FIRST = "con_1.offer.1"
ACCEPTED = [accept(FIRST, "ann")]
DECLINED = [decline(FIRST, "ann")]


def asked(*setup: Any) -> PoolDriver:
    pool = PoolDriver(*setup)
    pool.receive(opened())
    return pool


def test_a_silent_agent_loses_the_offer_after_twenty_seconds() -> None:
    pool = asked(ANN, queue(offers_max=1))
    pool.advance(seconds=20)
    assert pool.event_types() == ["contact.queued", "contact.offered", "offer.expired", "contact.unroutable"]


def test_an_offer_lasts_as_long_as_its_queue_says() -> None:
    pool = asked(ANN, queue(offer_seconds=60))
    pool.advance(59.999)
    assert "offer.expired" not in pool.event_types()
    pool.advance(0.001)
    assert "offer.expired" in pool.event_types()


def test_an_accepted_contact_is_assigned() -> None:
    pool = asked(ANN)
    pool.advance(7)
    outcome = pool.run(accept(FIRST, "ann"))
    assert outcome.state == {"contact_id": "con_1", "state": "assigned", "queue": "everyone", "agent": "ann"}
    assigned = pool.events("contact.assigned")[0]
    assert (assigned.agent_id, assigned.units, assigned.waited_seconds) == ("ann", 20, 7.0)
    pool.advance(60)
    assert "offer.expired" not in pool.event_types()


@pytest.mark.parametrize(("rule", "before", "command", "status", "code", "state"), [
    ("only the agent who was asked",        [], accept(FIRST, "bob"),                     403, "forbidden", "offered"),
    ("a supervisor for anyone",             [], accept(FIRST),                            200, "ok", "assigned"),
    ("the same accept again",               ACCEPTED, accept(FIRST, "ann"), 200, "ok", "assigned"),
    ("somebody else is too late",           ACCEPTED, accept(FIRST, "bob"), 409, "offer_ended", "assigned"),
    ("a decline after the accept",          ACCEPTED, decline(FIRST, "ann"), 409, "offer_ended", "assigned"),
    ("an accept after the decline",         DECLINED, accept(FIRST, "ann"), 409, "offer_ended", "offered"),
    ("the same decline again",              DECLINED, decline(FIRST, "ann"), 200, "ok", "offered"),
    ("somebody else's decline",             [], decline(FIRST, "bob"),                    403, "forbidden", "offered"),
    ("somebody else's decline, repeated",   DECLINED, decline(FIRST, "bob"), 409, "offer_ended", "offered"),
    ("what was closed can't be accepted",   [close()], accept(FIRST, "ann"),              409, "offer_ended", "closed"),
    ("an offer that was never made",        [], accept("con_1.offer.9", "ann"),           404, "not_found", None),
    ("an unknown contact",                  [], accept("con_x.offer.1", "ann"),           404, "not_found", None),
    ("no offer's id at all",                [], decline("con_1", "ann"),                  404, "not_found", None),
])  # fmt: skip
def test_answers(
    rule: str, before: list[Command], command: Command, status: int, code: str, state: str | None
) -> None:
    pool = asked(ANN, BOB)
    pool.receive(*before)
    outcome = pool.run(command)
    assert (outcome.status, outcome.code, outcome.state.get("state")) == (status, code, state), rule


def test_an_answer_too_late_gets_the_present_state() -> None:
    pool = asked(ANN, BOB)
    pool.advance(20)
    outcome = pool.run(accept(FIRST, "ann"))
    assert (outcome.status, outcome.state["offer_id"], outcome.state["agent"]) == (409, "con_1.offer.2", "bob")


def test_an_accept_wins_while_its_offer_is_live() -> None:
    """It was appended in time and is fed before the timer, though the time has come."""
    pool = asked(ANN)
    pool.now += 20_000_000
    assert pool.run(accept(FIRST, "ann")).status == 200
    assert "offer.expired" not in pool.event_types()


def test_who_declined_is_not_asked_before_everybody_was() -> None:
    pool = asked(ANN, BOB, CAT, queue(offers_max=9))
    for number, agent_id in enumerate(["ann", "bob", "cat", "ann", "bob"], 1):
        assert pool.contact().offer_agent == agent_id
        pool.receive(decline(f"con_1.offer.{number}", agent_id))
    assert [one.asked_again for one in pool.events("contact.offered")] == [False, False, False, True, False, False]


def test_who_is_full_counts_among_those_to_be_asked() -> None:
    """Ann declined; Bob, who has no room now, shall be asked before she is asked again."""
    pool = PoolDriver(agent("ann", units=20), [presence("ann", "away")], agent("bob", units=20))
    pool.receive(opened("con_0"), accept("con_0.offer.1"), presence("ann"))
    pool.receive(opened(), decline(FIRST, "ann"))
    assert pool.contact().state == "waiting"
    pool.receive(close("con_0", "bob"))
    assert pool.contact().offer_agent == "bob"


def test_when_the_one_to_be_asked_leaves_the_asking_begins_anew() -> None:
    pool = PoolDriver(agent("ann", units=20), [presence("ann", "away")], agent("bob", units=20))
    pool.receive(opened("con_0"), accept("con_0.offer.1"), presence("ann"))
    pool.receive(opened(), decline(FIRST, "ann"), presence("bob", "away"))
    assert (pool.contact().offer_agent, pool.contact().offers_made) == ("ann", 2)


def test_who_could_never_hold_it_need_not_be_asked() -> None:
    """Carl has the skills and takes no calls: he isn't the somebody else whom a decliner waits for."""
    pool = PoolDriver(agent("ann"), agent("carl", max={"voice": 0}))
    pool.receive(opened(channel="voice"), decline("con_1.offer.1", "ann"))
    assert pool.offers() == [("con_1", "ann"), ("con_1", "ann")]


def test_when_the_one_to_be_asked_loses_the_skill_the_asking_begins_anew() -> None:
    pool = PoolDriver(agent("ann", "tax", units=20), [presence("ann", "away")], agent("bob", "tax", units=20))
    pool.receive(opened("con_0"), accept("con_0.offer.1"), presence("ann"))
    pool.receive(opened("con_1", "tax"), decline(FIRST, "ann"), *agent("bob", units=20)[:1])
    assert (pool.contact().offer_agent, pool.contact().offers_made) == ("ann", 2)


def test_every_decline_of_a_round_may_be_repeated() -> None:
    pool = PoolDriver(queue(offers_max=50), agent("ann"))
    pool.receive(opened(), *(decline(f"con_1.offer.{n}", "ann") for n in range(1, 13)))
    assert pool.run(decline("con_1.offer.1", "ann")).status == 200


def test_the_last_decliner_does_not_pick_it_at_once() -> None:
    pool = asked(ANN, BOB)
    pool.receive(decline(FIRST, "ann"), decline("con_1.offer.2", "bob"))
    assert pool.contact().offer_agent == "ann"


def unanswered(*setup: Any) -> PoolDriver:
    """Ann has let it expire twice, which is as often as the queue allows."""
    pool = asked(ANN, queue(offers_max=2), *setup)
    pool.advance(40)
    assert pool.contact().unroutable == "nobody_answers"
    return pool


def test_after_so_many_offers_it_is_flagged_and_keeps_its_place() -> None:
    pool = unanswered()
    pool.advance(3_600)
    assert pool.contact().state == "waiting"
    assert len(pool.offers()) == 2


def test_the_flag_ends_with_an_offer_to_somebody_new() -> None:
    pool = unanswered()
    pool.receive(*BOB)
    assert pool.event_types()[-2:] == ["contact.unroutable", "contact.offered"]
    assert (pool.contact().offer_agent, pool.contact().unroutable) == ("bob", None)


def test_who_was_asked_does_not_get_what_nobody_answers() -> None:
    pool = unanswered()
    pool.receive(opened("con_2"), accept("con_2.offer.1", "ann"), close("con_2", "ann"))
    assert pool.contact().state == "waiting"


def test_who_comes_back_counts_as_new() -> None:
    pool = unanswered()
    pool.receive(presence("ann", "away"), presence("ann"))
    assert pool.contact().offer_agent == "ann"


def test_a_flagged_contact_does_not_block_the_ones_behind_it() -> None:
    pool = unanswered()
    pool.receive(opened("con_2"))
    assert pool.contact("con_2").offer_agent == "ann"


def test_an_offer_holds_capacity() -> None:
    pool = PoolDriver(agent("ann", units=40))
    pool.receive(*(opened(f"con_{n}") for n in range(3)))
    assert pool.offers() == [("con_0", "ann"), ("con_1", "ann")]
    pool.receive(close("con_0"))
    assert pool.offers()[2:] == [("con_2", "ann")]


def test_relaxation_goes_on_while_an_offer_is_live() -> None:
    pool = asked(ANN, queue(relax=(relax(10, "vip"),)))
    pool.advance(20)
    assert pool.event_types()[:4] == ["contact.queued", "contact.offered", "contact.relaxed", "offer.expired"]
    assert pool.contact().state == "waiting"
