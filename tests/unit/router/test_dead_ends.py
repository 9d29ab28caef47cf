"""What nobody on the roster can ever take: flagged at once with what is missing, or gone to where somebody can."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import DeleteAgent, DeleteQueue
from libs.common.events.routing import ContactQueued
from libs.common.events.values import Match
from tests.simulation.router.builders import START, accept, agent, make, need, opened, presence, queue, relax, target
from tests.simulation.router.driver import PoolDriver

ANN = agent("ann", "billing", units=20)
MAIL = Match(channel="email")


def tax(**fields: Any) -> Any:
    """The queue that mail comes to; nobody knows tax."""
    return queue("tax", match=MAIL, order=1, requirement=need("tax"), **fields)


BILLING = queue("billing", order=2, match=Match(channel="chat"), requirement=need("billing"), offer_seconds=33)
LEGAL = queue("legal", order=2, match=Match(channel="chat"), requirement=need("law"), fallback_queue="billing")
CIRCLE = tax() + queue("legal", order=2, match=Match(channel="chat"), requirement=need("law"), fallback_queue="tax")
TO_BILLING = tax(fallback_queue="billing")
FIRM = tax(fallback_queue="billing", relax=(relax(60, skip="never"),))
GONE = [make(DeleteQueue, queue_id="billing")]
EVE_AWAY = [*agent("eve", "tax"), presence("eve", "away")]


@pytest.mark.parametrize(("rule", "setup", "waits_in", "flag"), [
    ("without a fallback it stays and is flagged", [tax(), BILLING, ANN],                            "tax", "no_agent"),
    ("it goes where somebody can",                 [BILLING, TO_BILLING, ANN],                       "billing", None),
    ("along the line, past another dead end",      [BILLING, LEGAL, tax(fallback_queue="legal"), ANN], "billing", None),
    ("everyone's needs no configuration",          [tax(fallback_queue="everyone"), ANN],            "everyone", None),
    ("when nobody can there either it stays",      [BILLING, TO_BILLING, agent("bob", "public")],    "tax", "no_agent"),
    ("a deleted queue is no fallback",             [BILLING, TO_BILLING, ANN, GONE],                 "tax", "no_agent"),
    ("queues that point at each other end",        [CIRCLE, tax(fallback_queue="legal"), ANN],       "tax", "no_agent"),
    ("who is away will come back: no dead end",    [BILLING, TO_BILLING, ANN, EVE_AWAY],             "tax", None),
    ("a step that somebody meets: no dead end",    [BILLING, FIRM, ANN],                             "tax", None),
])  # fmt: skip
def test_where_it_waits(rule: str, setup: list[Any], waits_in: str, flag: str | None) -> None:
    pool = PoolDriver(*setup)
    pool.receive(opened())
    assert (pool.contact().rules.queue, pool.contact().unroutable) == (waits_in, flag), rule


def fallen() -> PoolDriver:
    pool = PoolDriver(target("slow", 7_200, queue="tax"), BILLING, tax(fallback_queue="billing"), ANN)
    pool.receive(opened(occurred_at=START - 60 * SECOND))
    return pool


def test_it_goes_by_the_new_queues_rules_and_keeps_its_age_and_its_promise() -> None:
    pool = fallen()
    first, second = pool.events("contact.queued")
    assert isinstance(second, ContactQueued)
    assert (second.reason, second.queue, second.requirement) == ("fallback", "billing", need("billing"))
    assert (second.waiting_since, second.target, second.target_seconds) == (first.waiting_since, "slow", 7_200)
    offer = pool.events("contact.offered")[0]
    assert (offer.queue, offer.agent_id, offer.expires_at) == ("billing", "ann", START + 33 * SECOND)


def test_it_is_told_without_a_flag() -> None:
    assert fallen().event_types() == ["contact.queued", "contact.queued", "contact.offered"]


def test_once_there_it_does_not_go_back() -> None:
    pool = fallen()
    pool.receive(*agent("eve", "tax"), accept("con_1.offer.1", "ann"))
    assert (pool.contact().rules.queue, pool.contact().agent_id) == ("billing", "ann")


def test_the_last_who_could_is_deleted_while_it_waits() -> None:
    pool = PoolDriver(BILLING, tax(fallback_queue="billing"), ANN, agent("eve", "tax"), [presence("eve", "away")])
    pool.receive(opened(), make(DeleteAgent, agent_id="eve"))
    assert (pool.contact().rules.queue, pool.contact().offer_agent) == ("billing", "ann")


@pytest.mark.parametrize(("rule", "setup", "then"), [
    ("when somebody comes who can there",  [BILLING, TO_BILLING],  ANN),
    ("when a fallback is set",             [BILLING, tax(), ANN],  TO_BILLING),
    ("when the fallback is there again",   [BILLING, TO_BILLING, ANN, GONE], BILLING),
])  # fmt: skip
def test_what_is_flagged_goes_later(rule: str, setup: list[Any], then: Any) -> None:
    pool = PoolDriver(*setup)
    pool.receive(opened())
    assert pool.contact().unroutable == "no_agent", rule
    pool.receive(*then)
    assert (pool.contact().rules.queue, pool.contact().unroutable) == ("billing", None), rule
    assert [one.reason for one in pool.events("contact.unroutable")] == ["no_agent", "fallback"]


def test_restored_the_same_follows() -> None:
    pool = PoolDriver(BILLING, tax(fallback_queue="billing"), ANN, agent("eve", "tax"), [presence("eve", "away")])
    pool.receive(opened())
    pool.restore()
    pool.receive(make(DeleteAgent, agent_id="eve"))
    assert pool.offers() == [("con_1", "ann")]


def test_a_queue_is_not_its_own_fallback() -> None:
    pool = PoolDriver()
    assert pool.run(tax(fallback_queue="tax")[0]).code == "invalid"


# -- held for somebody ---------------------------------------------------------------------------------------------


BUSY = (*agent("ann", units=20), opened("con_0"))
TOO_SMALL = agent("ann", units=10)
AWAY_BOB = (*agent("bob"), presence("bob", "away"))


@pytest.mark.parametrize(("rule", "before", "after", "flagged"), [
    ("ann has no room now",             BUSY,                 [],                                   False),
    ("ann never has room",              TOO_SMALL,            [],                                   True),
    ("ann never has room, but bob may", TOO_SMALL + AWAY_BOB, [],                                   False),
    ("bob goes for good",               TOO_SMALL + AWAY_BOB, [make(DeleteAgent, agent_id="bob")],  True),
    ("ann comes to hold too little",    BUSY,                 TOO_SMALL[:1],                        True),
    ("ann comes to hold enough",        TOO_SMALL,            agent("ann", units=40)[:1],           False),
])  # fmt: skip
def test_being_held_for_the_last_agent_hides_no_dead_end(
    rule: str, before: tuple[Any, ...], after: list[Any], flagged: bool
) -> None:
    pool = PoolDriver(before)
    pool.receive(opened(last_agent="ann"), *after)
    assert (pool.contact().unroutable == "no_agent") is flagged, rule
