"""Agents whom a contact names: whom it prefers goes first for a while, whom it excludes never gets it."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import DeleteAgent, ParkContact, ReleaseContact, ResumeContact, TransferContact
from libs.common.events.values import Requirement, SkillNeed
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
)
from tests.simulation.router.driver import PoolDriver

ANN, BOB, CAT = agent("ann", units=20), agent("bob", units=20), agent("cat", units=20)
FIRST = "con_1.offer.1"


def wish(*needs: str, prefer: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Requirement:
    skills = tuple(SkillNeed(skill=name) for name in needs)
    return Requirement(all=skills, prefer_agents=prefer, exclude_agents=exclude)


def busy(pool: PoolDriver, agent_id: str) -> None:
    """This agent has no room, and is there."""
    pool.receive(opened(f"con_of_{agent_id}", requirement=wish(prefer=(agent_id,))))
    pool.receive(accept(f"con_of_{agent_id}.offer.1", agent_id))


def chosen(pool: PoolDriver, requirement: Requirement, **fields: Any) -> str | None:
    pool.receive(opened(requirement=requirement, **fields))
    return pool.contact().offer_agent


AWAY, GONE = [presence("bob", "away")], [make(DeleteAgent, agent_id="bob")]


@pytest.mark.parametrize(("rule", "agents", "wanted", "expected"), [
    ("without a wish the lower id",         [ANN, BOB],                  wish(),                                "ann"),
    ("whom it prefers goes first",          [ANN, BOB],                  wish(prefer=("bob",)),                 "bob"),
    ("in the order that it says",           [ANN, BOB, CAT],             wish(prefer=("cat", "bob")),           "cat"),
    ("the first who is there",              [ANN, BOB, CAT, AWAY],       wish(prefer=("bob", "cat")),           "cat"),
    ("nobody waits for who is away",        [ANN, BOB, AWAY],            wish(prefer=("bob",)),                 "ann"),
    ("or was deleted",                      [ANN, BOB, GONE],            wish(prefer=("bob",)),                 "ann"),
    ("or was never there",                  [ANN],                       wish(prefer=("eve",)),                 "ann"),
    ("who lacks a skill isn't preferred",   [agent("ann", "tax"), BOB],  wish("tax", prefer=("bob",)),          "ann"),
    ("whom it excludes is passed",          [ANN, BOB],                  wish(exclude=("ann",)),                "bob"),
    ("also when it prefers them",           [ANN, BOB],                  wish(prefer=("ann",), exclude=("ann",)),"bob"),
    ("also when nobody else is there",      [ANN],                       wish(exclude=("ann",)),                None),
])  # fmt: skip
def test_whom_it_names(rule: str, agents: list[Any], wanted: Requirement, expected: str | None) -> None:
    assert chosen(PoolDriver(*agents), wanted) == expected, rule


@pytest.mark.parametrize(("rule", "fields", "seconds"), [
    ("for as long as the queue holds for the last agent",  {},                                        45),
    ("for a quarter of the target at most",                {"channel": "chat"},                       15),
    ("not when it isn't early",                            {"occurred_at": START - 10_800 * SECOND},  0),
])  # fmt: skip
def test_how_long_it_is_held(rule: str, fields: dict[str, Any], seconds: int) -> None:
    pool = PoolDriver(agent("ann", units=40, cost={"live": 40, "async": 40}), BOB, [presence("bob", "away")])
    pool.receive(opened("con_0"), accept("con_0.offer.1", "ann"), *agent("bob", units=40))
    pool.receive(opened(requirement=wish(prefer=("ann",)), **fields))
    assert [one for one in pool.offers() if one[0] == "con_1"] == ([] if seconds else [("con_1", "bob")]), rule
    pool.advance(max(0, seconds - 1))
    assert len(pool.offers()) == (1 if seconds else 2), rule
    pool.advance(1)
    assert pool.offers()[1:] == [("con_1", "bob")], rule


def test_held_for_two_the_first_who_has_room_gets_it() -> None:
    pool = PoolDriver(ANN, BOB, CAT)
    busy(pool, "ann")
    busy(pool, "bob")
    assert chosen(pool, wish(prefer=("ann", "bob"))) is None
    reasons = {one.agent: one.why for one in explain(pool.floor, pool.contact(), pool.now).candidates}
    assert reasons["cat"] == "held for ann, bob"
    pool.receive(close("con_of_bob"))
    assert pool.contact().offer_agent == "bob"


def test_when_one_of_two_leaves_it_waits_for_the_other_and_then_for_nobody() -> None:
    pool = PoolDriver(ANN, BOB, CAT)
    busy(pool, "ann")
    busy(pool, "bob")
    chosen(pool, wish(prefer=("ann", "bob")))
    pool.receive(presence("ann", "away"))
    assert pool.contact().offer_agent is None
    pool.receive(presence("bob", "away"))
    assert pool.contact().offer_agent == "cat"


def test_when_one_declines_the_next_it_prefers_is_asked() -> None:
    pool = PoolDriver(ANN, BOB, CAT)
    assert chosen(pool, wish(prefer=("cat", "bob"))) == "cat"
    pool.receive(decline(FIRST, "cat"))
    assert pool.contact().offer_agent == "bob"


def test_who_gives_it_back_is_not_preferred_at_once() -> None:
    pool = PoolDriver(ANN, BOB)
    chosen(pool, wish(prefer=("bob",)))
    pool.receive(accept(FIRST, "bob"), make(ReleaseContact, contact_id="con_1", agent_id="bob"))
    assert pool.contact().offer_agent == "ann"


def test_who_it_is_transferred_to_goes_before_whom_it_prefers() -> None:
    pool = PoolDriver(ANN, BOB)
    busy(pool, "bob")
    chosen(pool, wish(prefer=("ann",)))
    pool.receive(accept(FIRST, "ann"), make(TransferContact, contact_id="con_1", to_agent="bob"))
    assert (pool.contact().state, pool.contact().last_agent) == ("waiting", "bob")
    pool.receive(close("con_of_bob"))
    assert pool.contact().offer_agent == "bob"


def test_nothing_is_transferred_to_an_excluded_agent() -> None:
    pool = PoolDriver(ANN, BOB)
    chosen(pool, wish(exclude=("ann",)))
    outcome = pool.run(make(TransferContact, contact_id="con_1", to_agent="ann"))
    assert (outcome.status, outcome.code, outcome.state["why"]) == (409, "agent_not_able", "excluded by the contact")


# -- excluded, wherever an agent is chosen ----------------------------------------------------------------------


def test_an_excluded_agent_who_becomes_free_does_not_pick_it() -> None:
    pool = PoolDriver(ANN)
    busy(pool, "ann")
    chosen(pool, wish(exclude=("ann",)))
    pool.receive(*agent("zoe", "tax")[:1], close("con_of_ann"))
    assert pool.contact().state == "waiting"
    pool.receive(presence("zoe"))
    assert pool.contact().offer_agent == "zoe"


def test_it_does_not_come_back_to_an_excluded_agent() -> None:
    """Resumed, the last agent goes first, unless the contact excludes them: here by a later generation's wish."""
    pool = PoolDriver(ANN, BOB)
    assert chosen(pool, wish(exclude=("ann",)), last_agent="ann") == "bob"
    pool.receive(accept(FIRST, "bob"), make(ParkContact, contact_id="con_1"), presence("bob", "away"))
    pool.receive(make(ResumeContact, contact_id="con_1"))
    assert pool.contact().state == "waiting"


def test_only_excluded_agents_are_a_dead_end() -> None:
    pool = PoolDriver(ANN, BOB)
    chosen(pool, wish(exclude=("ann", "bob")))
    assert [one.reason for one in pool.events("contact.unroutable")] == ["no_agent"]
    pool.receive(*CAT)
    assert pool.contact().offer_agent == "cat"


def test_decliners_are_asked_again_once_everyone_but_the_excluded_was() -> None:
    pool = PoolDriver(ANN, BOB, CAT)
    chosen(pool, wish(exclude=("ann",)))
    pool.receive(decline(FIRST, "bob"), decline("con_1.offer.2", "cat"))
    assert pool.offers()[2:] == [("con_1", "bob")]
    assert pool.events("contact.offered")[-1].asked_again


def test_who_declined_is_not_spared_because_an_excluded_agent_has_room() -> None:
    pool = PoolDriver(ANN, BOB)
    chosen(pool, wish(exclude=("ann",)))
    pool.receive(opened("con_older", requirement=wish(exclude=("ann",)), occurred_at=START - SECOND))
    pool.receive(decline(FIRST, "bob"), accept("con_older.offer.1", "bob"))
    assert pool.contact().state == "waiting"
    pool.receive(close("con_older"))
    assert pool.contact().offer_agent == "bob"


def test_nobody_waits_for_an_excluded_agent_at_a_step() -> None:
    """Only Ann meets the first step, and she is excluded: it is passed as if she weren't there."""
    pool = PoolDriver(queue(requirement=wish("tax"), relax=(relax(60),)), agent("ann", "tax"), BOB)
    assert chosen(pool, wish(exclude=("ann",))) == "bob"


def test_the_event_and_the_explanation_say_who_is_excluded() -> None:
    pool = PoolDriver(ANN, BOB)
    chosen(pool, wish(exclude=("ann",)))
    assert pool.events("contact.offered")[0].passed_over == {"excluded": 1}
    reasons = [one.why for one in explain(pool.floor, pool.contact(), pool.now).candidates]
    assert reasons == ["excluded by the contact", None]


def test_a_preference_makes_no_lane_of_its_own() -> None:
    """Contacts that differ in whom they prefer wait together: a million wishes are not a million buckets."""
    pool = PoolDriver(ANN)
    pool.receive(*(opened(f"con_{n}", requirement=wish(prefer=(f"agent{n}",))) for n in range(9)))
    assert len([bucket for bucket in pool.floor.buckets.values() if bucket.live]) == 1


def test_a_queue_names_no_agents() -> None:
    pool = PoolDriver()
    assert pool.run(queue("q", requirement=wish(prefer=("ann",)))[0]).code == "invalid"


def test_restored_it_is_held_for_the_same() -> None:
    pool = PoolDriver(ANN, BOB, CAT)
    busy(pool, "ann")
    busy(pool, "bob")
    chosen(pool, wish(prefer=("ann", "bob")))
    pool.restore()
    pool.receive(response("con_of_bob"), close("con_of_bob"))
    assert pool.contact().offer_agent == "bob"
