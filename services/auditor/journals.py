"""P13: who was taken over writes nothing. Every commit of a partition has its number, one more than the last's.

Pure: reads a service's journal, and the positions records of its state topic, of one partition.
"""

from __future__ import annotations

from libs.common.machine import JournalEntry, Positions
from services.auditor.promises import Violation


class Journal:
    """`from_start` says that the first entry is the journal's first."""

    def __init__(self, service: str, partition: int, *, from_start: bool = True) -> None:
        self._name = f"{service} {partition}"
        self._last: int | None = 0 if from_start else None
        self._state = 0
        self.at = 0
        """When the last commit was decided."""
        self.commits = 0

    def take(self, entry: JournalEntry) -> list[Violation]:
        """The promises that this commit breaks."""
        found: list[Violation] = []
        if self._last is not None and entry.batch != self._last + 1:
            found.append(Violation("P13", self._name, "journal", entry.at, f"batch {entry.batch} after {self._last}"))
        if entry.at < self.at:
            found.append(Violation("P13", self._name, "journal", entry.at, f"dated before {self.at}"))
        self._last, self.at = entry.batch, max(self.at, entry.at)
        self.commits += 1
        return found

    def take_positions(self, positions: Positions) -> list[Violation]:
        """Compaction may take some of these, but never their order."""
        last, self._state = self._state, positions.batch
        if positions.batch > last:
            return []
        return [Violation("P13", self._name, "positions", positions.at, f"batch {positions.batch} after {last}")]
