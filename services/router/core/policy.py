"""How far a contact's promise is moved forward, and which promise that is.

    boost = min(0.25, reach + sentiment + tier + strikes + raised + velocity + urgency)

Each part is a weight in thousandths times a share. The sum is rounded once, here, and what follows is integer
arithmetic; the parts are rounded to be shown. Weights belong to the pool. A target's seconds come from the tightest
matching `first_response` target, or from what is assumed for the medium. `velocity` and `urgency` have no weight
unless the pool gives them one; the shares are

    velocity   min(1, log10(shares and reactions an hour) / 4): none at one an hour, all of it at ten thousand
    urgency    the contact's routable attribute `urgency`, 0 to 1, as the platform gives it; anything else is 0
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log10
from typing import Final, NamedTuple

from libs.common.events import SECOND
from libs.common.events.values import Reach, Scalar, Tier, Visibility
from libs.common.promises import Traits, tightest, unpromised_seconds
from services.router.core.floor import Floor
from services.router.core.limits import (
    BOOST_MAX,
    LAST_AGENT_SECONDS_MAX,
    LAST_AGENT_SHARE_DIVISOR,
    REACH_DECADES_MAX,
    STRIKES_MAX,
    VELOCITY_DECADES_MAX,
)
from services.router.core.state import OPTIONAL_TERMS, TERMS, Contact

TIER_HALVES: Final[Mapping[Tier, int]] = {"standard": 0, "silver": 1, "gold": 2}


class Signals(NamedTuple):
    """What is known of a contact apart from its promise, and what its boost is made of."""

    visibility: Visibility
    reach: int
    sentiment: float
    language: str | None
    topics: tuple[str, ...]
    tier: Tier
    strikes: int
    velocity: int = 0
    urgency: int = 0


class Boost(NamedTuple):
    """In thousandths of the target: the whole, and its parts in the order of `TERMS`."""

    whole: int
    terms: tuple[int, ...]


class Kept(NamedTuple):
    """The promise that a contact is measured by."""

    target: str | None
    version: int
    seconds: int


def audience(visibility: Visibility, reach: Reach) -> int:
    """How many people can see it: 1 in private, and at least 1."""
    return 1 if visibility == "private" else max(1, reach.views, reach.followers)


def signals_of(contact: Contact) -> Signals:
    return Signals(
        contact.visibility, contact.reach, contact.sentiment, contact.language, contact.topics,
        contact.tier, contact.strikes, contact.velocity, contact.urgency,
    )  # fmt: skip


def urgency_of(attributes: Mapping[str, Scalar]) -> int:
    """In thousandths."""
    given = attributes.get("urgency")
    if isinstance(given, bool) or not isinstance(given, int | float):
        return 0
    return _rounded(1_000 * min(1.0, max(0.0, given)))


def boost_of(weights: Mapping[str, int], signals: Signals, raised: int) -> Boost:
    strikes = min(STRIKES_MAX, max(0, signals.strikes))
    parts = [
        weights["reach"] * _decades(signals.reach, REACH_DECADES_MAX),
        weights["sentiment"] * min(1.0, max(0.0, -signals.sentiment)),
        weights["tier"] * TIER_HALVES[signals.tier] / 2,
        weights["strikes"] * strikes / STRIKES_MAX,
        raised,
    ]
    if any(name in weights for name in OPTIONAL_TERMS):
        parts.append(weights.get("velocity", 0) * _decades(signals.velocity, VELOCITY_DECADES_MAX))
        parts.append(weights.get("urgency", 0) * signals.urgency / 1_000)
    return Boost(min(BOOST_MAX, _rounded(sum(parts))), tuple(_rounded(part) for part in parts))


def _decades(count: int, most: int) -> float:
    """The share of so many powers of ten."""
    return min(1.0, log10(max(1, count)) / most)


def _rounded(thousandths: float) -> int:
    return int(thousandths + 0.5)


def named(terms: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(TERMS, terms, strict=False))


def promise_of(floor: Floor, traits: Traits) -> Kept:
    if floor.targets:
        target = tightest(floor.targets.values(), traits, "first_response")
        if target is not None:
            return Kept(target.target_id, target.version, target.seconds)
    return Kept(None, 0, unpromised_seconds(traits.medium, traits.visibility))


def last_agent_until(
    floor: Floor, last_agent: str | None, since: int, boost: int, kept: Kept, most_seconds: int, now: int
) -> int | None:
    """How long the customer's last agent goes first; None when they are away, or the contact isn't early."""
    desk = floor.desks.get(last_agent) if last_agent is not None else None
    if desk is None or desk.peers is None:
        return None
    target = kept.seconds * SECOND
    longest = min(target // LAST_AGENT_SHARE_DIVISOR, min(LAST_AGENT_SECONDS_MAX, most_seconds) * SECOND)
    until = min(now + longest, early_until(since, boost, kept.seconds))
    return until if until > now else None


def early_until(since: int, boost: int, seconds: int) -> int:
    """A quarter of the target before the promise: until then who knows the contact may go first."""
    promise = since + seconds * SECOND - boost * seconds * (SECOND // 1_000)
    return promise - seconds * SECOND // LAST_AGENT_SHARE_DIVISOR


def is_early(contact: Contact, now: int) -> bool:
    return now < early_until(contact.waiting_since, contact.boost, contact.target_seconds)
