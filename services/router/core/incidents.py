"""Waiting contacts of one incident, a line a (queue, incident), the earliest promise first."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

from services.router.core.queues import due_of
from services.router.core.state import Contact

LineKey = tuple[str, str]
Entry = tuple[int, str]
"""(promise in microseconds, contact id)."""


class Incidents:
    __slots__ = ("_entries", "_lines")

    def __init__(self) -> None:
        self._lines: dict[LineKey, list[Entry]] = {}
        self._entries: dict[str, tuple[LineKey, Entry]] = {}

    def enter(self, contact: Contact) -> None:
        """It waits, for nobody in particular; what can't be grouped is in no line."""
        key = line_key(contact)
        if key is None:
            return
        entry = (due_of(contact), contact.id)
        insort(self._lines.setdefault(key, []), entry)
        self._entries[contact.id] = (key, entry)

    def leave(self, contact: Contact) -> None:
        key, entry = self._entries.pop(contact.id, (None, None))
        if key is None or entry is None:
            return
        line = self._lines[key]
        del line[bisect_left(line, entry)]
        if not line:
            del self._lines[key]

    def line(self, contact: Contact) -> Sequence[Entry]:
        """Those it can be offered with, itself among them."""
        key = line_key(contact)
        return () if key is None else self._lines.get(key, ())


def line_key(contact: Contact) -> LineKey | None:
    """Only what is answered in its own time is grouped: nobody talks to twenty customers at once."""
    groups = contact.rules.group_max > 1 and contact.medium == "async" and not contact.alone
    return (contact.rules.queue, contact.incident_key) if groups and contact.incident_key is not None else None
