"""P1 and P2 as the topics show them: what ingest's relay appended, once each, in outbox order.

Pure: reads the contacts topic of one partition. A record that the relay appended again is dropped, as every reader
does; a position that is missing was lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from libs.common.events import SECOND
from libs.common.events.contacts import ContactFact, ContactOpened, ContactWithdrawn
from libs.common.events.routing import ContactQueued
from libs.common.outbox import outbox_position, relay_repeats
from services.auditor.promises import ENDED_KEPT_SECONDS, Violation

UNQUEUED_SECONDS_MAX: Final = 300
"""How long after ingest opened it a contact may be unknown to the router."""

Place = tuple[str, str]
"""A pool's key and a contact."""


class Facts:
    """`from_start` says that the first record is the topic's first; if not, the topics are read from `began_at` on."""

    def __init__(self, *, from_start: bool = True, began_at: int = 0) -> None:
        self._from_start = from_start
        self._began_at = began_at
        self._last: int | None = 0 if from_start else None
        self._sequences: dict[Place, int] = {}
        self._unrouted: dict[Place, int] = {}
        self._queued_first: set[Place] = set()
        self._ended: deque[tuple[int, Place]] = deque()
        self.repeats = 0
        """Records that the relay appended again."""

    def take(self, event: ContactFact, sequence: int, headers: Mapping[str, str]) -> list[Violation]:
        """The promises that this record breaks."""
        if relay_repeats(headers, self._last or 0):
            self.repeats += 1
            return []
        return [*self._lost(event, headers), *self._in_order(event, sequence)]

    def queued(self, event: ContactQueued) -> None:
        """The router took it; its word may be read before ingest's."""
        place = event.key, event.contact_id
        if self._unrouted.pop(place, None) is None and event.reason == "opened":
            self._queued_first.add(place)

    def unrouted(self) -> dict[Place, int]:
        """Who was opened and never queued, and when."""
        return dict(self._unrouted)

    def pass_time(self, now: int) -> list[Violation]:
        """Everything up to now was read: who was opened long ago and never queued, each of them once."""
        found: list[Violation] = []
        while self._unrouted:
            place, at = next(iter(self._unrouted.items()))
            if at + UNQUEUED_SECONDS_MAX * SECOND >= now:
                break
            del self._unrouted[place]
            self.ended(place, now)
            found.append(Violation("P1", *place, at, "opened and never queued"))
        return found

    def ended(self, place: Place, at: int) -> None:
        """The router is done with it: who reads for ever forgets it a day later."""
        if self._from_start:
            return
        self._ended.append((at, place))
        while self._ended[0][0] + ENDED_KEPT_SECONDS * SECOND < at:
            _, old = self._ended.popleft()
            self._sequences.pop(old, None)
            self._queued_first.discard(old)

    def _lost(self, event: ContactFact, headers: Mapping[str, str]) -> list[Violation]:
        position = outbox_position(headers)
        if position is None:
            return []
        expected = position if self._last is None else self._last + 1
        self._last = position
        if position == expected:
            return []
        detail = f"outbox position {position} after {expected - 1}"
        return [Violation("P1", event.key, event.contact_id, event.at, detail)]

    def _in_order(self, event: ContactFact, sequence: int) -> list[Violation]:
        place = event.key, event.contact_id
        opens = isinstance(event, ContactOpened)
        unknown = 0 if self._from_start or opens else sequence - 1
        last = self._sequences.get(place, unknown)
        self._sequences[place] = sequence
        if opens and last:
            return [Violation("P2", event.key, event.contact_id, event.at, "opened a second time")]
        self._route(place, event)
        if sequence != last + 1:
            return [Violation("P10", event.key, event.contact_id, event.at, f"sequence {sequence} after {last}")]
        return []

    def _route(self, place: Place, event: ContactFact) -> None:
        if isinstance(event, ContactWithdrawn):
            self._unrouted.pop(place, None)
        elif isinstance(event, ContactOpened) and place not in self._queued_first:
            if event.at > self._began_at:  # Of who was opened just before, the queueing may lie before it all.
                self._unrouted[place] = event.at
        else:
            self._queued_first.discard(place)
