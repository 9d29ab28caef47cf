"""A day at a made-up company that has every public event in it, decided by the production cores in their machines.

    python -m tests.contract.events.recorded        # writes the samples of types that have none yet

A sample is what stood on the log, the fullest record of its type. Samples that are there are never written again:
they are what integrators have in their hands.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from libs.common.events import CONTACTS, PUBLIC_TOPICS, SECOND, Event
from libs.common.events.codec import encode_headers, encode_value, instant
from libs.common.events.commands import Command
from libs.common.log import Draft, Record
from libs.common.machine import Machine
from services.ingest.core.joining import Contact, Writer, addition, joined, opened, opening
from services.ingest.core.normalize import Received
from services.router.core.core import RouterCore
from services.sla.core.core import SlaCore
from tests.contract.events.company import KEY, company, happenings

SAMPLES = Path(__file__).parent / "samples"
NINE = instant("2026-11-23T09:00:00Z")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Day:
    """Both machines on one partition; what one writes the other reads, until nothing follows."""

    def __init__(self) -> None:
        self.now = NINE
        self.machines: list[Machine[Any]] = [Machine(SlaCore(), 0), Machine(RouterCore(), 0)]
        self.public: list[Record] = []
        self._ends: Counter[str] = Counter()
        self._sequences: Counter[str] = Counter()

    def put(self, event: Event, cause: str) -> None:
        """Something from outside: a fact or a command."""
        assert event.topic is not None
        self._sequences[event.subject] += event.topic == CONTACTS
        sequence = self._sequences[event.subject] or 1
        headers = encode_headers(event, sequence=sequence, traceparent=TRACE)
        value = encode_value(event, sequence=sequence, cause=cause)
        self._decide([Draft(topic=event.topic, key=event.key, value=value, headers=headers)])

    def pass_time(self, seconds: float) -> None:
        """Every timer fires when it is due."""
        until = self.now + round(seconds * SECOND)
        while (due := min(self._dues(), default=until + 1)) <= until:
            self.now = max(self.now, due)
            self._decide([])
        self.now = until

    def _dues(self) -> list[int]:
        return [due for one in self.machines if (due := one.core.next_due(one.state)) is not None]

    def _decide(self, drafts: Iterable[Draft]) -> None:
        waiting = deque(drafts)
        for machine in self.machines:
            machine.begin(self.now)
            while machine.fire(self.now):
                pass
            waiting += machine.finish()
        while waiting:
            waiting += self._read(self._appended(waiting.popleft()))

    def _appended(self, draft: Draft) -> Record:
        position, self._ends[draft.topic] = self._ends[draft.topic], self._ends[draft.topic] + 1
        record = Record(
            topic=draft.topic, partition=0, position=position, key=draft.key, value=draft.value, headers=draft.headers
        )
        assert "dead-letters" not in record.topic, record.headers
        if record.topic in PUBLIC_TOPICS:
            self.public.append(record)
        return record

    def _read(self, record: Record) -> Iterable[Draft]:
        for machine in self.machines:
            if record.topic in machine.core.inputs:
                machine.begin(self.now)
                machine.feed(record)
                yield from machine.finish()


def contact_facts(day: Day, message: dict[str, Any], contact: Contact | None = None) -> Contact:
    """What ingest says of a message: it opens a contact, or it joins the one that is given."""
    writer = Writer(customer_id=message.pop("customer"), tier="gold", strikes=1, last_agent="ann")
    named = {"message_id": message.pop("message_id"), "kind": "message", "occurred_at": day.now, "at": day.now}
    contact_id = message.pop("contact_id")
    received = Received(occurred_at=day.now, **message)
    told: dict[str, Any] = {"message": named, "routable": ("order_value",)}
    if contact is None:
        place = {"key": KEY, "account": "brand-on-x", "conversation": contact_id, "at": day.now}
        contact = opened(received, writer, contact_id=contact_id, **place)
        day.put(opening(contact, writer, **told), named["message_id"])
    else:
        contact = joined(contact, received, writer)
        day.put(addition(contact, writer, "customer", **told), named["message_id"])
    return contact


def recorded() -> list[Record]:
    """Every public record of the day, in the order in which they were written."""
    day = Day()
    contacts: dict[str, Contact] = {}
    for step in (*company(), *happenings()):
        if isinstance(step, int | float):
            day.pass_time(step)
        elif isinstance(step, dict):
            contact_id = step["contact_id"]
            contacts[contact_id] = contact_facts(day, dict(step), contacts.get(contact_id))
        else:
            event = step(day.now)
            day.put(event, event.actor if isinstance(event, Command) else f"msg_{event.subject.removeprefix('con_')}")
    return day.public


def samples() -> dict[str, dict[str, Any]]:
    """Type → the fullest record of it, as a JSON object of key, headers and value."""
    fullest: dict[str, Record] = {}
    for record in recorded():
        kind = record.headers["ce_type"]
        if kind not in fullest or said(record) > said(fullest[kind]):
            fullest[kind] = record
    return {kind: as_json(record) for kind, record in fullest.items()}


def said(record: Record) -> int:
    """How much a record says: its values that aren't empty."""

    def count(value: Any) -> int:
        if isinstance(value, dict | list):
            return sum(count(item) for item in (value.values() if isinstance(value, dict) else value))
        return value is not None

    return count(json.loads(record.value or b""))


def as_json(record: Record) -> dict[str, Any]:
    value = json.loads(record.value or b"")
    return {"topic": record.topic, "key": record.key, "headers": record.headers, "value": value}


def main() -> None:
    for kind, sample in sorted(samples().items()):
        file = SAMPLES / f"{kind}.json"
        if not file.exists():
            file.write_text(json.dumps(sample, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
