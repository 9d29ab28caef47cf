"""Why a contact stands where it stands."""

from __future__ import annotations

from libs.common.events import SECOND
from services.router.core.explain import Explanation, explain
from tests.simulation.router.builders import START, accept, agent, decline, need, opened, presence, queue, relax
from tests.simulation.router.driver import PoolDriver


def explained(pool: PoolDriver, contact_id: str = "con_1") -> Explanation:
    return explain(pool.floor, pool.contact(contact_id), pool.now)


def test_every_agent_is_chosen_or_told_why_not() -> None:
    pool = PoolDriver(
        agent("ann", "billing:4"), agent("bob", "billing:2"), agent("cat", "billing:4", units=10),
        agent("dan", "billing:4"), [presence("dan", "away", reason="lunch")], agent("eve", "billing:4"),
        agent("fay", "billing:4"),
    )  # fmt: skip
    pool.receive(opened("con_1", "billing:3"), decline("con_1.offer.1", "ann"))
    reasons = {one.agent: "chosen" if one.chosen else one.why for one in explained(pool).candidates}
    assert reasons == {
        "ann": "was asked and did not take it", "bob": "skill billing 2 < 3", "cat": "at capacity 0/10",
        "dan": "away: lunch", "eve": "chosen", "fay": "eve went before",
    }  # fmt: skip


def test_everybody_who_is_asked_was_chosen_and_who_leaves_when_free_is_no_candidate() -> None:
    pool = PoolDriver(queue(parallel_offers=2), agent("ann"), agent("bob"), agent("cat"))
    pool.receive(opened("con_0"), accept("con_0.offer.1", "ann"))
    pool.receive(presence("ann", "away", reason="lunch", when_free=True), opened())
    reasons = {one.agent: "chosen" if one.chosen else one.why for one in explained(pool).candidates}
    assert reasons == {"ann": "busy: lunch, then away", "bob": "chosen", "cat": "chosen"}


def test_the_score_in_its_terms() -> None:
    pool = PoolDriver()
    pool.receive(opened(channel="x", reach=1_000_000, tier="gold"))
    shown = explained(pool)
    assert (shown.boost, shown.target_seconds, shown.promise_seconds, shown.score) == (0.18, 900, 738.0, -0.738)
    assert shown.terms == {"reach": 0.13, "sentiment": 0.0, "tier": 0.05, "strikes": 0.0, "raised": 0.0}


def test_it_says_so_in_words() -> None:
    pool = PoolDriver()
    pool.receive(opened(channel="x", reach=40_000, strikes=2), opened("con_2"))
    text = "promise moved from 15:00 to 12:30 because 40,000 can see it and it failed twice before"
    assert explained(pool).text == text
    assert explained(pool, "con_2").text == "promise of 240:00"


def test_who_is_ahead_is_who_the_same_agents_would_serve_before() -> None:
    pool = PoolDriver(agent("ann", "tax")[:1], agent("bob", "billing")[:1])
    pool.receive(
        opened("con_before", "tax", occurred_at=START - SECOND), opened("con_other", "billing", channel="chat"),
        opened("con_1", "tax"), opened("con_after", "tax", occurred_at=START - 1),
    )  # fmt: skip
    pool.advance(1)
    assert explained(pool).ahead == 2
    assert explain(pool.floor, pool.contact(), pool.now, ahead=7).ahead == 7


def test_what_changes_by_itself_next() -> None:
    pool = PoolDriver(queue(requirement=need("tax"), relax=(relax(60),)))
    pool.receive(opened())
    assert explained(pool).next_change_at == START + 60 * SECOND
    pool.advance(60)
    assert explained(pool).next_change_at == START + 13_680 * SECOND
    assert explained(pool).relaxation.step == 1


def test_of_an_assigned_contact_the_owner_was_chosen() -> None:
    pool = PoolDriver(agent("ann"))
    pool.receive(opened(), accept("con_1.offer.1", "ann"))
    shown = explained(pool)
    assert (shown.state, shown.candidates[0].chosen, shown.next_change_at) == ("assigned", True, None)
