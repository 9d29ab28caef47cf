"""Which queue takes a contact, and where what it doesn't take goes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from libs.common.events import SECOND, Event
from libs.common.events.codec import encode_value
from libs.common.events.commands import ParkContact, ReleaseContact, TransferContact
from libs.common.events.values import BusinessHours, Match, Overflow, Predicate
from tests.simulation.router.builders import (
    START,
    accept,
    added,
    agent,
    decline,
    make,
    need,
    opened,
    presence,
    queue,
    relax,
    target,
)
from tests.simulation.router.driver import PoolDriver

HOUR = 3_600


def rule(**body: Any) -> Predicate:
    return msgspec.convert(body, Predicate)


WIDE = rule(field="reach", op="gte", value=1_000)
NOT_WIDE = rule(**{"not": {"field": "reach", "op": "gte", "value": 1_000}})


def to(goal: str, after: int | None = None, longer: int | None = None) -> Overflow:
    return Overflow(queue=goal, after_seconds=after, longer_than=longer)


def open_between(*hours: tuple[float, float]) -> BusinessHours:
    """Open from so many hours after the start of the test to so many."""
    table = tuple((START + round(a * HOUR * SECOND), START + round(b * HOUR * SECOND)) for a, b in hours)
    return BusinessHours(hours="as in the test", open=table)


LATER, NOW = open_between((1, 2)), open_between((-1, 1), (3, 4))


def queues_of(pool: PoolDriver, contact_id: str = "con_1") -> list[str]:
    """Every queue that the contact came to, in order."""
    return [one.queue for one in pool.events("contact.queued") if one.contact_id == contact_id]


# -- the first that matches -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("says", "queues", "contact", "expected"), [
    ("the rule holds",                    [queue("wide", when=WIDE)],                     {"reach": 2_000},  "wide"),
    ("the rule doesn't hold",             [queue("wide", when=WIDE)],                     {"reach": 10},    "everyone"),
    ("rule and match hold",               [queue("q", match=Match(channel="x"), when=WIDE)], {"reach": 2_000}, "q"),
    ("the rule alone is not enough",      [queue("q", match=Match(channel="sms"), when=WIDE)], {"reach": 2_000},
     "everyone"),
    ("the lower order is asked first",    [queue("a", when=WIDE, order=20), queue("b", when=WIDE, order=10)],
     {"reach": 2_000}, "b"),
    ("of one order the lower id",         [queue("b", when=WIDE), queue("a", when=WIDE)], {"reach": 2_000},  "a"),
    ("who was asked for needs no rule",   [queue("wide", when=WIDE)],                     {"reach": 1, "queue": "wide"},
     "wide"),
    ("reach in private is one",           [queue("wide", when=WIDE)],   {"reach": 2_000, "visibility": "private"},
     "everyone"),
    ("strikes count",                     [queue("q", when=rule(field="strikes", op="gt", value=1))],
     {"strikes": 2}, "q"),
    ("a routable attribute counts",       [queue("q", when=rule(field="attributes.value", op="lt", value=5))],
     {"attributes": {"value": 4}}, "q"),
])  # fmt: skip
def test_the_first_that_matches(says: str, queues: Any, contact: dict[str, Any], expected: str) -> None:
    pool = PoolDriver(*queues)
    pool.receive(opened(channel="x", **contact))
    assert queues_of(pool) == [expected], says


def test_a_return_counts_as_a_strike_for_the_rule() -> None:
    pool = PoolDriver(queue("again", when=rule(field="strikes", op="gte", value=1)))
    pool.receive(added(at=START))
    assert pool.events("contact.queued")[0].queue == "again"


# -- overflow ---------------------------------------------------------------------------------------------------


AWAY = (agent("zoe", "public", "billing")[0],)
"""Somebody who could, and isn't there."""


def care(**fields: Any) -> tuple[Event, ...]:
    """The queue that takes everything first."""
    return queue("care", order=1, **fields)


def flags(pool: PoolDriver) -> list[str]:
    return [one.reason for one in pool.events("contact.unroutable")]


def test_overflow_by_time_keeps_age_and_promise() -> None:
    pool = PoolDriver(AWAY, target("fast", 600, queue="care"), queue("all"), care(overflow=to("all", after=60)))
    pool.receive(opened(occurred_at=START - 30 * SECOND))
    pool.advance(59)
    assert queues_of(pool) == ["care"]
    pool.advance(1)
    assert pool.event_types() == ["contact.queued", "contact.overflowed", "contact.queued"]
    moved, queued = pool.events("contact.overflowed")[0], pool.events("contact.queued")[1]
    assert (moved.from_queue, moved.queue, moved.reason) == ("care", "all", "time")
    assert (queued.waiting_since, queued.target, queued.reason) == (START - 30 * SECOND, "fast", "overflowed")


def test_time_counts_from_the_entry_of_each_queue() -> None:
    """Not from the arrival: a second queue with the same time isn't passed through at once."""
    pool = PoolDriver(AWAY, queue("all"), queue("two", overflow=to("all", 60)), care(overflow=to("two", 60)))
    pool.receive(opened(occurred_at=START - 1_000 * SECOND))
    for seconds, expected in ((59, ["care"]), (1, ["care", "two"]), (59, ["care", "two"]), (1, ["care", "two", "all"])):
        pool.advance(seconds)
        assert queues_of(pool) == expected


def test_nobody_is_sent_to_and_fro() -> None:
    pool = PoolDriver(AWAY, queue("two"), care(overflow=to("two", 60)), queue("two", overflow=to("care", 60)))
    pool.receive(opened())
    pool.advance(100_000)
    assert queues_of(pool) == ["care", "two"]
    assert pool.core.next_due(pool.state) is None


@pytest.mark.parametrize(("says", "care_has", "two_has"), [
    ("full queues that point at each other",  {"max_length": 1, "overflow": to("two")}, {"overflow": to("care")}),
    ("back to where it waited for too long",  {"overflow": to("two", 60)},              {"overflow": to("care")}),
])  # fmt: skip
def test_nobody_goes_round_in_a_ring(says: str, care_has: dict[str, Any], two_has: dict[str, Any]) -> None:
    pool = PoolDriver(AWAY, queue("two"), care(**care_has), queue("two", max_length=1, **two_has))
    pool.receive(opened("con_two", queue="two"), opened("con_care", queue="care"), opened("con_new"))
    pool.advance(60)
    assert queues_of(pool, "con_new") == ["care", "two"], says
    assert pool.contact("con_new").unroutable == "queue_full"


def test_an_offer_in_flight_is_not_disturbed() -> None:
    pool = PoolDriver(agent("ann"), queue("all"), care(overflow=to("all", 10), offer_seconds=20))
    pool.receive(opened())
    pool.advance(15)
    assert queues_of(pool) == ["care"]
    pool.receive(presence("ann", "away"))
    assert pool.event_types()[-3:] == ["offer.withdrawn", "contact.overflowed", "contact.queued"]
    assert pool.contact().rules.queue == "all"


def test_the_rules_of_the_new_queue_hold() -> None:
    pool = PoolDriver(
        AWAY, queue("all", requirement=need("billing"), relax=(relax(500, "public", skip="never"),)),
        care(overflow=to("all", 60), requirement=need("public")),
    )  # fmt: skip
    pool.receive(opened())
    pool.advance(60)
    pool.receive(*agent("ann", "public"))
    assert pool.offers() == []
    pool.receive(*agent("bob", "billing"))
    assert pool.offers() == [("con_1", "bob")]


def test_a_released_contact_has_its_time_anew() -> None:
    pool = PoolDriver(agent("ann"), queue("all"), care(overflow=to("all", 60)))
    pool.receive(opened(), accept("con_1.offer.1"))
    pool.advance(100)
    pool.receive(presence("ann", "away"), make(ReleaseContact, contact_id="con_1"))
    pool.advance(59)
    assert queues_of(pool) == ["care", "care"]
    pool.advance(1)
    assert queues_of(pool)[-1] == "all"


@pytest.mark.parametrize(("says", "rules", "came", "flagged"), [
    ("one place is left",                   {"max_length": 2},                             ["care"],        []),
    ("the queue is full",                   {"max_length": 1},                             ["care"],
     ["queue_full"]),
    ("full, and there is another",          {"max_length": 1, "overflow": to("all")},      ["care", "all"], []),
    ("as long as it may be",                {"overflow": to("all", longer=1)},             ["care", "all"], []),
    ("shorter than that",                   {"overflow": to("all", longer=2)},             ["care"],        []),
    ("full, the way out is full, and stays there", {"max_length": 1, "overflow": to("small")}, ["care", "small"],
     ["queue_full"]),
    ("from one to the next",                {"max_length": 1, "overflow": to("passing")},  ["care", "passing", "all"],
     []),
])  # fmt: skip
def test_length(says: str, rules: dict[str, Any], came: list[str], flagged: list[str]) -> None:
    passing = queue("passing", max_length=1, overflow=to("all"))
    pool = PoolDriver(AWAY, queue("all"), queue("small", max_length=1), passing, care(**rules))
    for name in ("care", "small", "passing"):
        pool.receive(opened(f"con_{name}", queue=name))
    pool.receive(opened("con_new"))
    assert queues_of(pool, "con_new") == came, says
    assert flags(pool) == flagged, says


def test_who_is_refused_keeps_its_place() -> None:
    pool = PoolDriver(AWAY, care(max_length=1))
    pool.receive(opened("con_1"), opened("con_2"))
    assert pool.contact("con_2").unroutable == "queue_full"
    pool.receive(presence("zoe"))
    assert pool.offers() == [("con_1", "zoe"), ("con_2", "zoe")]
    assert pool.contact("con_2").unroutable is None


@pytest.mark.parametrize(("says", "ends", "room"), [
    ("who waits counts",            [],                                                      False),
    ("who is on offer counts",      [presence("zoe")],                                       False),
    ("who has an agent doesn't",    [presence("zoe"), accept("con_1.offer.1")],              True),
    ("who is given back does",      [presence("zoe"), accept("con_1.offer.1"), presence("zoe", "away"),
                                     make(ReleaseContact, contact_id="con_1")],              False),
    ("who declined changes nothing", [presence("zoe"), decline("con_1.offer.1")],            False),
    ("who is parked doesn't",       [make(ParkContact, contact_id="con_1")],                 True),
])  # fmt: skip
def test_who_is_in_line(says: str, ends: list[Event], room: bool) -> None:
    pool = PoolDriver((agent("zoe", units=20)[0],), care(max_length=1))
    pool.receive(opened("con_1"), *ends)
    pool.restore()
    pool.receive(opened("con_2"))
    assert (flags(pool) == []) is room, says


def test_a_customer_who_writes_again_comes_to_a_full_queue() -> None:
    """What the message says goes on with the contact."""
    pool = PoolDriver(AWAY, queue("all"), care(max_length=1, overflow=to("all")))
    pool.receive(opened("con_1"), make(ParkContact, contact_id="con_1"), opened("con_2"))
    pool.receive(added("con_1", language="it"))
    assert queues_of(pool) == ["care", "care", "all"]
    assert pool.events("contact.queued")[-1].language == pool.contact("con_1").language == "it"


# -- hours ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("says", "rules", "came", "flagged"), [
    ("open",                         {"hours": NOW},                                              ["care"],        []),
    ("closed: it waits",             {"hours": LATER},                                            ["care"],        []),
    ("closed: it goes on",           {"hours": LATER, "closed": "overflow", "overflow": to("all")}, ["care", "all"],
     []),
    ("closed: refused",              {"hours": LATER, "closed": "refuse"},                        ["care"],
     ["queue_closed"]),
    ("open, and would have gone on", {"hours": NOW, "closed": "overflow", "overflow": to("all")}, ["care"],        []),
    ("nobody knows what comes after the table", {"hours": open_between((-2, -1)), "closed": "refuse"}, ["care"],   []),
])  # fmt: skip
def test_closed(says: str, rules: dict[str, Any], came: list[str], flagged: list[str]) -> None:
    pool = PoolDriver(AWAY, queue("all"), care(**rules))
    pool.receive(opened())
    assert queues_of(pool) == came, says
    assert flags(pool) == flagged, says


@pytest.mark.parametrize(("policy", "flagged"), [("wait", []), ("refuse", ["queue_closed", "queue_opened"])])
def test_who_waits_for_the_opening_is_offered_then(policy: str, flagged: list[str]) -> None:
    pool = PoolDriver(agent("ann"), care(hours=LATER, closed=policy))
    pool.receive(opened())
    pool.advance(HOUR - 1)
    assert pool.offers() == []
    pool.restore()
    pool.advance(1)
    assert pool.offers() == [("con_1", "ann")]
    assert flags(pool) == flagged


def test_who_waits_at_closing_time_is_still_served() -> None:
    pool = PoolDriver(AWAY, care(hours=NOW))
    pool.receive(opened("con_1"))
    pool.advance(HOUR + 60)
    pool.receive(opened("con_2"), presence("zoe"))
    assert pool.offers() == [("con_1", "zoe")]
    pool.advance(2 * HOUR)
    assert ("con_2", "zoe") in pool.offers()


def test_neither_steps_nor_overflow_happen_before_the_opening() -> None:
    pool = PoolDriver(AWAY, queue("all"), care(hours=LATER, overflow=to("all", 60), relax=(relax(60),)))
    pool.receive(opened())
    pool.advance(HOUR - 1)
    assert pool.event_types() == ["contact.queued"]
    pool.advance(60)
    assert queues_of(pool) == ["care"]
    pool.advance(1)
    assert queues_of(pool) == ["care", "all"]


@pytest.mark.parametrize(("says", "opens", "steps"), [
    ("open at once, a step counts from the queueing",       0.0, [(0, 59), (1, 60)]),
    ("closed, from the opening: the night was no wait",     1.0, [(0, HOUR + 59), (1, HOUR + 60)]),
    ("and the next one from that step",                     1.0, [(1, HOUR + 359), (2, HOUR + 360)]),
])  # fmt: skip
def test_steps_count_from_the_opening(says: str, opens: float, steps: list[tuple[int, int]]) -> None:
    rules = care(hours=open_between((opens, 9)), relax=(relax(60, skip="never"), relax(300, skip="never")))
    pool = PoolDriver(AWAY, rules)
    pool.receive(opened())
    for relaxed, seconds in steps:
        pool.advance(seconds - (pool.now - START) // SECOND)
        assert pool.contact().relaxed == relaxed, says


def test_who_is_closed_out_and_parked_comes_back_to_an_open_queue() -> None:
    pool = PoolDriver(agent("ann"), care(hours=LATER))
    pool.receive(opened(), make(ParkContact, contact_id="con_1"))
    pool.advance(HOUR + 1)
    pool.receive(added(at=pool.now, occurred_at=pool.now))
    assert pool.offers() == [("con_1", "ann")]


# -- moved by people --------------------------------------------------------------------------------------------


def transfer(**to: str) -> Any:
    return make(TransferContact, contact_id="con_1", **to)


@pytest.mark.parametrize(("says", "rules", "came", "offered"), [
    ("to a queue that takes it",           {}, ["care", "night"], True),
    ("to a closed queue: it waits there",  {"hours": LATER}, ["care", "night"], False),
    ("to a full queue: it goes on",        {"max_length": 1, "overflow": to("all")}, ["care", "night", "all"], True),
])  # fmt: skip
def test_a_transfer_comes_like_any_other(says: str, rules: dict[str, Any], came: list[str], offered: bool) -> None:
    pool = PoolDriver(AWAY, queue("all"), queue("night", **rules), care())
    pool.receive(opened("con_0", queue="night"), opened("con_1"))
    outcome = pool.run(transfer(to_queue="night"))
    assert queues_of(pool) == came, says
    assert outcome.state["queue"] == came[-1]
    pool.receive(presence("zoe"))
    assert (("con_1", "zoe") in pool.offers()) is offered, says


def test_a_named_agent_needs_no_open_queue() -> None:
    pool = PoolDriver(agent("ann"), care(hours=LATER))
    pool.receive(opened("con_1"))
    assert pool.offers() == []
    assert pool.run(transfer(to_agent="ann")).state["agent"] == "ann"
    pool.advance(2 * HOUR)
    assert pool.contact().opens_at is None


# -- pinned -----------------------------------------------------------------------------------------------------


def test_who_waits_keeps_the_rules_that_it_entered_by() -> None:
    pool = PoolDriver(AWAY, queue("all"), care(overflow=to("all", 60)))
    pool.receive(opened("con_1"), care()[0], opened("con_2"))
    assert [pool.contact(one).rules.version for one in ("con_1", "con_2")] == [1, 2]
    pool.advance(60)
    assert [pool.contact(one).rules.queue for one in ("con_1", "con_2")] == ["all", "care"]


def test_a_contact_of_plain_queues_says_no_more_than_before() -> None:
    """Old logs replay to the same bytes."""
    pool = PoolDriver(AWAY, care())
    pool.receive(opened())
    values = [msgspec.json.decode(encode_value(e.event, sequence=e.sequence, cause="")) for e in pool.emitted]
    for field in ("opens_at", "when", "hours", "closed", "max_length", "successor", "overflow"):
        assert all(field not in value for value in values), field
