"""The order: how far a promise moves forward, and how scores compare."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.events import SECOND
from libs.common.events.values import Reach
from services.router.core.policy import Signals, audience, boost_of, named, urgency_of
from services.router.core.queues import half_points, is_higher, promise_key, score_of, thousandths
from services.router.core.state import DEFAULT_WEIGHTS, Contact, Rules


def signals(**known: Any) -> Signals:
    plain: dict[str, Any] = {
        "visibility": "public", "reach": 1, "sentiment": 0.0, "language": None, "topics": (),
        "tier": "standard", "strikes": 0,
    }  # fmt: skip
    return Signals(**(plain | known))


@pytest.mark.parametrize(("rule", "known", "raised", "terms", "boost"), [
    ("nothing moves the promise",        {},                                      0,   (0, 0, 0, 0, 0),          0),
    ("a million see it",                 {"reach": 1_000_000},                    0,   (130, 0, 0, 0, 0),      130),
    ("a thousand see it",                {"reach": 1_000},                        0,   (65, 0, 0, 0, 0),        65),
    ("beyond a million is no more",      {"reach": 10**9},                        0,   (130, 0, 0, 0, 0),      130),
    ("anger counts",                     {"sentiment": -0.8},                     0,   (0, 40, 0, 0, 0),        40),
    ("praise does not",                  {"sentiment": 0.9},                      0,   (0, 0, 0, 0, 0),          0),
    ("silver is half of gold",           {"tier": "silver"},                      0,   (0, 0, 25, 0, 0),        25),
    ("gold",                             {"tier": "gold"},                        0,   (0, 0, 50, 0, 0),        50),
    ("each strike is a third",           {"strikes": 2},                          0,   (0, 0, 0, 67, 0),        67),
    ("three strikes are all",            {"strikes": 7},                          0,   (0, 0, 0, 100, 0),      100),
    ("raised once",                      {},                                      100, (0, 0, 0, 0, 100),      100),
    ("all of it is capped at a quarter", {"reach": 10**6, "sentiment": -1.0, "tier": "gold", "strikes": 3}, 100,
     (130, 50, 50, 100, 100), 250),
    ("the sum is rounded, not its parts", {"reach": 13, "sentiment": -0.008},     0,   (24, 0, 0, 0, 0),        25),
])  # fmt: skip
def test_boost(rule: str, known: dict[str, Any], raised: int, terms: tuple[int, ...], boost: int) -> None:
    assert boost_of(DEFAULT_WEIGHTS, signals(**known), raised) == (boost, terms), rule


@pytest.mark.parametrize(("rule", "weights", "known", "terms", "boost"), [
    ("ten thousand an hour are all",   {"velocity": 60}, {"velocity": 10_000},           (60, 0),  60),
    ("beyond that is no more",         {"velocity": 60}, {"velocity": 10**9},            (60, 0),  60),
    ("a hundred an hour are half",     {"velocity": 60}, {"velocity": 100},              (30, 0),  30),
    ("one an hour is nothing",         {"velocity": 60}, {"velocity": 1},                (0, 0),    0),
    ("urgency counts by its share",    {"urgency": 200}, {"urgency": 800},               (0, 160), 160),
    ("both, beside all others",        {"velocity": 60, "urgency": 40},
     {"velocity": 10**4, "urgency": 1_000, "strikes": 3}, (60, 40), 200),
    ("the cap holds for them too",     {"urgency": 250}, {"urgency": 1_000, "strikes": 3}, (0, 250), 250),
])  # fmt: skip
def test_boost_of_optional_terms(
    rule: str, weights: dict[str, int], known: dict[str, Any], terms: tuple[int, int], boost: int
) -> None:
    found = boost_of(DEFAULT_WEIGHTS | weights, signals(**known), 0)
    assert (found.whole, found.terms[5:]) == (boost, terms), rule


@pytest.mark.parametrize(("rule", "attributes", "urgency"), [
    ("as the platform gives it", {"urgency": 0.8},    800),
    ("all of it",                {"urgency": 1},    1_000),
    ("no more than all",         {"urgency": 17.5}, 1_000),
    ("no less than nothing",     {"urgency": -1},       0),
    ("a word is none",           {"urgency": "high"},   0),
    ("a yes is none",            {"urgency": True},     0),
    ("without it there is none", {"order": "A-17"},     0),
])  # fmt: skip
def test_urgency(rule: str, attributes: dict[str, Any], urgency: int) -> None:
    assert urgency_of(attributes) == urgency, rule


def test_terms_are_named_in_their_order() -> None:
    assert named((1, 2, 3, 4, 5)) == {"reach": 1, "sentiment": 2, "tier": 3, "strikes": 4, "raised": 5}


@pytest.mark.parametrize(("rule", "visibility", "reach", "people"), [
    ("views or followers, the more", "public", Reach(followers=12_000, views=45_000), 45_000),
    ("shares are no audience", "public", Reach(shares=500, reactions=90), 1),
    ("nobody sees it in private", "private", Reach(followers=12_000), 1),
    ("a community does", "community", Reach(followers=30), 30),
])
def test_audience(rule: str, visibility: Any, reach: Reach, people: int) -> None:
    assert audience(visibility, reach) == people, rule


def waiting(since: int = 0, target: int = 900, boost: int = 0) -> Contact:
    return Contact(
        id="c", rules=Rules("q"), account="a", channel="x", medium="async", visibility="public", customer_id="k",
        opened_at=0, waiting_since=since * SECOND, target_seconds=target, boost=boost,
    )  # fmt: skip


@pytest.mark.parametrize(("rule", "contact", "now", "score"), [
    ("early: slack in units of 1,000 s",   waiting(target=900),                400,  -500),
    ("early: the target does not matter",  waiting(target=14_400),          13_900,  -500),
    ("at its promise",                     waiting(target=900),                900,     0),
    ("late: lateness in targets",          waiting(target=900),              1_350,   500),
    ("late: a call is late sooner",        waiting(target=20),                  40, 1_000),
    ("a boost moves the promise",          waiting(target=1_000, boost=250),   750,     0),
])  # fmt: skip
def test_score(rule: str, contact: Contact, now: int, score: int) -> None:
    assert thousandths(score_of(contact, now * SECOND)) == score, rule


@pytest.mark.parametrize(("score", "points"), [
    ((-1, 4), 0), ((1, 4), 1), ((-1, 2), -1), ((0, 1), 0), ((9, 10), 2), ((-3, 4), -1), ((-9, 1), -18),
])  # fmt: skip
def test_half_points_are_rounded_up_from_the_middle(score: tuple[int, int], points: int) -> None:
    assert half_points(score) == points


@given(
    one=st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 10**6)),
    other=st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 10**6)),
)
def test_scores_compare_exactly(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert is_higher(one, other) == (Fraction(*one) > Fraction(*other))


SECONDS = st.integers(0, 10**6)


@given(boost=st.integers(0, 250), target=st.integers(1, 10**6), since=SECONDS, later=SECONDS)
def test_the_key_keeps_the_order_of_the_promises(boost: int, target: int, since: int, later: int) -> None:
    """Among contacts of one target the key's order is the order of the scores, at any time."""
    first, second = waiting(since, target, boost), waiting(since + later, target, 0)
    if promise_key(first) == promise_key(second):
        return
    for now in (0, since * SECOND, (since + later + target) * SECOND * 3):
        higher = is_higher(score_of(first, now), score_of(second, now))
        assert higher == (promise_key(first) < promise_key(second))
