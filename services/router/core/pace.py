"""How long agents are busy with a piece of work: what was seen within the last hour, in windows of five minutes.

It is kept from when a queue of the pool first has a bound on the expected wait, and only where one has: elsewhere
nobody asks. Work counts when it is finished, with the time from its assignment until its agent is free of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from libs.common.events import SECOND
from libs.common.events.values import Medium, Overflow, RelaxStep
from services.router.core.limits import COMPLETIONS_MIN, PACE_WINDOW_SECONDS, PACE_WINDOWS

Window = tuple[int, int, int]
"""(Number of the window, pieces of work that ended in it, microseconds that they took in all)."""


@dataclass(slots=True)
class Pace:
    work: dict[Medium, list[Window]] = field(default_factory=dict)
    """By medium, windows ascending, at most the last `PACE_WINDOWS`."""

    def count(self, medium: Medium, took: int, now: int) -> None:
        """A piece of work ended now."""
        number = window_of(now)
        windows = [one for one in self.work.get(medium, []) if one[0] > number - PACE_WINDOWS]
        last = windows.pop() if windows and windows[-1][0] == number else (number, 0, 0)
        self.work[medium] = [*windows, (number, last[1] + 1, last[2] + took)]

    def microseconds_of(self, medium: Medium, now: int) -> int | None:
        """How long a piece takes; as long as any, where too little of its medium was seen; None when too little was."""
        return _mean(self.work.get(medium, ()), now) or _mean(
            (window for _, windows in sorted(self.work.items()) for window in windows), now
        )


def _mean(windows: Iterable[Window], now: int) -> int | None:
    """At least a second."""
    oldest = window_of(now) - PACE_WINDOWS
    recent = [window for window in windows if window[0] > oldest]
    pieces = sum(window[1] for window in recent)
    return max(SECOND, sum(window[2] for window in recent) // pieces) if pieces >= COMPLETIONS_MIN else None


def window_of(now: int) -> int:
    return now // (PACE_WINDOW_SECONDS * SECOND)


def bounds_wait(relax: Iterable[RelaxStep], overflow: Overflow | None) -> bool:
    """Whether somebody asks for the expected wait."""
    if overflow is not None and overflow.wait_over_seconds is not None:
        return True
    return any(step.wait_over_seconds is not None for step in relax)
