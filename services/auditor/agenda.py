"""What has to be looked at, and when.

What no longer matters stays until its time comes, or until there is more of it than of what does: so the agenda is as
large as what is open, however far ahead its times lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

What = TypeVar("What", bound=tuple[str, ...])

DEAD_ENTRIES_MIN: Final = 1_000
"""So many are kept in any case, so that a small agenda isn't cleared at every step."""


class Agenda(Generic[What]):
    """`matters` says of an entry, as it was added, whether anybody still has to look."""

    def __init__(self, matters: Callable[[int, What], bool]) -> None:
        self._matters = matters
        self._entries: list[tuple[int, What]] = []
        self._full_at = DEAD_ENTRIES_MIN

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, at: int, what: What) -> None:
        heappush(self._entries, (at, what))
        if len(self._entries) > self._full_at:
            self._entries = [entry for entry in self._entries if self._matters(*entry)]
            heapify(self._entries)
            self._full_at = 2 * len(self._entries) + DEAD_ENTRIES_MIN

    def due(self, now: int) -> Iterator[tuple[int, What]]:
        """What is before `now`, the earliest first; what is added meanwhile too."""
        while self._entries and self._entries[0][0] < now:
            entry = heappop(self._entries)
            if self._matters(*entry):
                yield entry
