"""What a long expected wait does: a relaxation step begins early, or the contact goes on to another queue."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import ReleaseContact, SetPriority
from libs.common.events.values import Overflow, RelaxStep
from services.router.core.admission import rehearse
from services.router.core.expected_wait import expected_wait
from services.router.core.explain import explain
from services.router.core.load import foretold
from services.router.core.queues import due_of
from tests.simulation.router.builders import (
    START,
    accept,
    agent,
    close,
    decline,
    left,
    make,
    need,
    opened,
    presence,
    queue,
)
from tests.simulation.router.driver import PoolDriver

HANDLING_SECONDS = 100
ANN, BOB = agent("ann", units=20), agent("bob", units=20)
"""Each has room for one letter."""
TEAM = agent("ann", "tax:3", units=20)
LINE = [f"con_{number}" for number in range(1, 6)]


def over(seconds: int, **fields: Any) -> dict[str, Any]:
    return {"overflow": Overflow(queue="rest", wait_over_seconds=seconds, **fields)}


def step(after: int, over_seconds: int | None, *names: str) -> RelaxStep:
    return RelaxStep(after_seconds=after, requirement=need(*names), wait_over_seconds=over_seconds)


def pool_of(rules: dict[str, Any], *agents: Any, finished: int = 5) -> PoolDriver:
    """Everybody has one letter; before, the first agent finished so many, each in `HANDLING_SECONDS`."""
    pool = PoolDriver(queue("rest", order=200), queue("care", order=1, **rules), agents[0])
    for number in range(finished):
        pool.receive(opened(f"con_old{number}"), accept(f"con_old{number}.offer.1", "ann"))
        pool.advance(HANDLING_SECONDS)
        pool.receive(close(f"con_old{number}", "ann"))
    pool.receive(opened("con_held0"), accept("con_held0.offer.1", "ann"))
    for number, one in enumerate(agents[1:], 1):
        name = one[0].agent_id
        pool.receive(*one, opened(f"con_held{number}"), accept(f"con_held{number}.offer.1", name))
    pool.emitted.clear()
    return pool


def overflowed(pool: PoolDriver) -> list[str]:
    return [one.contact_id for one in pool.events("contact.overflowed") if one.reason == "expected_wait"]


def come(pool: PoolDriver, contacts: list[str], **fields: Any) -> None:
    """A second apart."""
    for contact_id in contacts:
        pool.receive(opened(contact_id, occurred_at=pool.now, **fields))
        pool.advance(1)


@pytest.mark.parametrize(("rule", "rules", "agents", "finished", "gone"), [
    ("who would wait longer goes on, as they come",     over(300), [ANN],      5, ["con_4", "con_5"]),
    ("the bound itself isn't too long",                 over(400), [ANN],      5, ["con_5"]),
    ("twice the agents, half the wait",                 over(200), [ANN, BOB], 5, ["con_5"]),
    ("of four finished nobody can tell how long",       over(1),   [ANN],      4, []),
    ("without a bound nobody asks",                     {},        [ANN],      5, []),
    ("the other ways there stay as they are",           over(300, longer_than=9), [ANN], 5, ["con_4", "con_5"]),
])  # fmt: skip
def test_overflow(rule: str, rules: dict[str, Any], agents: list[Any], finished: int, gone: list[str]) -> None:
    pool = pool_of(rules, *agents, finished=finished)
    come(pool, LINE)
    assert overflowed(pool) == gone, rule
    assert all(pool.contact(one).rules.queue == ("rest" if one in gone else "care") for one in LINE), rule


@pytest.mark.parametrize(("rule", "rules", "line"), [
    ("who would wait too long",               over(300),                                            LINE),
    ("where others turn it away as it comes", over(300, longer_than=4),                            LINE),
    ("a step goes before it",                 over(200) | {"relax": (step(900, 200),)},             LINE),
    ("a step that has passed does not",       over(300) | {"relax": (step(0, None),)},              LINE),
    ("the first is behind what is held",      over(1),                                              LINE[:1]),
    ("without a bound nobody asks",           {},                                                   LINE),
])  # fmt: skip
def test_it_is_foretold(rule: str, rules: dict[str, Any], line: list[str]) -> None:
    """Each is asked about right before it comes, and goes where it was said."""
    pool = pool_of(rules, ANN)
    for contact_id in line:
        contact = opened(contact_id, occurred_at=pool.now)
        said = foretold(pool.floor, contact, rehearse(pool.floor, contact, pool.now), pool.now)
        pool.receive(contact)
        came = [(one.queue, one.reason) for one in pool.events("contact.overflowed") if one.contact_id == contact_id]
        assert [(hop.queue.id, hop.reason) for hop in said.hops] == came, rule
        assert said.rules == pool.contact(contact_id).rules, rule
        pool.advance(1)


LATE_LETTER: dict[str, Any] = {"occurred_at": START - 86_400 * SECOND}


def test_who_goes_first_does_not_wait_for_those_behind() -> None:
    pool = pool_of(over(300), ANN)
    come(pool, LINE[:3])
    pool.receive(opened("con_late", **LATE_LETTER))
    assert overflowed(pool) == []
    assert expected_wait(pool.floor, pool.contact("con_late"), pool.now) == HANDLING_SECONDS


@pytest.mark.parametrize(("rule", "then", "expected"), [
    ("nobody is available: nobody knows",        [presence("ann", "away")],                       None),
    ("who has left the line isn't ahead",        [left("con_1")],                                 100),
    ("who is raised goes first",                 [make(SetPriority, contact_id="con_2", boost=100)], 100),
    ("who comes to help free makes no wait",     [*agent("bob", units=60)],                       0),
])  # fmt: skip
def test_what_the_wait_follows(rule: str, then: list[Any], expected: int | None) -> None:
    pool = pool_of(over(3_000), ANN)
    come(pool, LINE[:2])
    contact = pool.contact("con_2")
    assert expected_wait(pool.floor, contact, pool.now) == 2 * HANDLING_SECONDS
    pool.receive(*then)
    wait = expected_wait(pool.floor, contact, pool.now) if contact.state == "waiting" else 0
    assert wait == expected, rule


def test_whom_others_can_take_counts_by_the_share_that_falls_to_its_agents() -> None:
    pool = pool_of(over(3_000), TEAM, BOB)
    come(pool, LINE[:4])
    come(pool, ["con_tax"], requirement=need("tax:3"))
    assert expected_wait(pool.floor, pool.contact("con_tax"), pool.now) == (4 // 2 + 1) * HANDLING_SECONDS


@pytest.mark.parametrize(("rule", "then", "pieces"), [
    ("work counts when it is closed",            [close("con_held0", "ann")],                              6),
    ("and when it is given back",                [make(ReleaseContact, contact_id="con_held0", agent_id="ann")], 6),
    ("an offer that ends is no work",            [make(ReleaseContact, contact_id="con_held0", agent_id="ann"),
                                                  decline("con_held0.offer.2", "bob")],                    6),
    ("what is still held isn't finished",        [],                                                       5),
])  # fmt: skip
def test_what_counts_as_finished(rule: str, then: list[Any], pieces: int) -> None:
    pool = pool_of(over(300), ANN)
    pool.receive(*BOB, *then)
    assert sum(count for _, count, _ in pool.floor.pace.work["async"]) == pieces, rule
    assert len(pool.events("offer.declined")) == sum(one.type == "offer.decline" for one in then), rule


def test_what_was_seen_is_forgotten_after_an_hour() -> None:
    pool = pool_of(over(300), ANN)
    pool.advance(3_700)
    come(pool, LINE)
    assert overflowed(pool) == []


# -- looks ------------------------------------------------------------------------------------------------------


def test_it_is_looked_at_every_minute() -> None:
    """Its own wait grows when others go first; nothing happens before the next look."""
    pool = pool_of(over(150), ANN)
    come(pool, ["con_1"])
    pool.receive(opened("con_late", **LATE_LETTER))
    pool.advance(58)
    assert overflowed(pool) == []
    pool.advance(1)
    assert overflowed(pool) == ["con_1"]


def test_it_goes_once_and_keeps_its_age() -> None:
    """The other queue sends back whom it would keep for too long: nobody is sent to and fro."""
    pool = pool_of(over(100), ANN)
    pool.receive(*queue("rest", order=200, overflow=Overflow(queue="care", wait_over_seconds=1)))
    come(pool, ["con_1"])
    since = pool.now
    come(pool, ["con_2"])
    pool.advance(600)
    assert overflowed(pool) == ["con_2"]
    assert (pool.contact("con_2").rules.queue, pool.contact("con_2").waiting_since) == ("rest", since)


def test_where_it_goes_on_to_it_is_looked_at_at_once() -> None:
    pool = pool_of(over(100), ANN)
    pool.receive(*queue("last", order=300))
    pool.receive(*queue("rest", order=200, overflow=Overflow(queue="last", wait_over_seconds=150)))
    come(pool, ["con_1", "con_2"])
    assert [one.queue for one in pool.events("contact.overflowed")] == ["rest", "last"]


TAX: dict[str, Any] = {"requirement": need("tax:3")}


@pytest.mark.parametrize(("rule", "steps", "bound", "passed", "gone"), [
    ("a step begins when the wait for it is too long",  [step(900, 50)],                None, ["expected_wait"], []),
    ("not when it isn't",                               [step(900, 100)],               None, [],                []),
    ("nor without a bound",                             [step(900, None)],              None, [],                []),
    ("one step a look",                                 [step(900, 50, "tax:2"), step(900, 50)], None,
                                                                                       ["expected_wait"],        []),
    ("a step goes before the overflow",                 [step(900, 50)],                50,   ["expected_wait"], []),
    ("and the overflow where no step helps",            [step(900, 200)],               50,   [],           ["con_1"]),
])  # fmt: skip
def test_relaxation(rule: str, steps: list[RelaxStep], bound: int | None, passed: list[str], gone: list[str]) -> None:
    rules = TAX | {"relax": tuple(steps)} | (over(bound) if bound is not None else {})
    pool = pool_of(rules, TEAM)
    come(pool, ["con_1"])
    assert [one.reason for one in pool.events("contact.relaxed")] == passed, rule
    assert overflowed(pool) == gone, rule


def test_a_step_that_began_because_of_the_wait_says_so_and_is_matched_at_once() -> None:
    pool = pool_of(TAX | {"relax": (step(900, 50),)}, TEAM)
    pool.receive(*BOB)
    come(pool, ["con_1"])
    assert pool.offers() == [("con_1", "bob")]
    assert explain(pool.floor, pool.contact(), pool.now).relaxation.why == (
        "was expected to wait more than 50 s at the step before"
    )


@pytest.mark.parametrize(("rule", "rules", "status"), [
    ("a bound below one second",     over(0),                                          422),
    ("a bound above a month",        over(31 * 86_400 + 1),                            422),
    ("a step's bound below one",     {"relax": (step(60, 0),)},                        422),
    ("a bound of a step for which nothing comes early", {"relax": (
        RelaxStep(after_seconds=60, requirement=need(), skip="never", wait_over_seconds=60),)}, 422),
    ("bounds within theirs",         over(60) | {"relax": (step(60, 60),)},            200),
])  # fmt: skip
def test_what_a_queue_may_say(rule: str, rules: dict[str, Any], status: int) -> None:
    pool = PoolDriver(queue("rest", order=200))
    assert pool.run(queue("care", **rules)[0]).status == status, rule


# -- what it costs, and a restore ---------------------------------------------------------------------------------


def test_where_nobody_asks_nothing_is_kept() -> None:
    pool = pool_of({}, ANN)
    assert (pool.floor.pace.work, pool.contact("con_held0").assigned_at) == ({}, 0)
    assert not any(key.startswith("pace|") for key in pool.stored)


def test_a_restored_floor_expects_the_same() -> None:
    pool = pool_of(over(3_000), ANN, BOB)
    come(pool, LINE)
    before = [expected_wait(pool.floor, pool.contact(one), pool.now) for one in LINE]
    pool.restore(reversed([*pool.stored]))
    assert [expected_wait(pool.floor, pool.contact(one), pool.now) for one in LINE] == before == [
        50, 100, 150, 200, 250,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_the_line_holds_who_waits_and_nobody_else(seed: int) -> None:
    r, pool = Random(seed), pool_of(over(80_000), ANN)
    for number in range(60):
        pool.receive(r.choice([
            opened(f"con_{number}", occurred_at=pool.now - r.randrange(9_000) * SECOND),
            left(f"con_{r.randrange(number + 1)}"),
            make(SetPriority, contact_id=f"con_{r.randrange(number + 1)}", boost=r.choice([0, 100, 200])),
        ]))  # fmt: skip
        for bucket in pool.floor.buckets.values():
            there = [one for one in pool.floor.contacts.values() if pool.floor.places.get(one.id) is bucket]
            assert list(bucket.promises(pool.floor.contacts)) == sorted(due_of(one) for one in there), seed
