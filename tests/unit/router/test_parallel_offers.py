"""Several agents asked at once for a contact: the first accept wins, and each offer is its agent's own."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.commands import Command, DeleteAgent, PutAgent
from tests.simulation.router.builders import (
    accept,
    agent,
    close,
    decline,
    escalation,
    left,
    make,
    opened,
    presence,
    put_queue,
    queue,
    relax,
    response,
    withdrawn,
)
from tests.simulation.router.driver import PoolDriver

ANN, BOB, CAT = agent("ann", units=20), agent("bob", units=20), agent("cat", units=20)
TWO = queue(parallel_offers=2)
THREE = queue(parallel_offers=3)
ANNS, BOBS = "con_1.offer.1", "con_1.offer.2"


def asked(*setup: Any) -> PoolDriver:
    """Ann and Bob are asked at once, unless the setup says otherwise."""
    pool = PoolDriver(*(setup or (TWO, ANN, BOB)))
    pool.receive(opened())
    return pool


def asking(pool: PoolDriver, contact_id: str = "con_1") -> list[str]:
    """Who is being asked, in the order in which they were."""
    return [offer.agent_id for offer in pool.contact(contact_id).offers]


@pytest.mark.parametrize(("rule", "parallel", "agents", "are_asked"), [
    ("one at a time unless the queue says more",       1, [ANN, BOB, CAT], ["ann"]),
    ("as many as the queue says",                      2, [ANN, BOB, CAT], ["ann", "bob"]),
    ("fewer when there are no more",                   5, [ANN, BOB], ["ann", "bob"]),
    ("only who is able",                               3, [ANN, agent("bob", max={"email": 0}), CAT], ["ann", "cat"]),
    ("only who is there",                              3, [ANN, BOB, [presence("bob", "away")]], ["ann"]),
])  # fmt: skip
def test_so_many_are_asked_at_once(rule: str, parallel: int, agents: list[Any], are_asked: list[str]) -> None:
    pool = asked(queue(parallel_offers=parallel), *agents)
    assert asking(pool) == are_asked, rule
    assert [one.offer_id for one in pool.events("contact.offered")] == [ANNS, BOBS][: len(are_asked)]


def test_the_first_accept_wins_and_the_rest_are_withdrawn() -> None:
    pool = asked(THREE, ANN, BOB, CAT)
    assert pool.run(accept(BOBS, "bob")).state["agent"] == "bob"
    assert pool.event_types()[4:] == ["offer.accepted", "offer.withdrawn", "offer.withdrawn", "contact.assigned"]
    gone = [(one.offer_id, one.agent_id, one.reason) for one in pool.events("offer.withdrawn")]
    assert gone == [(ANNS, "ann", "accepted_by_another"), ("con_1.offer.3", "cat", "accepted_by_another")]
    pool.advance(600)
    assert pool.contact().agent_id == "bob"
    assert "offer.expired" not in pool.event_types()


WON = [accept(BOBS, "bob")]


@pytest.mark.parametrize(("rule", "before", "command", "status", "code", "state", "holder"), [
    ("either may accept",                            [], accept(BOBS, "bob"), 200, "ok", "assigned", "bob"),
    ("the winner may say so again",                  WON, accept(BOBS, "bob"), 200, "ok", "assigned", "bob"),
    ("the other comes too late",                     WON, accept(ANNS, "ann"), 409, "offer_ended", "assigned", "bob"),
    ("nobody accepts another's offer",               [], accept(BOBS, "ann"), 403, "forbidden", "offered", "ann"),
    ("nor with another's win",                       WON, accept(BOBS, "ann"), 409, "offer_ended", "assigned", "bob"),
    ("a decline leaves the others asked",            [], decline(ANNS, "ann"), 200, "ok", "offered", "bob"),
    ("a decline after another's accept",             WON, decline(ANNS, "ann"), 409, "offer_ended", "assigned", "bob"),
    ("who declined can't accept",                    [decline(ANNS, "ann")], accept(ANNS, "ann"),
     409, "offer_ended", "offered", "bob"),
    ("who declined may decline again",               [decline(ANNS, "ann")], decline(ANNS, "ann"),
     200, "ok", "offered", "bob"),
])  # fmt: skip
def test_answers_of_racers(
    rule: str, before: list[Command], command: Command, status: int, code: str, state: str, holder: str
) -> None:
    pool = asked()
    pool.receive(*before)
    outcome = pool.run(command)
    found = (outcome.status, outcome.code, outcome.state["state"], outcome.state["agent"])
    assert found == (status, code, state, holder), rule


def test_the_present_state_names_everybody_who_is_asked() -> None:
    offers = [{"offer_id": ANNS, "agent": "ann"}, {"offer_id": BOBS, "agent": "bob"}]
    assert asked().run(accept(BOBS, "ann")).state["offers"] == offers


def test_an_accept_in_time_wins_though_every_time_out_is_due() -> None:
    """It was appended before the time-out and is fed before the timer."""
    pool = asked()
    pool.now += 20_000_000
    assert pool.run(accept(BOBS, "bob")).status == 200
    assert "offer.expired" not in pool.event_types()


def test_each_offer_has_its_own_time_out() -> None:
    pool = asked(TWO, ANN)
    pool.advance(10)
    pool.receive(*BOB)
    assert asking(pool) == ["ann", "bob"]
    pool.advance(10)
    assert (asking(pool), pool.events("offer.expired")[0].agent_id) == (["bob"], "ann")
    assert pool.run(accept(ANNS, "ann")).status == 409
    pool.advance(10)
    assert [one.agent_id for one in pool.events("offer.expired")] == ["ann", "bob"]


def test_offers_that_end_at_once_end_in_one_step() -> None:
    """Nobody new is asked between two time-outs of the same moment."""
    pool = asked(queue(parallel_offers=2, offers_max=9), ANN, BOB, CAT)
    pool.advance(20)
    assert pool.event_types()[3:] == ["offer.expired", "offer.expired", "contact.offered"]
    assert asking(pool) == ["cat"]


def test_every_offer_holds_its_own_agents_capacity_at_their_cost() -> None:
    pool = asked(TWO, agent("ann", units=100, cost={"async": 60}), agent("bob", units=100, cost={"async": 30}))
    assert {one: desk.used for one, desk in pool.floor.desks.items()} == {"ann": 60, "bob": 30}
    pool.receive(accept(BOBS, "bob"))
    assert {one: desk.used for one, desk in pool.floor.desks.items()} == {"ann": 0, "bob": 30}
    pool.receive(close())
    assert pool.floor.desks["bob"].used == 0


def test_two_contacts_race_for_the_same_agents_and_nobody_is_asked_above_capacity() -> None:
    pool = PoolDriver(TWO, ANN, BOB)
    pool.receive(opened(), opened("con_2"))
    assert (asking(pool), pool.contact("con_2").state) == (["ann", "bob"], "waiting")
    pool.receive(accept(ANNS, "ann"))
    assert asking(pool, "con_2") == ["bob"]


def test_who_becomes_free_takes_what_waits_before_being_asked_beside_others() -> None:
    """The older contact asks Ann alone; the younger, whom nobody is asked for, goes first when Bob comes."""
    pool = PoolDriver(TWO, ANN)
    pool.receive(opened(), opened("con_2"), *BOB)
    assert (asking(pool), asking(pool, "con_2")) == (["ann"], ["bob"])


def test_who_becomes_free_is_asked_beside_others_when_nothing_waits() -> None:
    pool = asked(TWO, ANN)
    pool.receive(*BOB)
    assert asking(pool) == ["ann", "bob"]


def test_the_highest_score_is_topped_up_first() -> None:
    pool = PoolDriver(TWO, ANN, BOB)
    pool.receive(opened("con_1"), presence("bob", "away"), presence("ann", "away"))
    pool.receive(presence("ann"), opened("con_2", strikes=3), *CAT)
    assert (asking(pool, "con_1"), asking(pool, "con_2")) == (["ann"], ["cat"])
    pool.receive(*BOB)
    assert asking(pool, "con_2") == ["cat", "bob"]


@pytest.mark.parametrize("first", [accept(ANNS, "ann"), decline(ANNS, "ann")])
def test_who_is_being_asked_is_not_asked_twice(first: Command) -> None:
    pool = PoolDriver(queue(parallel_offers=3), agent("ann"), agent("bob"))
    pool.receive(opened(), first)
    assert [one for one in pool.offers() if one == ("con_1", "bob")] == [("con_1", "bob")]


# -- decliners ---------------------------------------------------------------------------------------------------


def test_a_decliner_is_replaced_by_somebody_who_was_not_asked() -> None:
    pool = asked(queue(parallel_offers=2, offers_max=9), ANN, BOB, CAT)
    pool.receive(decline(ANNS, "ann"))
    assert asking(pool) == ["bob", "cat"]


def test_a_declined_contact_does_not_stay_with_its_decliner() -> None:
    """Ann declined and Bob still rings: she isn't asked again before he has answered."""
    pool = asked(queue(parallel_offers=2, offers_max=9), ANN, BOB)
    pool.receive(decline(ANNS, "ann"))
    assert asking(pool) == ["bob"]
    pool.receive(decline(BOBS, "bob"))
    assert asking(pool) == ["ann", "bob"]
    assert [one.asked_again for one in pool.events("contact.offered")] == [False, False, True, False]


def test_no_round_begins_while_somebody_is_asked_who_could_not_be_asked_now() -> None:
    """Bob has an offer and has lost the skill for it since: Ann, who declined, waits for his answer all the same."""
    pool = PoolDriver(queue(parallel_offers=2, offers_max=9), agent("ann", "tax"), agent("bob", "tax"))
    pool.receive(opened("con_1", "tax"), make(PutAgent, agent_id="bob", skills={}), decline(ANNS, "ann"))
    assert asking(pool) == ["bob"]
    pool.receive(decline(BOBS, "bob"))
    assert asking(pool) == ["ann"]


def test_who_is_full_is_asked_before_a_decliner_is_asked_again() -> None:
    pool = PoolDriver(queue(parallel_offers=2, offers_max=9), ANN)
    pool.receive(opened("con_0"), accept("con_0.offer.1"), *BOB, *CAT, opened())
    pool.receive(decline(ANNS, "bob"), decline(BOBS, "cat"))
    assert pool.contact().state == "waiting"
    pool.receive(close("con_0"))
    assert asking(pool) == ["ann"]


def test_no_round_is_longer_than_offers_max() -> None:
    """Three may be asked in vain; the flag comes when the last of them has had the chance to answer."""
    pool = asked(queue(parallel_offers=2, offers_max=3), ANN, BOB, CAT, agent("dan", units=20))
    pool.receive(decline(ANNS, "ann"))
    pool.receive(decline(BOBS, "bob"))
    assert (asking(pool), pool.contact().unroutable) == (["cat"], None)
    pool.receive(decline("con_1.offer.3", "cat"))
    assert (pool.contact().state, pool.contact().unroutable) == ("waiting", "nobody_answers")
    assert pool.event_types()[-2:] == ["offer.declined", "contact.unroutable"]


def test_an_offer_that_is_withdrawn_was_not_in_vain() -> None:
    pool = asked(queue(parallel_offers=2, offers_max=2), ANN, BOB)
    pool.receive(decline(ANNS, "ann"), presence("bob", "away"))
    assert (pool.contact().bounces, pool.contact().unroutable, asking(pool)) == (1, None, ["ann"])


# -- what else ends offers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "events", "reason", "still_asked"), [
    ("who goes away takes only their own offer along", [presence("ann", "away")],             "agent_not_available", 1),
    ("who is deleted too",                             [make(DeleteAgent, agent_id="ann")],   "agent_deleted", 1),
    ("an answer elsewhere ends all",                   [response()],                          "answered_elsewhere", 0),
    ("a closing ends all",                             [close()],                             "closed", 0),
    ("a customer who leaves ends all",                 [left()],                              "customer_left", 0),
    ("a deletion by the author ends all",              [withdrawn()],                         "contact_withdrawn", 0),
])  # fmt: skip
def test_what_withdraws_offers(rule: str, events: list[Any], reason: str, still_asked: int) -> None:
    pool = asked()
    pool.receive(*events)
    assert [one.reason for one in pool.events("offer.withdrawn")] == [reason] * (2 - still_asked), rule
    assert sum(desk.used for desk in pool.floor.desks.values()) == 20 * still_asked


def test_reassigned_asks_other_people() -> None:
    pool = asked(queue(parallel_offers=2, offers_max=9), ANN, BOB, CAT, agent("dan", units=20))
    pool.receive(escalation(do="reassign"))
    assert asking(pool) == ["cat", "dan"]


def test_a_relaxation_widens_who_is_asked_beside_those_who_are() -> None:
    wider = queue(parallel_offers=2, requirement=relax(0, "vip").requirement, relax=(relax(5),))
    pool = asked(wider, agent("ann", "vip"), BOB)
    assert asking(pool) == ["ann"]
    pool.advance(5)
    assert asking(pool) == ["ann", "bob"]


def test_the_last_agent_is_asked_alone_while_it_is_held_for_them() -> None:
    pool = PoolDriver(queue(parallel_offers=2, last_agent_seconds=10, offer_seconds=60), ANN, agent("bob"))
    pool.receive(opened(last_agent="bob"))
    assert asking(pool) == ["bob"]
    pool.advance(10)
    assert asking(pool) == ["bob", "ann"]


def test_a_last_agent_who_declines_ends_the_hold() -> None:
    pool = PoolDriver(queue(parallel_offers=2, last_agent_seconds=100), ANN, BOB, CAT)
    pool.receive(opened(last_agent="bob"), decline(ANNS, "bob"))
    assert asking(pool) == ["ann", "cat"]


def test_rules_are_pinned_to_who_entered_by_them() -> None:
    pool = asked(TWO, ANN)
    pool.receive(put_queue(parallel_offers=1), *BOB)
    assert asking(pool) == ["ann", "bob"]


# -- restored ----------------------------------------------------------------------------------------------------


def played(restore_before: int) -> list[Any]:
    """A contact's offers from the first to the end, restored before one of the steps."""
    pool = PoolDriver(queue(parallel_offers=3, offers_max=9), ANN, BOB)
    steps = [opened(), *CAT, decline(ANNS, "ann"), opened("con_2"), presence("bob", "away"), accept("con_1.offer.3")]
    for number, step in enumerate(steps):
        if number == restore_before:
            pool.restore(sorted(pool.stored, reverse=True))
        pool.receive(step)
    pool.advance(30)
    return [(one.event, one.sequence) for one in pool.emitted]


@pytest.mark.parametrize("before", range(1, 7))
def test_a_restore_between_the_offers_changes_nothing(before: int) -> None:
    assert shown(played(before)) == shown(played(99))


def shown(events: list[Any]) -> list[Any]:
    return [(event.type, event.subject, getattr(event, "agent_id", None), sequence) for event, sequence in events]


def test_a_record_with_the_one_offer_of_old_still_has_it() -> None:
    """What was stored before there could be several names only an agent and a time."""
    pool = asked(ANN)
    pool.stored = {
        key: value.replace(b'"offers":[', b'"was":[') if key.startswith("contact|") else value
        for key, value in pool.stored.items()
    }
    pool.restore()
    assert pool.run(accept(ANNS, "ann")).status == 200


# -- by medium ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "channel", "seconds"), [
    ("a medium's own time-out", "voice", 15),
    ("else the queue's",        "email", 20),
    ("else the queue's",        "chat",  20),
])  # fmt: skip
def test_an_offer_lasts_as_long_as_its_medium(rule: str, channel: str, seconds: int) -> None:
    pool = PoolDriver(queue(offer_seconds_by_medium={"voice": 15}), agent("ann"))
    pool.receive(opened(channel=channel))
    pool.advance(seconds - 0.001)
    assert "offer.expired" not in pool.event_types(), rule
    pool.advance(0.001)
    assert "offer.expired" in pool.event_types(), rule


AT_ONCE = queue(auto_accept=("voice",), parallel_offers=3)


def test_auto_accept_assigns_at_once_with_the_offers_events() -> None:
    pool = PoolDriver(AT_ONCE, agent("ann"), agent("bob"))
    pool.receive(opened(channel="voice"))
    assert pool.event_types() == ["contact.queued", "contact.offered", "offer.accepted", "contact.assigned"]
    assert (pool.contact().agent_id, pool.contact().answered, pool.events("offer.accepted")[0].automatic) == (
        "ann", True, True,
    )  # fmt: skip
    assert pool.run(accept(ANNS, "ann")).status == 200


def test_auto_accept_is_for_its_media_only() -> None:
    pool = PoolDriver(AT_ONCE, ANN, BOB)
    pool.receive(opened())
    assert (pool.contact().state, asking(pool)) == ("offered", ["ann", "bob"])


def test_what_waited_is_assigned_at_once_to_who_comes() -> None:
    pool = PoolDriver(AT_ONCE)
    pool.receive(opened(channel="voice"), opened("con_2", channel="voice"), *agent("ann"))
    assert (pool.contact().state, pool.contact("con_2").state) == ("assigned", "waiting")


@pytest.mark.parametrize(("rule", "fields"), [
    ("at least one at a time",       {"parallel_offers": 0}),
    ("at most five",                 {"parallel_offers": 6}),
    ("a time-out is at least 1 s",   {"offer_seconds_by_medium": {"voice": 0}}),
    ("a time-out is at most 1 h",    {"offer_seconds_by_medium": {"voice": 3_601}}),
])  # fmt: skip
def test_a_queue_has_bounds(rule: str, fields: dict[str, Any]) -> None:
    assert PoolDriver().run(put_queue("q", **fields)).status == 422, rule
