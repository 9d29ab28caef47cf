"""All promises of one partition, checked from the records of its topics as they are read.

Topics are read side by side, so a decision may be seen before the journal entry of its commit. Decisions wait here
until the journal has come to their time: it says whether their owner had just taken over.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from libs.common.events import (
    CONTACTS,
    DEAD_LETTERS,
    ESCALATIONS,
    ROUTER_JOURNAL,
    ROUTER_STATE,
    ROUTING,
    SLA_JOURNAL,
    SLA_STATE,
    routing,
)
from libs.common.events.codec import Envelope, Unreadable, decode
from libs.common.events.contacts import ContactFact
from libs.common.events.escalations import ClockEvent
from libs.common.log import Record
from libs.common.machine import POSITIONS_KEY, JournalEntry, Positions
from services.auditor.facts import Facts
from services.auditor.journals import Journal
from services.auditor.ladder import Ladders
from services.auditor.promises import OFFER_GRACE_SECONDS, Auditor, Violation

WATCHED: Final = (ROUTER_JOURNAL, SLA_JOURNAL, CONTACTS, ROUTING, ESCALATIONS)
"""What has to be read for ever."""
EVERYTHING: Final = (*WATCHED, ROUTER_STATE, SLA_STATE, DEAD_LETTERS)
"""What a history has besides."""
JOURNAL_OF: Final[dict[str, str]] = {ROUTING: "router", ESCALATIONS: "sla"}
SERVICE_OF: Final[dict[str, str]] = {
    ROUTER_JOURNAL: "router",
    ROUTER_STATE: "router",
    SLA_JOURNAL: "sla",
    SLA_STATE: "sla",
}


class Checker:
    """One partition. `from_start` says that every topic is read from its first record; if not, from `began_at` on."""

    def __init__(
        self, partition: int, *, from_start: bool = True, began_at: int = 0,
        offer_grace_seconds: int = OFFER_GRACE_SECONDS,
    ) -> None:  # fmt: skip
        self.auditor = Auditor(from_start=from_start, offer_grace_seconds=offer_grace_seconds)
        self.facts = Facts(from_start=from_start, began_at=began_at)
        self.ladders = Ladders(from_start=from_start)
        self.journals = {name: Journal(name, partition, from_start=from_start) for name in ("router", "sla")}
        self.records: dict[str, int] = {}
        self._waiting: dict[str, deque[Envelope]] = {ROUTING: deque(), ESCALATIONS: deque()}

    def take(self, record: Record) -> list[Violation]:
        """The next record of any of the partition's topics; the promises that break with it."""
        self.records[record.topic] = self.records.get(record.topic, 0) + 1
        match record.topic:
            case "omniroute.contacts.v1": return self._fact(record)
            case "omniroute.routing.v1" | "omniroute.escalations.v1": return self._decision(record)
            case "omniroute.router.journal" | "omniroute.sla.journal": return self._commit(record)
            case "omniroute.router.state" | "omniroute.sla.state": return self._state(record)
            case _: return []

    def restored(self, at: int) -> None:
        """Whoever writes here began again at `at`, or could not write before."""
        self.auditor.restored(at)
        self.ladders.restored(at)

    def pass_time(self, now: int) -> list[Violation]:
        """Everything up to now was read: what should have happened a while ago has not."""
        return [*self.auditor.pass_time(now), *self.facts.pass_time(now), *self.ladders.pass_time(now)]

    def undecided(self) -> int:
        """Decisions whose journal entry never came: who wrote them?"""
        return sum(len(waiting) for waiting in self._waiting.values())

    def _fact(self, record: Record) -> list[Violation]:
        try:
            envelope = decode(record.key, record.value, record.headers)
        except Unreadable:
            return []  # A stranger's: the machines put it among the dead letters.
        assert isinstance(envelope.event, ContactFact)
        return self.facts.take(envelope.event, envelope.sequence, record.headers)

    def _decision(self, record: Record) -> list[Violation]:
        try:
            envelope = decode(record.key, record.value, record.headers)
        except Unreadable:
            return [Violation("P13", record.key, record.topic, record.position, "nobody of ours wrote this")]
        self._waiting[record.topic].append(envelope)
        return self._release(record.topic)

    def _commit(self, record: Record) -> list[Violation]:
        entry = msgspec.json.decode(record.value or b"", type=JournalEntry)
        service = SERVICE_OF[record.topic]
        found = self.journals[service].take(entry)
        if entry.restored_at:
            (self.auditor if service == "router" else self.ladders).restored(entry.restored_at)
        topic = ROUTING if service == "router" else ESCALATIONS
        return found + self._release(topic)

    def _state(self, record: Record) -> list[Violation]:
        if record.key != POSITIONS_KEY or record.value is None:
            return []
        return self.journals[SERVICE_OF[record.topic]].take_positions(msgspec.json.decode(record.value, type=Positions))

    def _release(self, topic: str) -> list[Violation]:
        waiting, journal = self._waiting[topic], self.journals[JOURNAL_OF[topic]]
        found: list[Violation] = []
        while waiting and waiting[0].event.at <= journal.at:
            found += self._decided(waiting.popleft())
        return found

    def _decided(self, envelope: Envelope) -> list[Violation]:
        event = envelope.event
        found = self.auditor.take(event, envelope.sequence)
        if isinstance(event, ClockEvent):
            found += self.ladders.take(event)
        elif isinstance(event, routing.ContactQueued):
            self.facts.queued(event)
        elif isinstance(event, routing.ContactClosed | routing.ContactAbandoned):
            self.facts.ended((event.key, event.contact_id), event.at)
        return found
