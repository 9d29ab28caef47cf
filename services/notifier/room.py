"""Who may call at the same time: a process makes a bounded number of calls, and each workspace has its share of them.

A place is taken before the delivery that it is for is claimed, so that lanes that look at the same moment never call
together beyond the bounds. Who got fewer places than it wanted is woken, the first one first, when one is free again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from services.notifier.deliveries import Lane
from services.notifier.limits import CALLS_MAX, CALLS_PER_WORKSPACE_MAX


class Room:
    def __init__(self, wake: Callable[[Lane], None]) -> None:
        self._wake = wake
        self._taken: Counter[str] = Counter()
        self._short: dict[Lane, None] = {}
        """In the order in which they were refused."""

    def take(self, lane: Lane, wanted: int) -> int:
        """How many of the places that a lane wants it has now."""
        given = min(wanted, self._free_for(lane))
        self._taken[lane[0]] += given
        if given < wanted:
            self._short.setdefault(lane)
        else:
            self.forget(lane)
        return given

    def give_back(self, lane: Lane, count: int) -> None:
        """Whoever is woken takes what it needs and gives the rest back, which wakes the next one."""
        self._taken[lane[0]] -= count
        assert self._taken[lane[0]] >= 0, "nobody gives back what it didn't take"
        if not self._taken[lane[0]]:
            del self._taken[lane[0]]
        woken = next((short for short in self._short if self._free_for(short)), None)
        if woken is not None:
            self.forget(woken)
            self._wake(woken)

    def is_short(self, lane: Lane) -> bool:
        """Whether it will be woken when there is room."""
        return lane in self._short

    def forget(self, lane: Lane) -> None:
        """It needs nothing more for now."""
        self._short.pop(lane, None)

    def _free_for(self, lane: Lane) -> int:
        free = CALLS_MAX - self._taken.total()
        return max(0, min(free, CALLS_PER_WORKSPACE_MAX - self._taken[lane[0]]))
