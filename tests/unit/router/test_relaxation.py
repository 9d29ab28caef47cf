"""How a requirement loosens: by time, by load, by escalation. The peers' traps are rows."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import DeleteAgent
from services.router.core.explain import Relaxation, explain
from tests.simulation.router.builders import (
    START,
    accept,
    agent,
    close,
    decline,
    escalation,
    make,
    need,
    opened,
    presence,
    queue,
    relax,
)
from tests.simulation.router.driver import PoolDriver

TAX: dict[str, Any] = {"requirement": need("tax:3")}
ANN = agent("ann", "tax:3", units=20)
"""The one specialist, with room for one contact."""
BOB, CAT = agent("bob", "tax:2"), agent("cat")
STEPS: dict[str, Any] = TAX | {"relax": (relax(60, "tax:2"), relax(300))}
FIRM: dict[str, Any] = TAX | {"relax": (relax(60, "tax:2", skip="never"), relax(300))}


def busy_ann(rules: dict[str, Any], *others: Any) -> PoolDriver:
    """Ann is there and has no room: what waits for her waits for somebody who is there."""
    pool = PoolDriver(queue(**rules), ANN)
    pool.receive(opened("con_0", "tax:3"), accept("con_0.offer.1", "ann"), *(one for two in others for one in two))
    pool.emitted.clear()
    return pool


def offered_after(pool: PoolDriver, seconds: int) -> list[tuple[int, str]]:
    """(seconds since the start, agent) of every offer made until then."""
    pool.advance(seconds)
    return [((one.at - START) // SECOND, one.agent_id) for one in pool.events("contact.offered")]


@pytest.mark.parametrize(("rule", "rules", "others", "expected"), [
    ("a step passes after its time",                     STEPS,                             [BOB],      [(60, "bob")]),
    ("time-outs don't add up behind the reader's back: the second counts from the first",
                                                         STEPS,                             [CAT],      [(360, "cat")]),
    ("a step may be shorter than the one before",        TAX | {"relax": (relax(60, "tax:2"), relax(10))}, [CAT],
                                                                                                        [(70, "cat")]),
    ("who is there and busy is waited for, firm or not", FIRM,                              [BOB],      [(60, "bob")]),
    ("nobody is there at any step: time alone passes",   STEPS,                             [],         []),
])  # fmt: skip
def test_by_time(rule: str, rules: dict[str, Any], others: list[Any], expected: list[tuple[int, str]]) -> None:
    pool = busy_ann(rules, *others)
    pool.receive(opened())
    assert offered_after(pool, 375)[:1] == expected, rule


def test_time_counts_from_the_entry_however_old_the_message_is() -> None:
    pool = busy_ann(STEPS, BOB)
    pool.receive(opened(occurred_at=START - 3_600 * SECOND))
    assert offered_after(pool, 59) == []
    assert offered_after(pool, 1) == [(60, "bob")]


GONE = make(DeleteAgent, agent_id="ann")
AWAY = presence("ann", "away")


@pytest.mark.parametrize(("rule", "rules", "others", "then", "expected"), [
    ("who isn't there is not waited for",               STEPS, [BOB], [AWAY],                       [(10, "bob")]),
    ("a step doesn't hold for a deleted agent",         STEPS, [BOB], [GONE],                       [(10, "bob")]),
    ("nor for one who lost the skill",                  STEPS, [BOB], [agent("ann", units=20)[0]],  [(10, "bob")]),
    ("a step that nobody can serve is passed as well",  STEPS, [CAT], [AWAY],                       [(10, "cat")]),
    ("the best of those who can is asked first",        STEPS, [CAT, BOB], [AWAY],                  [(10, "bob")]),
    ("an agent who arrives is matched at once",         STEPS, [],    [AWAY, *BOB],                 [(10, "bob")]),
    ("an agent who arrives between two steps too",      STEPS, [],    [*CAT, AWAY],                 [(10, "cat")]),
    ("who arrives while somebody better is there waits", STEPS, [],   [*BOB],                       []),
    ("a firm step is waited for",                       FIRM,  [BOB], [AWAY],                       []),
    ("and what comes after it too",                     FIRM,  [CAT], [AWAY],                       []),
])  # fmt: skip
def test_by_load(rule: str, rules: dict[str, Any], others: list[Any], then: list[Any], expected: list[Any]) -> None:
    pool = busy_ann(rules, *others)
    pool.receive(opened())
    pool.advance(10)
    pool.receive(*then)
    made = [one for one in offered_after(pool, 0) if one[1] != "ann"]
    assert made == expected, rule


def test_at_entry_nobody_is_there_for_the_first_step() -> None:
    pool = PoolDriver(queue(**STEPS), ANN, [AWAY], BOB)
    pool.receive(opened())
    assert pool.event_types() == ["contact.queued", "contact.relaxed", "contact.offered"]
    passed = pool.events("contact.relaxed")[0]
    assert (passed.step, passed.reason, passed.requirement) == (1, "nobody_available", need("tax:2"))
    assert pool.events("contact.offered")[0].relaxed == 1


def test_who_comes_back_before_anybody_took_it_gets_it_by_the_strict_wish() -> None:
    pool = PoolDriver(queue(**STEPS), ANN, [AWAY])
    pool.receive(opened(), presence("ann"))
    assert (pool.offers(), pool.contact().relaxed) == ([("con_1", "ann")], 0)


def test_what_load_opens_is_picked_in_the_order_of_the_promises() -> None:
    """Who arrives takes the most urgent of what is open, not the oldest."""
    pool = PoolDriver(queue(**STEPS), ANN, [AWAY])
    pool.receive(opened("con_mail", occurred_at=START - 600 * SECOND), opened("con_chat", channel="chat"))
    pool.receive(*agent("bob", "tax:2", units=40))
    assert pool.offers() == [("con_chat", "bob")]
    assert pool.contact("con_mail").relaxed == 0


def test_load_opens_nothing_to_who_does_not_meet_the_contacts_own_requirement() -> None:
    pool = PoolDriver(queue(**STEPS), ANN, [AWAY], BOB, agent("dan", "vip"), [presence("dan", "away")])
    pool.receive(opened("con_1", "vip"))
    assert pool.offers() == []


# -- offers and steps -------------------------------------------------------------------------------------------


def test_an_offer_in_flight_when_a_step_turns_is_not_lost() -> None:
    pool = PoolDriver(queue(**STEPS, offer_seconds=120), ANN, BOB)
    pool.receive(opened())
    pool.advance(60)
    assert (pool.contact().state, pool.contact().relaxed) == ("offered", 1)
    pool.receive(accept("con_1.offer.1", "ann"))
    assert (pool.contact().agent_id, pool.event_types()[-1]) == ("ann", "contact.assigned")


def test_a_step_that_turned_meanwhile_counts_when_the_offer_ends() -> None:
    pool = PoolDriver(queue(**STEPS, offer_seconds=90), ANN, BOB)
    pool.receive(opened())
    assert offered_after(pool, 90) == [(0, "ann"), (90, "bob")]


def test_when_nobody_answered_a_step_brings_somebody_new_and_asks_nobody_again() -> None:
    rules = queue(**TAX, relax=(relax(60), relax(30)), offers_max=1)
    pool = PoolDriver(rules, ANN, BOB)
    pool.receive(opened(), decline("con_1.offer.1", "ann"))
    assert pool.contact().unroutable == "nobody_answers"
    assert offered_after(pool, 60) == [(0, "ann"), (60, "bob")]
    pool.receive(decline("con_1.offer.2", "bob"))
    assert offered_after(pool, 600) == [(0, "ann"), (60, "bob")]


def test_released_it_keeps_its_step_and_the_next_counts_anew() -> None:
    pool = busy_ann(STEPS, BOB)
    pool.receive(opened())
    pool.advance(60)
    pool.receive(accept("con_1.offer.1", "bob"))
    pool.advance(1_000)
    pool.receive(presence("bob", "away"), escalation(do="reassign"))
    assert (pool.contact().relaxed, pool.contact().relaxed_at) == (1, START + 1_060 * SECOND)


# -- what it tells, and a new owner -----------------------------------------------------------------------------


def told(pool: PoolDriver) -> Relaxation:
    return explain(pool.floor, pool.contact(), pool.now).relaxation


def test_the_explanation_says_which_step_why_and_when_the_next_one_comes() -> None:
    pool = busy_ann(STEPS, CAT)
    pool.receive(opened())
    assert told(pool) == Relaxation(0, 2, "no step has passed", START + 60 * SECOND)
    pool.advance(60)
    assert told(pool) == Relaxation(1, 2, "waited 60 s at the step before", START + 360 * SECOND)
    pool.receive(presence("cat", "away"), AWAY)
    pool.receive(escalation(do="relax_skills"))
    assert told(pool) == Relaxation(2, 2, "its promise was about to break", None)


def test_the_explanation_tells_what_load_opens() -> None:
    """Bob could take it and has no room: it waits for him at his step, and is offered as it stood then."""
    pool = PoolDriver(queue(**STEPS), ANN, [AWAY], agent("bob", "tax:2", units=20))
    pool.receive(opened("con_0"), accept("con_0.offer.1", "bob"), opened())
    shown = explain(pool.floor, pool.contact(), pool.now)
    assert (pool.contact().relaxed, shown.requirement) == (0, need("tax:2"))
    due = START + 60 * SECOND
    assert told(pool) == Relaxation(1, 2, "nobody who could take it before this step is available", due)
    assert [one.why for one in shown.candidates] == ["away", "at capacity 20/20"]
    pool.receive(close("con_0"))
    due = START + 300 * SECOND
    assert told(pool) == Relaxation(1, 2, "nobody who could take it before this step was available", due)


def test_restored_in_between_the_same_follows() -> None:
    def day(restores: bool) -> list[Any]:
        pool = busy_ann(STEPS, BOB)
        pool.receive(opened(), opened("con_2"))
        for step in ([AWAY], [accept("con_1.offer.1", "bob")], [close("con_0")], [presence("ann")], [close("con_1")]):
            pool.advance(31)
            if restores:
                pool.restore(sorted(pool.stored, reverse=True))
            pool.receive(*step)
        pool.advance(700)
        return [one.event for one in pool.emitted]

    assert day(restores=True) == day(restores=False)
