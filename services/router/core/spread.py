"""How fast a public contact spreads: its velocity, in shares and reactions an hour.

Each report of `contact.reach_changed` is measured against an earlier one. Reports may come every second, so one that
follows sooner than five minutes after what it is measured against counts as five minutes later, and is itself no
measure for the next. A velocity stands until the next report: whoever reports that it spreads reports that it stops.
"""

from __future__ import annotations

from typing import NamedTuple

from libs.common.events import SECOND
from libs.common.events.values import Reach
from services.router.core.limits import VELOCITY_SECONDS_MIN
from services.router.core.state import Contact

HOUR = 3_600 * SECOND


class Spread(NamedTuple):
    """`velocity` now, and the report (its total and time) that the next one is measured against."""

    velocity: int
    total: int
    at: int


def total_of(reach: Reach) -> int:
    return reach.shares + reach.reactions


def spread_after(contact: Contact, reach: Reach, at: int) -> Spread:
    """After a report of `reach` at that time."""
    total = total_of(reach)
    if contact.visibility == "private" or not contact.spread_at:
        return Spread(0, total, at)
    elapsed, shortest = at - contact.spread_at, VELOCITY_SECONDS_MIN * SECOND
    velocity = max(0, total - contact.spread) * HOUR // max(elapsed, shortest)
    if elapsed < shortest:
        return Spread(velocity, contact.spread, contact.spread_at)
    return Spread(velocity, total, at)
