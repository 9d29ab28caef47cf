"""The expected wait: what it counts with, what it leaves out, and when it says that it doesn't know."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.commands import ParkContact, ReleaseContact, TransferContact
from libs.common.events.values import Match, Overflow
from services.router.core.queues import Need, is_higher, score_of
from services.router.expected_wait import (
    HIGH,
    LOW,
    OVERTAKING_SHARE,
    Asked,
    Crowd,
    Estimate,
    Flow,
    Group,
    Line,
    before,
    expected_wait,
    seconds_until_free,
)
from services.router.pace import (
    TYPES,
    Said,
    Seen,
    arrival_of,
    asked_by,
    came_to_wait,
    grouped,
    lead_seconds,
    pace_of,
)
from tests.simulation.router.builders import (
    START,
    accept,
    added,
    agent,
    close,
    decline,
    make,
    need,
    opened,
    presence,
    queue,
    relax,
)
from tests.simulation.router.driver import PoolDriver

ONE_AT_A_TIME: dict[str, Any] = {"units": 20}
HANDLING_SECONDS = 100
ACCEPTING_SECONDS = 10


def line(promise: float = 1_000, target: float = 1_000, **fields: Any) -> Line:
    """Of a contact of 20 units that is due in so many seconds, where one unit a second becomes free."""
    asked = Asked(ANYTHING, ("email", "async"), START + round(promise * SECOND), round(target * SECOND))
    plain: dict[str, Any] = {
        "asked": asked, "now": START, "own": 20, "free": 0, "leaving_per_second": 1.0, "crowds": (), "flows": (),
    }  # fmt: skip
    return Line(**(plain | fields))


def crowd(count: int, promise: float = 500, target: float = 1_000) -> tuple[Crowd, ...]:
    """So many wait, each of 20 units and due in so many seconds."""
    promises = [START + round(promise * SECOND)] * count
    return (Crowd(Group(ANYTHING, ("email", "async"), round(target * SECOND), promises), 20),)


ANYTHING = Need((None, need()))
HALF, MORE, FEW = Flow(0.5, 100, 100), Flow(3.0, 100, 100), Flow(0.25, 100, 70)


@pytest.mark.parametrize(("rule", "stands", "seconds"), [
    ("as long as it takes to free its own units",       line(),                                              20),
    ("and those of all ahead",                          line(crowds=crowd(3)),                               80),
    ("what is free already needn't be freed",           line(crowds=crowd(3), free=40),                      40),
    ("enough that is free is no wait",                  line(free=20),                                        0),
    ("who overtakes takes some of it",                  line(flows=(HALF,)),                                 40),
    ("but only as long as it may",                      line(110, flows=(HALF,)),                            25),
    ("the wait ends though more come than leave",       line(130, flows=(MORE,)),                           110),
    ("some longer than others",                         line(150, crowds=crowd(4, 90), flows=(HALF, FEW)),  145),
    ("where nothing is ever freed nobody knows",        line(leaving_per_second=0.0),                      None),
    ("a short promise passes long ones that are late",  line(0, 60, crowds=crowd(9, -450, 900)),           32.1),
    ("which is no help to one as long",                 line(0, 900, crowds=crowd(9, -450, 900)),           200),
    ("a long promise, late, is passed by short ones",   line(0, 9_000, own=200, flows=(HALF,)),           296.7),
    ("and a short one by none as long",                 line(0, 100, own=200, flows=(HALF,)),               200),
])  # fmt: skip
def test_the_wait_ends_when_as_much_is_free_as_all_take(rule: str, stands: Line, seconds: float | None) -> None:
    found = seconds_until_free(stands, 1.0)
    assert found == (None if seconds is None else pytest.approx(seconds, rel=0.01)), rule


def seen(pool: PoolDriver) -> list[Seen]:
    fields = Said.__struct_fields__
    return [
        Seen(one.at, one.type, one.subject, Said(**{name: getattr(one, name) for name in fields if hasattr(one, name)}))
        for one, _ in pool.emitted
        if one.type in TYPES
    ]


def worked(*agents: Any, finished: int = 6) -> PoolDriver:
    """A pool in which ann has finished so many e-mails, each after ten seconds to accept and a hundred to do."""
    pool = PoolDriver(agent("ann", "public", "billing", **ONE_AT_A_TIME), *agents)
    for number in range(finished):
        pool.receive(opened(f"con_old{number}", "billing", at=pool.now))
        pool.advance(ACCEPTING_SECONDS)
        pool.receive(accept(f"con_old{number}.offer.1"))
        pool.advance(HANDLING_SECONDS)
        pool.receive(close(f"con_old{number}"))
    pool.receive(opened("con_now", "billing", at=pool.now), accept("con_now.offer.1"))
    return pool


def asks(pool: PoolDriver, contact_id: str = "con_1") -> Estimate:
    waiting = [one for one in pool.floor.contacts.values() if one.state == "waiting" and one.id != contact_id]
    groups = grouped(asked_by(pool.floor, one) for one in waiting)
    pace = pace_of(pool.floor, seen(pool), START, pool.now)
    pace.arrivals = []  # What overtakes is tried by itself.
    return expected_wait(groups, pace, asked_by(pool.floor, pool.contact(contact_id)), pool.now)


def wait(*ahead: Any, **fields: Any) -> float | None:
    pool = worked()
    pool.receive(*ahead, opened("con_1", "billing", at=pool.now, **fields))
    return asks(pool).seconds


SOON = START + 660 * SECOND
"""When `worked` has come to its end."""
ONE = HANDLING_SECONDS


@pytest.mark.parametrize(("rule", "ahead", "pieces"), [
    ("the next gets what is done next",                 [],                                                     1),
    ("who came before goes first",                      [opened("con_0", "billing", at=SOON - SECOND)],         2),
    ("and so does each of them",
     [opened(f"con_0{n}", "billing", at=SOON - SECOND) for n in range(3)],                                      4),
    ("who came later with a promise as long doesn't",   [opened("con_2", "billing", at=SOON + SECOND)],         1),
    ("who came later with an earlier promise does",
     [opened("con_2", "billing", channel="x", at=SOON + SECOND)],                                               2),
    ("whom nobody here can serve is in nobody's way",   [opened("con_0", "tech", at=SOON - SECOND)],            1),
    ("a call leaves its gaps to smaller ones",
     [opened("con_0", "billing", channel="voice", at=SOON)],                                                    1),
])  # fmt: skip
def test_who_counts_as_ahead(rule: str, ahead: list[Any], pieces: int) -> None:
    found = wait(*ahead)
    assert found == pytest.approx(ACCEPTING_SECONDS * 6 / 7 + pieces * ONE), rule


@pytest.mark.parametrize("seed", range(5))
def test_who_is_ahead_is_who_is_ahead_in_the_core(seed: int) -> None:
    """Early and late, of any target: as many as have the higher score."""
    draw, pool = Random(seed), PoolDriver()
    for number in range(40):
        since = START - draw.randrange(0, 20_000) * SECOND + number
        pool.receive(opened(f"con_{number}", channel=draw.choice(["email", "x", "chat"]), at=since))
    contacts = list(pool.floor.contacts.values())
    for one in contacts:
        others = grouped(asked_by(pool.floor, other) for other in contacts if other is not one)
        higher = sum(is_higher(score_of(other, START), score_of(one, START)) for other in contacts)
        assert sum(before(group, asked_by(pool.floor, one), START) for group in others) == higher, one.id


def test_work_that_is_shared_with_others_counts_by_their_share() -> None:
    pool = worked(agent("bob", "tech", **ONE_AT_A_TIME))
    pool.receive(opened("con_bob", "tech", at=pool.now), accept("con_bob.offer.1"))
    pool.receive(opened("con_0", at=pool.now - SECOND), opened("con_1", "billing", at=pool.now))
    alone = ACCEPTING_SECONDS * 6 / 8 + ONE
    assert asks(pool).seconds == pytest.approx(alone + ONE / 2), "half of what anybody may take falls to ann"


def test_more_agents_make_it_shorter() -> None:
    pool = worked(agent("bob", "public", "billing", **ONE_AT_A_TIME))
    pool.receive(opened("con_too", "billing", at=pool.now), accept("con_too.offer.1"))
    pool.receive(opened("con_1", "billing", at=pool.now))
    seconds = asks(pool).seconds
    assert seconds is not None
    assert seconds < ONE * 0.6 + ACCEPTING_SECONDS


def test_the_bounds_lie_around_it() -> None:
    pool = worked()
    pool.receive(opened("con_1", "billing", at=pool.now))
    found = asks(pool)
    assert found.seconds is not None
    assert (found.low, found.high) == pytest.approx((LOW * found.seconds, HIGH * found.seconds))


def test_who_keeps_arriving_with_an_earlier_promise_makes_it_longer() -> None:
    pool = worked()
    pool.receive(opened("con_1", "billing", at=pool.now))
    asked = asked_by(pool.floor, pool.contact())
    pace = pace_of(pool.floor, seen(pool), START, pool.now)
    alike = expected_wait([], pace, asked, pool.now).seconds
    pace.arrivals = [one._replace(target_seconds=60, lead_seconds=60) for one in pace.arrivals]
    overtaken = expected_wait([], pace, asked, pool.now)
    assert alike is not None
    assert overtaken.seconds is not None
    assert overtaken.high is not None
    assert alike < overtaken.seconds < overtaken.high / HIGH, "more so at the upper bound"
    share_taken = OVERTAKING_SHARE * sum(one.per_second for one in pace.arrivals) * ONE
    assert overtaken.seconds == pytest.approx(ACCEPTING_SECONDS * 6 / 7 + ONE / (1 - share_taken))


@pytest.mark.parametrize(("rule", "pool", "reason"), [
    ("nobody is there",           lambda: away(worked()),         "nobody_available"),
    ("little was finished",       lambda: worked(finished=3),     "too_few_seen"),
    ("nothing was ever finished", lambda: worked(finished=0),     "too_few_seen"),
])  # fmt: skip
def test_it_says_when_it_does_not_know(rule: str, pool: Any, reason: str) -> None:
    asked = pool()
    asked.receive(opened("con_1", "billing", at=asked.now))
    found = asks(asked)
    assert (found.seconds, found.reason) == (None, reason), rule


def away(pool: PoolDriver) -> PoolDriver:
    pool.receive(presence("ann", "away"))
    return pool


def test_what_is_still_held_counts_with_the_time_it_was_held() -> None:
    pool = worked()
    pool.advance(1_000)
    work = pace_of(pool.floor, seen(pool), START, pool.now).work["async"]
    assert (work.finished, work.seconds) == (6, 6 * HANDLING_SECONDS + 1_000)


TAX = queue("tax", match=Match(channel="none"))
TAKEN = accept("con_1.offer.1", "ann")
TO_TAX = make(TransferContact, contact_id="con_1", to_queue="tax")
AWAY = presence("ann", "away")
FULL = queue(max_length=1, overflow=Overflow(queue="tax"))[0]


@pytest.mark.parametrize(("rule", "then", "came_to"), [
    ("a contact that opens",                              [],                                      ["everyone"]),
    ("an offer that nobody took changes nothing",         [decline("con_1.offer.1", "ann")],       ["everyone"]),
    ("given back it comes again",                         [TAKEN, make(ReleaseContact, contact_id="con_1")],
     ["everyone", "everyone"]),
    ("transferred by its agent it comes there",           [TAKEN, TO_TAX],                         ["everyone", "tax"]),
    ("its customer wrote again",                          [TAKEN, make(ParkContact, contact_id="con_1"), AWAY, added()],
     ["everyone", "everyone"]),
    ("transferred out of the line it is the same still",  [AWAY, TO_TAX],                          ["tax"]),
    ("and so is what overflows as it comes",              [FULL, AWAY, opened("con_2")],           ["everyone", "tax"]),
])  # fmt: skip
def test_what_counts_as_an_arrival(rule: str, then: list[Any], came_to: list[str]) -> None:
    pool = PoolDriver(TAX, agent("ann", **ONE_AT_A_TIME))
    pool.receive(opened("con_1"), *then)
    assert [one.said.queue for one in came_to_wait(seen(pool))] == came_to, rule


def test_what_comes_again_is_sooner_due() -> None:
    pool = PoolDriver(agent("ann", **ONE_AT_A_TIME))
    pool.receive(opened("con_1", sentiment=-1.0), TAKEN)
    pool.advance(1_000)
    pool.receive(make(ReleaseContact, contact_id="con_1"))
    promised = 14_400 * 0.95
    assert [lead_seconds(one) for one in came_to_wait(seen(pool))] == pytest.approx([promised, promised - 1_000])
    (arrivals,) = pace_of(pool.floor, seen(pool), START, pool.now).arrivals
    assert (arrivals.lead_seconds, arrivals.per_second) == pytest.approx((promised - 500, 2 / 1_000))


def test_what_was_transferred_is_held_no_longer() -> None:
    pool = PoolDriver(TAX, agent("ann", **ONE_AT_A_TIME))
    pool.receive(opened("con_1"), TAKEN)
    pool.advance(100)
    pool.receive(AWAY, TO_TAX)
    pool.advance(1_000)
    work = pace_of(pool.floor, seen(pool), START, pool.now).work["async"]
    assert (work.finished, work.seconds) == (1, 100)


def test_who_arrives_asks_for_their_language_where_the_queue_does() -> None:
    said: dict[str, Any] = {"requirement": need("tax"), "language": "it-CH"}
    assert arrival_of(Said(**said)).requirement == need("tax")
    assert arrival_of(Said(**said, language_level=2)).requirement == need("tax", "lang:it:2")


def test_who_is_there_for_a_later_step_counts_while_nobody_is_for_this_one() -> None:
    pool = PoolDriver(queue(requirement=need("tax"), relax=(relax(60),)), agent("ann", **ONE_AT_A_TIME))
    pool.receive(opened("con_1"), opened("con_2"))
    waiting = pool.contact("con_2")
    assert waiting.relaxed == 0
    assert asked_by(pool.floor, waiting).need.allows(pool.floor.desks["ann"].agent)
