"""Which target binds a contact: the matcher that the router and the SLA service share."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from libs.common.events.values import Match
from libs.common.promises import matches, tightest, unpromised_seconds


class Traits(NamedTuple):
    channel: str = "x"
    medium: Any = "async"
    visibility: Any = "public"
    account: str = "brand-on-x"
    queue: str = "social"
    tier: str = "gold"
    language: str | None = "it"
    topics: tuple[str, ...] = ("billing", "outage")


class Target(NamedTuple):
    target_id: str
    seconds: int
    match: Match = Match()
    metric: Any = "first_response"


@pytest.mark.parametrize(("rule", "match", "holds"), [
    ("an empty match is for everybody",     Match(),                                        True),
    ("a field that is set must hold",       Match(channel="email"),                         False),
    ("all fields must hold",                Match(channel="x", medium="voice"),             False),
    ("all fields hold",                     Match(channel="x", queue="social", tier="gold"), True),
    ("a list means any of",                 Match(visibility=("community", "public")),      True),
    ("none of a list",                      Match(account=("a", "b")),                      False),
    ("an empty list is nobody",             Match(language=()),                             False),
    ("one of the topics is enough",         Match(topic="outage"),                          True),
    ("any of the topics, any of the list",  Match(topic=("refund", "billing")),             True),
    ("no topic in common",                  Match(topic="refund"),                          False),
])  # fmt: skip
def test_matches(rule: str, match: Match, holds: bool) -> None:
    assert matches(match, Traits()) is holds, rule


def test_an_unknown_language_matches_no_language() -> None:
    assert not matches(Match(language="it"), Traits(language=None))


SOCIAL = Target("social", 900, Match(visibility="public"))
GOLD = Target("gold", 300, Match(tier="gold"))
ALSO_GOLD = Target("a-gold", 300, Match(tier="gold"))
REPLY = Target("reply", 60, metric="next_response")
MAIL = Target("mail", 30, Match(channel="email"))


@pytest.mark.parametrize(("rule", "targets", "bound"), [
    ("the fewest seconds bind",             [SOCIAL, GOLD],             "gold"),
    ("equals go to the lower id",           [GOLD, ALSO_GOLD],          "a-gold"),
    ("another metric does not bind",        [SOCIAL, REPLY],            "social"),
    ("what does not match does not bind",   [MAIL, SOCIAL],             "social"),
    ("nothing is promised",                 [MAIL, REPLY],              None),
])  # fmt: skip
def test_tightest(rule: str, targets: list[Target], bound: str | None) -> None:
    target = tightest(targets, Traits(), "first_response")
    assert (target.target_id if target else None) == bound, rule


@pytest.mark.parametrize(("medium", "visibility", "seconds"), [
    ("voice", "private", 20), ("live", "private", 60), ("async", "public", 900), ("async", "community", 900),
    ("async", "private", 14_400),
])  # fmt: skip
def test_what_is_assumed_without_a_target(medium: Any, visibility: Any, seconds: int) -> None:
    assert unpromised_seconds(medium, visibility) == seconds
