"""Routes a recording again, by other weights: the same contacts, presence and handling times; agents accept at once.

Work that has begun counts as answered, and whoever goes offline finishes it. A contact that nobody handled when it was
recorded takes what is typical of its channel. Escalations are not raised again. After the recording's end nobody else
comes, and who is there then serves those who wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from statistics import median
from typing import Final

from libs.common.events import SECOND, Event
from libs.common.events.commands import (
    AcceptOffer,
    CloseContact,
    Command,
    CompleteWrapUp,
    PutPolicy,
    RenewLeases,
    SetPresence,
)
from libs.common.events.contacts import ResponseObserved
from libs.common.events.routing import (
    AgentPresenceChanged,
    ContactAbandoned,
    ContactAssigned,
    ContactClosed,
    ContactOffered,
    ContactPaused,
    ContactQueued,
    ContactReleased,
    ContactResumed,
    ContactWrapUpStarted,
)
from services.router.core.floor import Floor
from services.router.core.state import offer_id
from services.simulator.books import Book, Books, Shift
from services.simulator.core_pool import CorePool
from services.simulator.recording import ACTOR, LEASE_SECONDS, Recording

AFTER_SECONDS_MAX: Final = 86_400
"""How long after the recording's end those who wait may still be served."""
UNKNOWN_SECONDS: Final = 300
"""A handling time where none was recorded at all."""


class Reroute:
    def __init__(self, recording: Recording, weights: Mapping[str, int] | None) -> None:
        """`weights` in thousandths; None for those that were recorded. Raises Refused."""
        self.recording, self.weights = recording, weights
        self.core = CorePool()
        self.books = Books()
        self.agenda: list[tuple[int, int, Event | str, int]] = []
        """(when, order, an input or the contact whose work ends, that book's version)."""
        self.planned = 0
        self.weighed: set[str] = set()
        self.unknown = round(median(recording.typical.values())) if recording.typical else UNKNOWN_SECONDS * SECOND

    def run(self) -> Books:
        self._begin()
        for event in self.recording.inputs:
            self._plan(event.at, event)
        last = self.recording.end + AFTER_SECONDS_MAX * SECOND
        while (now := self._next()) is not None and now <= last:
            due = self.core.next_due()
            if due is not None and due <= now:
                self._react(self.core.fire(now), now)
                continue
            _, _, what, version = heappop(self.agenda)
            self._happen(what, version, now)
        for shift in self.books.shifts.values():
            shift.ends(self.recording.end)
        return self.books

    def _next(self) -> int | None:
        """The next moment at which something happens; None when nothing is left that could."""
        moments = (self.agenda[0][0] if self.agenda else None, self.core.next_due())
        return min((moment for moment in moments if moment is not None), default=None)

    def _plan(self, at: int, what: Event | str, version: int = 0) -> None:
        self.planned += 1
        heappush(self.agenda, (at, self.planned, what, version))

    # -- the beginning ------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Who holds what at the start goes on with it; offers are accepted; leases last as long as recorded."""
        start = self.recording.start
        self.core.restore(self.recording.entities, start)
        floors = sorted(self.core.state.floors.items())
        offers = [offer for _, floor in floors for offer in self._take_over(floor, start)]
        for key, floor in floors:
            self._weigh(key, start)
            for agent, desk in sorted(floor.desks.items()):
                if desk.agent.status != "offline":
                    self._shift(key, agent).changes(desk.agent.status, start)
                    wish = {"agent_id": agent, "status": desk.agent.status, "reason": desk.agent.reason}
                    self._react(self._ask(SetPresence, key, start, lease_seconds=LEASE_SECONDS, **wish), start)
        for key, offer in offers:
            self._react(self._ask(AcceptOffer, key, start, offer_id=offer), start)

    def _take_over(self, floor: Floor, start: int) -> list[tuple[str, str]]:
        """A book for each contact; the offers that are live, with their pool's key."""
        for contact_id, contact in sorted(floor.contacts.items()):
            book = self.books.contacts[contact_id] = Book(floor.key, None)
            if contact.state not in {"waiting", "offered"}:
                book.started = start
            if contact.state == "assigned":
                book.remaining = self._length(contact_id, contact.channel)
                if contact.paused_at is None:  # else it goes on when it is resumed
                    self._work(contact_id, start)
        contacts = [contact for _, contact in sorted(floor.contacts.items())]
        return [(floor.key, offer_id(contact, offer.number)) for contact in contacts for offer in contact.offers]

    # -- what happens -------------------------------------------------------------------------------------------

    def _happen(self, what: Event | str, version: int, now: int) -> None:
        if isinstance(what, str):
            book = self.books.contacts[what]
            if version == book.version:
                self._react(self._ask(CloseContact, book.key, now, contact_id=what), now)
        elif self.weights is None or not isinstance(what, PutPolicy):  # else the weights that are tried stand
            if what.pool != "*":
                self._weigh(what.key, now)
            self._react(self.core.feed(what, now), now)
            if isinstance(what, RenewLeases):
                self._keep_lease(what, now)

    def _weigh(self, key: str, now: int) -> None:
        """The first time that a pool is met it gets the weights that are tried."""
        if self.weights is not None and key not in self.weighed:
            self.weighed.add(key)
            policy = PutPolicy(key=key, at=now, command_id=f"weights.{key}", actor=ACTOR, weights=dict(self.weights))
            self.core.configure([policy], now)

    def _ask(self, kind: type[Command], key: str, now: int, **fields: object) -> list[Event]:
        self.planned += 1
        return self.core.feed(
            kind(key=key, at=now, command_id=f"{kind.type}.{self.planned}", actor=ACTOR, **fields), now
        )

    # -- what follows -------------------------------------------------------------------------------------------

    def _react(self, decided: Iterable[Event], now: int) -> None:
        """Offers are accepted, one after the other, with all that follows from that."""
        to_read = list(decided)
        for event in to_read:
            match event:
                case ContactOffered():
                    to_read += self._ask(AcceptOffer, event.key, now, offer_id=event.offer_id)
                case ContactAssigned():
                    to_read += self._start(event, now)
                case ContactQueued(reason="opened" | "reopened"):
                    self.books.opens(event)
                case ContactReleased() | ContactPaused():
                    self._stop(event.contact_id, now)
                case ContactResumed(reason="unpaused"):
                    self._work(event.contact_id, now)
                case ContactWrapUpStarted():
                    to_read += self._ask(CompleteWrapUp, event.key, now, agent_id=event.agent_id)
                case ContactClosed() | ContactAbandoned():
                    self.books.ends(event.contact_id, now)
                case AgentPresenceChanged():
                    self._shift(event.key, event.agent_id).changes(event.status, now)
                    self._keep_lease(event, now)

    def _keep_lease(self, event: AgentPresenceChanged | RenewLeases, now: int) -> None:
        """Presence lasts until it was recorded to end: before a lease ends it is renewed, if there is one by then."""
        leases = event.leases if isinstance(event, RenewLeases) else {event.agent_id: LEASE_SECONDS}
        at = now + (LEASE_SECONDS - 1) * SECOND
        command_id = f"lease.{self.planned}"
        self._plan(at, RenewLeases(key=event.key, at=at, command_id=command_id, actor=ACTOR, leases=leases))

    def _start(self, assigned: ContactAssigned, now: int) -> list[Event]:
        book = self.books.contacts[assigned.contact_id]
        self.books.starts(assigned.contact_id, now)
        if book.remaining is None:
            book.remaining = self._length(assigned.contact_id, assigned.channel)
            self._shift(assigned.key, assigned.agent_id).busy += book.remaining * assigned.units
        self._work(assigned.contact_id, now)
        if assigned.medium == "voice":
            return []  # It is answered by being connected.
        contact = self.core.state.floors[assigned.key].contacts[assigned.contact_id]
        answer = ResponseObserved(
            key=assigned.key, at=now, contact_id=contact.id, agent_id=assigned.agent_id,
            visibility=contact.visibility, occurred_at=now,
        )  # fmt: skip
        return self.core.feed(answer, now)

    def _work(self, contact_id: str, now: int) -> None:
        book = self.books.contacts[contact_id]
        assert book.remaining is not None, "it is known how long it takes"
        book.ends = now + book.remaining
        book.version += 1
        self._plan(book.ends, contact_id, book.version)

    def _stop(self, contact_id: str, now: int) -> None:
        book = self.books.contacts[contact_id]
        if book.ends is not None:
            book.remaining, book.ends = book.ends - now, None
            book.version += 1

    def _length(self, contact_id: str, channel: str) -> int:
        """How long it was handled when it was recorded, or what is typical."""
        recorded = self.recording.handled.get(contact_id)
        return recorded if recorded is not None else self.recording.typical.get(channel, self.unknown)

    def _shift(self, key: str, agent_id: str) -> Shift:
        shift = self.books.shifts.get((key, agent_id))
        if shift is None:
            units = self.core.state.floors[key].desks[agent_id].agent.capacity.units
            shift = self.books.shifts[key, agent_id] = Shift(units)
        return shift
