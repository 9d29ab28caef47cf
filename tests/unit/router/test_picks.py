"""What an agent with room takes next: the three lanes, their credits and the pointer."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import Event
from libs.common.events.commands import SetPriority
from libs.common.events.routing import ContactOffered
from tests.simulation.router.builders import START, accept, agent, close, make, opened, presence, target
from tests.simulation.router.driver import PoolDriver

ONE_AT_A_TIME: dict[str, Any] = {"units": 20, "cost": {"voice": 20, "live": 20, "async": 20}}
OFF = [presence("ann", "away")]


def pool_of(*waiting: Event, setup: tuple[Event, ...] = (), **credit: Any) -> PoolDriver:
    """Contacts wait for Ann, who takes one at a time and is away."""
    pool = PoolDriver(setup, agent("ann", "public", **ONE_AT_A_TIME), OFF)
    pool.receive(*waiting)
    for name, value in credit.items():
        setattr(pool.floor.desks["ann"].agent, name, value)
    return pool


def served(pool: PoolDriver, count: int = 1, seconds: int = 0) -> list[str]:
    """Ann comes and serves this many, each for so long; in order."""
    pool.receive(presence("ann"))
    for _ in range(count - 1):
        offer = pool.events("contact.offered")[-1]
        pool.receive(accept(offer.offer_id, "ann"))
        pool.advance(seconds)
        pool.receive(close(offer.contact_id, "ann"))
    return [contact_id for contact_id, _ in pool.offers()]


def last(pool: PoolDriver) -> ContactOffered:
    offer: ContactOffered = pool.events("contact.offered")[-1]
    return offer


def mail(contact_id: str, ago: int = 0, **fields: Any) -> Event:
    event: Event = opened(contact_id, channel="email", occurred_at=START - ago * 1_000_000, **fields)
    return event


def post(contact_id: str, ago: int = 0, **fields: Any) -> Event:
    event: Event = opened(contact_id, channel="x", occurred_at=START - ago * 1_000_000, **fields)
    return event


@pytest.mark.parametrize(("rule", "waiting", "first"), [
    ("the earliest promise comes first",         [mail("con_mail"), post("con_post")],                   "con_post"),
    ("an older letter beats a new post",         [mail("con_mail", 13_800), post("con_post")],           "con_mail"),
    ("of late ones the latest in targets",       [mail("con_mail", 14_500), post("con_post", 1_000)],    "con_post"),
    ("equal scores go to the longer wait",       [post("con_b", 100), post("con_a", 50)],                "con_b"),
    ("and then to the lower id",                 [post("con_b"), post("con_a")],                         "con_a"),
    ("a boost moves the promise",                [post("con_a"), post("con_b", tier="gold")],            "con_b"),
    ("but not past an early one",                [post("con_a", 300), post("con_b", tier="gold", strikes=3)], "con_a"),
])  # fmt: skip
def test_main_lane(rule: str, waiting: list[Event], first: str) -> None:
    pool = pool_of(*waiting)
    assert served(pool) == [first], rule
    assert last(pool).lane == "main"


def test_a_target_decides_the_promise() -> None:
    pool = pool_of(mail("con_mail"), post("con_post"), setup=target("mail", 60, channel="email"))
    assert served(pool) == ["con_mail"]


def test_every_pick_earns_credit_in_both_lanes() -> None:
    pool = pool_of(mail("con_1"), mail("con_2"), mail("con_3"))
    served(pool, 3)
    ann = pool.floor.desks["ann"].agent
    assert (ann.ageing_credit, ann.express_credit) == (300, 600)
    assert (last(pool).ageing_credit, last(pool).express_credit) == (300, 600)


def test_credit_is_bounded() -> None:
    pool = pool_of(mail("con_1"), ageing_credit=2_000, express_credit=1_000)
    served(pool)
    assert (last(pool).ageing_credit, last(pool).express_credit) == (2_000, 1_000)


def test_express_takes_the_largest_reach() -> None:
    pool = pool_of(
        mail("con_late", 15_000), post("con_small", 800, reach=900), post("con_wide", 10, reach=40_000),
        post("con_wider", 5, reach=50_000), express_credit=800,
    )  # fmt: skip
    assert served(pool) == ["con_wider"]
    assert (last(pool).lane, last(pool).express_credit) == ("express", 0)


def test_express_needs_a_thousand_people_and_a_public_place() -> None:
    private = opened("con_private", channel="email", reach=50_000)
    pool = pool_of(mail("con_late", 15_000), post("con_small", reach=999), private, express_credit=1_000)
    assert served(pool) == ["con_late"]


def test_express_credit_is_spent_only_on_a_difference() -> None:
    pool = pool_of(post("con_wide", reach=40_000), express_credit=1_000)
    assert served(pool) == ["con_wide"]
    assert (last(pool).lane, last(pool).express_credit) == ("main", 1_000)


def test_without_a_whole_credit_there_is_no_express() -> None:
    pool = pool_of(mail("con_late", 15_000), post("con_wide", reach=40_000), express_credit=700)
    assert served(pool) == ["con_late"]


def test_ageing_takes_turns_over_channels() -> None:
    aged = [mail(f"con_mail{n}", 13_700 + n) for n in range(3)] + [post(f"con_post{n}", 3_000 + n) for n in range(3)]
    pool = pool_of(*aged, ageing_credit=2_000)
    lanes: list[tuple[str, str, str | None]] = []
    for _ in range(2):
        served(pool) if not lanes else serve_next(pool)
        lanes.append((last(pool).lane, last(pool).contact_id, last(pool).ageing_channel))
        pool.floor.desks["ann"].agent.ageing_credit = 2_000
    assert lanes == [("ageing", "con_mail2", "email"), ("ageing", "con_post2", "x")]


def serve_next(pool: PoolDriver) -> None:
    offer = last(pool)
    pool.receive(accept(offer.offer_id, "ann"), close(offer.contact_id, "ann"))


@pytest.mark.parametrize(("rule", "ago", "lane"), [
    ("at 95 % of its target", 13_680, "ageing"), ("before", 13_679, "main"),
])  # fmt: skip
def test_when_a_contact_is_old(rule: str, ago: int, lane: str) -> None:
    pool = pool_of(mail("con_mail", ago), ageing_credit=900)
    served(pool)
    assert (last(pool).lane, last(pool).ageing_credit) == (lane, 0 if lane == "ageing" else 1_000), rule


def test_ageing_goes_before_express() -> None:
    pool = pool_of(
        mail("con_old", 13_700), post("con_wide", reach=40_000), post("con_late", 5_000),
        ageing_credit=1_000, express_credit=1_000,
    )  # fmt: skip
    assert served(pool) == ["con_old"]
    assert (last(pool).ageing_credit, last(pool).express_credit) == (100, 1_000)


def test_a_changed_boost_moves_a_waiting_contact() -> None:
    pool = pool_of(post("con_a"), post("con_b"))
    pool.receive(make(SetPriority, contact_id="con_b", boost=200))
    assert served(pool, 2) == ["con_b", "con_a"]


def test_a_fill_ends_when_there_is_no_room() -> None:
    pool = PoolDriver(agent("ann", units=60), OFF)
    pool.receive(*(mail(f"con_{n}") for n in range(5)), presence("ann"))
    assert len(pool.offers()) == 3
    assert pool.core.next_due(pool.state) == START + 20_000_000


def test_the_runners_up_are_named() -> None:
    pool = pool_of(mail("con_mail", 10), post("con_post"), opened("con_chat", channel="chat"))
    served(pool)
    assert (last(pool).contact_id, last(pool).runners_up) == ("con_chat", ("con_post", "con_mail"))
