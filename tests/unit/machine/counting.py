"""A small real core: counts what agents accept. Enough rules to show what the machine adds to any core."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from libs.common.events import COMMANDS, CONTACTS, ROUTING, Event, Internal, Settle, Topic
from libs.common.events.commands import AcceptOffer, CommandDecided, DeclineOffer, SetPresence
from libs.common.events.contacts import ContactOpened, ContactWithdrawn
from libs.common.events.routing import ContactClosed, ContactParked


class Reminder(Internal, frozen=True, kw_only=True):
    type = "reminder"
    subject_field = "contact_id"
    contact_id: str


@dataclass(slots=True)
class Seen:
    key: str
    contact_id: str
    due: int
    sequence: int = 0
    settled: bool = False


@dataclass(slots=True)
class Counted:
    seen: dict[str, Seen] = field(default_factory=dict)
    now: int = 0
    timers: list[tuple[int, str]] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)


class CountingCore:
    """A contact is parked when it opens, settled once, and closed by a timer 10 µs after it opened."""

    service: str = "router"
    version: str = "test"
    inputs: tuple[Topic, ...] = (CONTACTS, COMMANDS, ROUTING)
    entities: Mapping[str, type[Any]] = {"seen": Seen}

    def __init__(self, *, evolve_fails_for: str | None = None, closing_fails_for: str | None = None) -> None:
        self.evolve_fails_for = evolve_fails_for
        self.closing_fails_for = closing_fails_for

    def new(self, partition: int) -> Counted:
        return Counted()

    def load(self, state: Counted, key: str, entity: Any) -> None:
        state.seen[entity.contact_id] = entity

    def loaded(self, state: Counted) -> None:
        for contact_id in sorted(state.seen):
            heapq.heappush(state.timers, (state.seen[contact_id].due, contact_id))

    def advance(self, state: Counted, now: int) -> None:
        state.now = now

    def decide(self, state: Counted, event: Event) -> tuple[Event, ...]:
        match event:
            case ContactOpened(contact_id="poison"):
                raise ValueError("a customer's words must not come along")
            case ContactOpened(key=key, contact_id=contact_id):
                return (ContactParked(key=key, at=state.now, contact_id=contact_id, reason="opened"),)
            case Reminder(key=key, contact_id=contact_id):
                return (ContactClosed(key=key, at=state.now, contact_id=contact_id, resolution="timer"),)
            case Settle():
                unsettled = [seen for seen in state.seen.values() if not seen.settled]
                return tuple(self._settled(state, seen) for seen in unsettled[:1])
            case AcceptOffer(key=key, command_id=command_id):
                answer = {"open": len(state.seen)}
                return (CommandDecided(key=key, at=state.now, command_id=command_id, status=200, state=answer),)
            case DeclineOffer():
                raise ValueError("undecidable")
            case SetPresence() | ContactWithdrawn():
                return ()
            case _:
                return ()

    def _settled(self, state: Counted, seen: Seen) -> Event:
        return ContactParked(key=seen.key, at=state.now, contact_id=seen.contact_id, reason="settled")

    def evolve(self, state: Counted, event: Event) -> None:
        match event:
            case ContactParked(contact_id=contact_id) if contact_id == self.evolve_fails_for:
                raise RuntimeError("half done")
            case ContactClosed(contact_id=contact_id) if contact_id == self.closing_fails_for:
                raise RuntimeError("half done")
            case ContactParked(key=key, contact_id=contact_id, reason="opened"):
                state.seen[contact_id] = Seen(key=key, contact_id=contact_id, due=state.now + 10, sequence=1)
                heapq.heappush(state.timers, (state.now + 10, contact_id))
            case ContactParked(contact_id=contact_id):
                state.seen[contact_id].settled = True
                state.seen[contact_id].sequence += 1
            case ContactClosed(contact_id=contact_id):
                state.seen[contact_id].sequence += 1
                state.seen[contact_id].due = 2**62
        state.marks.add(f"seen|{event.key}|{event.subject}")

    def sequence(self, state: Counted, event: Event) -> int:
        return state.seen[event.subject].sequence

    def next_due(self, state: Counted) -> int | None:
        self._drop_stale(state)
        return state.timers[0][0] if state.timers else None

    def pop_timer(self, state: Counted, until: int) -> Event | None:
        due = self.next_due(state)
        if due is None or due > until:
            return None
        _, contact_id = heapq.heappop(state.timers)
        return Reminder(key=state.seen[contact_id].key, at=due, contact_id=contact_id)

    def _drop_stale(self, state: Counted) -> None:
        while state.timers and state.seen[state.timers[0][1]].due != state.timers[0][0]:
            heapq.heappop(state.timers)

    def changed(self, state: Counted) -> Iterable[tuple[str, Any | None]]:
        marks, state.marks = sorted(state.marks), set()
        return [(key, state.seen[key.rsplit("|", 1)[1]]) for key in marks]
