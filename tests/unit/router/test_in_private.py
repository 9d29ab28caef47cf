"""A public conversation that goes on in private: when it moves, what it loses and keeps, and when it is back."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.commands import ReleaseContact
from libs.common.events.contacts import ReachChanged
from libs.common.events.values import Reach
from services.router.core.limits import PRIVATE_ACKNOWLEDGED_SECONDS_MAX
from tests.simulation.router.builders import accept, added, agent, make, opened, response
from tests.simulation.router.driver import PoolDriver

SAYS_SO: dict[str, Any] = {"visibility": "public", "moved_to_private": True}
MOVED, ACKNOWLEDGED, RETURNED = "contact.moved_to_private", "contact.private_acknowledged", "contact.returned_to_public"


def post() -> PoolDriver:
    """A post that a million can see, with ann."""
    pool = PoolDriver(agent("ann", "public"))
    pool.receive(opened(channel="x", reach=10**6), accept("con_1.offer.1"))
    return pool


def told(pool: PoolDriver) -> list[str]:
    return [kind for kind in pool.event_types() if kind in (MOVED, ACKNOWLEDGED, RETURNED)]


def dm(**fields: Any) -> Any:
    return added(channel="x", visibility="private", **fields)


def in_public(**fields: Any) -> Any:
    return added(channel="x", reach=10**6, **fields)


ANSWER = response(visibility="public")


@pytest.mark.parametrize(("rule", "happens", "events"), [
    ("a public answer moves nothing",             [ANSWER],                                []),
    ("one that says so does, and isn't enough",   [response(**SAYS_SO)],                   [MOVED]),
    ("the customer writing there is",             [response(**SAYS_SO), dm()],             [MOVED, ACKNOWLEDGED]),
    ("so is the company writing there",           [response(**SAYS_SO), response()],       [MOVED, ACKNOWLEDGED]),
    ("once is enough",                            [response(**SAYS_SO), dm(), response(), dm()], [MOVED, ACKNOWLEDGED]),
    ("a private answer is both",                  [response()],                            [MOVED, ACKNOWLEDGED]),
    ("so is the customer's after an answer",      [ANSWER, dm()],                          [MOVED, ACKNOWLEDGED]),
    ("without an answer it is no move",           [dm()],                                  []),
    ("an automatic reply moves nothing",          [response(**SAYS_SO, automatic=True)],   []),
    ("who writes in public again is back",        [response(), in_public()],
     [MOVED, ACKNOWLEDGED, RETURNED]),
    ("and may move once more",                    [response(**SAYS_SO), in_public(), response(**SAYS_SO)],
     [MOVED, RETURNED, MOVED]),
])  # fmt: skip
def test_when_it_moves(rule: str, happens: list[Any], events: list[str]) -> None:
    pool = post()
    pool.receive(*happens)
    assert told(pool) == events, rule


def test_what_was_always_private_moves_nowhere() -> None:
    pool = PoolDriver(agent("ann"))
    pool.receive(opened(), accept("con_1.offer.1"), response(), added())
    assert not told(pool)


def test_it_loses_its_reach_and_keeps_its_agent() -> None:
    pool = post()
    pool.receive(response(**SAYS_SO))
    moved, contact = pool.events(MOVED)[0], pool.contact()
    assert (moved.agent_id, moved.announced, moved.boost, moved.terms["reach"]) == ("ann", True, 0, 0)
    assert (contact.visibility, contact.reach, contact.boost) == ("private", 1, 0)
    assert (contact.state, contact.agent_id) == ("assigned", "ann")


def test_given_back_it_waits_without_the_boost() -> None:
    pool = post()
    pool.receive(response(), make(ReleaseContact, contact_id="con_1"))
    queued = pool.events("contact.queued")[-1]
    assert (queued.visibility, queued.reach, queued.boost) == ("private", 1, 0)


def test_what_was_answered_elsewhere_is_parked_and_moves_too() -> None:
    pool = PoolDriver()
    pool.receive(opened(channel="x", reach=10**6), response())
    assert told(pool) == [MOVED, ACKNOWLEDGED]
    assert (pool.contact().state, pool.contact().boost) == ("parked", 0)


def test_a_move_that_is_only_announced_is_believed_for_a_while() -> None:
    pool = post()
    pool.receive(response(**SAYS_SO))
    pool.advance(PRIVATE_ACKNOWLEDGED_SECONDS_MAX - 1)
    assert not pool.events(RETURNED)
    pool.advance(1)
    back = pool.events(RETURNED)[0]
    assert (back.reason, back.visibility, back.reach, back.boost) == ("not_acknowledged", "public", 10**6, 130)
    assert (pool.contact().agent_id, pool.contact().boost) == ("ann", 130)
    assert pool.contact().moved_to_private_at is None


def test_a_new_owner_still_waits_for_the_acknowledgement() -> None:
    pool = post()
    pool.receive(response(**SAYS_SO))
    pool.restore()
    pool.advance(PRIVATE_ACKNOWLEDGED_SECONDS_MAX)
    assert [one.reason for one in pool.events(RETURNED)] == ["not_acknowledged"]


def test_an_acknowledged_move_stays() -> None:
    pool = post()
    pool.receive(response(**SAYS_SO), dm())
    pool.advance(10 * PRIVATE_ACKNOWLEDGED_SECONDS_MAX)
    assert not pool.events(RETURNED)
    assert pool.contact().private_acknowledged_at is not None


def test_whoever_sees_the_post_meanwhile_changes_nothing() -> None:
    pool = post()
    pool.receive(response(), make(ReachChanged, contact_id="con_1", reach=Reach(views=10**7, shares=10**4)))
    assert (pool.contact().reach, pool.contact().boost, pool.contact().velocity) == (1, 0, 0)
