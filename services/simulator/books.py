"""The books of a recording that is routed again: a line a contact, a line an agent, by pool."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from libs.common.events import SECOND
from libs.common.events.routing import ContactQueued
from services.simulator.metrics import Case, figures

PRESENT: Final = frozenset({"available", "busy"})


@dataclass(slots=True)
class Book:
    """A contact: when it began to wait, and how its work stands. Times are microseconds."""

    key: str
    queued: ContactQueued | None
    """None for a contact that was there before: it is worked on, not counted."""
    started: int | None = None
    closed: int | None = None
    ends: int | None = None
    """When its work is done, while an agent is at it."""
    remaining: int | None = None
    """Of its work, while nobody is at it; None before it began."""
    version: int = 0
    """Counts the changes of `ends`."""


@dataclass(slots=True)
class Shift:
    """An agent: for how long there, and how much work they took on, in units × microseconds."""

    units: int
    since: int | None = None
    present: int = 0
    busy: int = 0

    def changes(self, status: str, now: int) -> None:
        self.ends(now)
        self.since = now if status in PRESENT else None

    def ends(self, now: int) -> None:
        self.present += now - self.since if self.since is not None else 0
        self.since = None

    @property
    def occupancy(self) -> float:
        return self.busy / (self.units * self.present)


@dataclass(slots=True)
class Books:
    contacts: dict[str, Book] = field(default_factory=dict)
    shifts: dict[tuple[str, str], Shift] = field(default_factory=dict)
    """(pool's key, agent) → shift."""

    def opens(self, queued: ContactQueued) -> None:
        self.contacts[queued.contact_id] = Book(queued.key, queued)

    def starts(self, contact_id: str, now: int) -> None:
        book = self.contacts[contact_id]
        book.started = now if book.started is None else book.started

    def ends(self, contact_id: str, now: int) -> None:
        """Closed or gone."""
        book = self.contacts[contact_id]
        book.closed, book.ends = now, None
        book.version += 1

    def by_pool(self, since: int, until: int) -> dict[str, dict[str, float]]:
        """Metrics of each pool, of contacts that opened from `since` on; who is never served waits until `until`."""
        measured = {}
        for key in sorted({book.key for book in self.contacts.values() if book.queued is not None}):
            cases = [
                case_of(book, book.queued, until)
                for book in self.contacts.values()
                if book.key == key and book.queued is not None and book.queued.opened_at >= since
            ]
            shifts = [shift for (pool, _), shift in sorted(self.shifts.items()) if pool == key and shift.present]
            names = sorted({case.channel for case in cases})
            measured[key] = figures(cases, [shift.occupancy for shift in shifts], names)
        return {key: some for key, some in measured.items() if some}


def case_of(book: Book, queued: ContactQueued, until: int) -> Case:
    moments = (moment for moment in (book.started, book.closed, until) if moment is not None)
    return Case(
        channel=queued.channel, public=queued.visibility == "public", reach=queued.reach, strikes=queued.strikes,
        wait=max(0, next(moments) - queued.waiting_since) / SECOND, target=queued.target_seconds,
        served=book.started is not None,
    )  # fmt: skip
