"""When to try again: quickly at first, since most trouble is short, then ever more rarely for about a day.

That is for a delivery that is tried. One that only waits, because its receiver rests or an earlier delivery of its line
is pending, ends by its age.
"""

from __future__ import annotations

from typing import Final

from libs.common.events import SECOND

RETRY_SECONDS: Final = (1, 5, 30, 300, 1_800, 7_200, 18_000, 36_000)
"""What is waited after the first, the second … failed attempt; after one more the delivery is dead."""
ATTEMPTS_MAX: Final = len(RETRY_SECONDS) + 1
RETRY_AFTER_SECONDS_MAX: Final = 36_000
"""A receiver that asks for more gets this much."""

FAILURES_BEFORE_REST: Final = 5
REST_SECONDS: Final = (1, 5, 30, 60)
"""How long an endpoint is left alone after so many failures in a row: its backlog waits, each for as long as it may,
instead of trying one by one and dying together."""


def retry_at(now: int, attempts: int, retry_after_seconds: int = 0) -> int | None:
    """When to try again after `attempts` failed ones; None when it was the last."""
    if attempts >= ATTEMPTS_MAX:
        return None
    asked = min(retry_after_seconds, RETRY_AFTER_SECONDS_MAX)
    return now + max(RETRY_SECONDS[attempts - 1], asked) * SECOND


def rest_until(now: int, failures_in_a_row: int) -> int:
    """Until when an endpoint is left alone; `now` while it fails only now and then."""
    beyond = failures_in_a_row - FAILURES_BEFORE_REST
    return now if beyond < 0 else now + REST_SECONDS[min(beyond, len(REST_SECONDS) - 1)] * SECOND
