"""Replaces the broker: events in, time moved on, events out; the machine and the core are production's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from libs.common.events import ESCALATIONS, OUTCOMES, SECOND, SLA_STATE, Event, workspace_key
from libs.common.events.codec import Envelope, decode, encode_headers, encode_value, instant
from libs.common.events.commands import CommandDecided, DeleteCalendar, DeleteTarget, PutCalendar, PutTarget
from libs.common.events.contacts import ContactOpened, ContactWithdrawn, MessageAdded, ResponseObserved
from libs.common.events.escalations import ClockEvent
from libs.common.events.routing import (
    ContactAbandoned,
    ContactAssigned,
    ContactClosed,
    ContactParked,
    ContactQueued,
    ContactResumed,
)
from libs.common.events.values import EscalationStep, Match
from libs.common.log import Draft, Record
from libs.common.machine import Machine
from services.sla.core.core import SlaCore
from services.sla.core.state import Contact, Sla

NINE = instant("2026-11-23T09:00:00Z")
"""A Monday."""
KEY = "acme/main"
EVERYWHERE = workspace_key("acme")


def seconds(number: float) -> int:
    """Seconds after nine, as an instant."""
    return NINE + round(number * SECOND)


class SlaDriver:
    def __init__(self, *events: Event, core: SlaCore | None = None) -> None:
        self.now = NINE
        self.core = core or SlaCore()
        self.machine: Machine[Sla] = Machine(self.core, 0)
        self.stored: dict[str, bytes] = {}
        self.envelopes: list[Envelope] = []
        self.outcomes: list[CommandDecided] = []
        self.positions: dict[str, int] = {}
        self.receive(*events)

    # -- in -----------------------------------------------------------------------------------------------------

    def receive(self, *events: Event) -> None:
        """Feed events in one batch, at the time that it is now."""
        self.machine.begin(self.now)
        for event in events:
            self.machine.feed(self._record(event))
        while self.machine.fire(self.now):
            pass
        self._take(self.machine.finish())

    def advance(self, seconds: float) -> None:
        """Let time pass; every timer fires when it is due."""
        until = self.now + round(seconds * SECOND)
        while (due := self.machine.core.next_due(self.machine.state)) is not None and due <= until:
            self.now = max(self.now, due)
            self.receive()
        self.now = until

    def at(self, second: float, *events: Event) -> SlaDriver:
        """Feed events at a second after nine."""
        self.advance((seconds(second) - self.now) / SECOND)
        self.receive(*events)
        return self

    def restart(self) -> None:
        """Go on from what was stored, as another process would."""
        self.machine = Machine(self.core, 0)
        self.machine.load(self.stored.items())

    def sleep(self, seconds: float) -> None:
        """Time passes while nobody owns the partition."""
        self.now += round(seconds * SECOND)

    # -- out ----------------------------------------------------------------------------------------------------

    def types(self) -> list[str]:
        """Every clock event so far."""
        return [event.type for event in self.clock_events()]

    def clock_events(self) -> list[ClockEvent]:
        return [one.event for one in self.envelopes if isinstance(one.event, ClockEvent)]

    def last(self, kind: str) -> Any:
        return [one.event for one in self.envelopes if one.event.type == kind][-1]

    def contact(self, contact_id: str = "c1") -> Contact:
        contact = self.machine.state.contact(KEY, contact_id)
        assert contact is not None
        return contact

    # -- the log ------------------------------------------------------------------------------------------------

    def _record(self, event: Event) -> Record:
        assert event.topic is not None
        position = self.positions.get(event.topic, 0)
        self.positions[event.topic] = position + 1
        return Record(
            topic=event.topic,
            partition=0,
            position=position,
            key=event.key,
            value=encode_value(event, sequence=1, cause=""),
            headers=encode_headers(event, sequence=1),
        )

    def _take(self, drafts: Iterable[Draft]) -> None:
        for draft in drafts:
            if draft.topic == SLA_STATE:
                self._store(draft)
            elif draft.topic == ESCALATIONS:
                self.envelopes.append(decode(draft.key, draft.value, draft.headers))
            elif draft.topic == OUTCOMES:
                outcome = decode(draft.key, draft.value, draft.headers).event
                assert isinstance(outcome, CommandDecided)
                self.outcomes.append(outcome)
            else:
                assert draft.topic.endswith("journal"), f"{draft.topic}: {draft.headers}"

    def _store(self, draft: Draft) -> None:
        if draft.value is None:
            self.stored.pop(draft.key, None)
        else:
            self.stored[draft.key] = draft.value


# -- builders: a row says only what it is about --------------------------------------------------------------------


def target(target_id: str = "t1", **more: Any) -> PutTarget:
    fields: dict[str, Any] = {"metric": "first_response", "seconds": 100, "command_id": f"put.{target_id}"} | more
    if isinstance(fields.get("match"), dict):
        fields["match"] = Match(**fields["match"])
    return PutTarget(key=EVERYWHERE, at=NINE, actor="key_1", target_id=target_id, **fields)


def calendar(calendar_id: str, *open_hours: tuple[float, float], **more: Any) -> PutCalendar:
    fields: dict[str, Any] = {"command_id": f"put.{calendar_id}.{len(open_hours)}"} | more
    table = tuple((seconds(start), seconds(end)) for start, end in open_hours)
    return PutCalendar(key=EVERYWHERE, at=NINE, actor="key_1", calendar_id=calendar_id, open=table, **fields)


def delete_target(target_id: str) -> DeleteTarget:
    return DeleteTarget(key=EVERYWHERE, at=NINE, actor="key_1", command_id=f"delete.{target_id}", target_id=target_id)


def delete_calendar(calendar_id: str) -> DeleteCalendar:
    return DeleteCalendar(
        key=EVERYWHERE, at=NINE, actor="key_1", command_id=f"delete.{calendar_id}", calendar_id=calendar_id
    )


def ladder(*steps: float) -> tuple[EscalationStep, ...]:
    return tuple(EscalationStep(at=share, do="notify", to="supervisors") for share in steps)


def opened(contact_id: str = "c1", at: float = 0) -> ContactOpened:
    return ContactOpened(key=KEY, at=seconds(at), contact_id=contact_id, **_message(at))


def message(contact_id: str = "c1", at: float = 0, **more: Any) -> MessageAdded:
    return MessageAdded(key=KEY, at=seconds(at), contact_id=contact_id, **_message(at), **more)


def _message(at: float) -> dict[str, Any]:
    return {
        "message_id": f"msg_{at}",
        "account": "brand",
        "channel": "x",
        "medium": "async",
        "visibility": "public",
        "customer_id": "cus_1",
        "occurred_at": seconds(at),
    }


def queued(contact_id: str = "c1", at: float = 0, **more: Any) -> ContactQueued:
    fields: dict[str, Any] = {
        "reason": "opened",
        "queue": "social",
        "account": "brand",
        "channel": "x",
        "medium": "async",
        "visibility": "public",
        "customer_id": "cus_1",
        "opened_at": seconds(at),
        "waiting_since": seconds(at),
        "target_seconds": 100,
    } | more
    return ContactQueued(key=KEY, at=seconds(at), contact_id=contact_id, **fields)


def response(contact_id: str = "c1", at: float = 0, **more: Any) -> ResponseObserved:
    return ResponseObserved(
        key=KEY, at=seconds(at), contact_id=contact_id, visibility="public", occurred_at=seconds(at), **more
    )


def withdrawn(contact_id: str = "c1", at: float = 0) -> ContactWithdrawn:
    return ContactWithdrawn(key=KEY, at=seconds(at), contact_id=contact_id, occurred_at=seconds(at))


def assigned(contact_id: str = "c1", at: float = 0, medium: Any = "async") -> ContactAssigned:
    return ContactAssigned(
        key=KEY,
        at=seconds(at),
        contact_id=contact_id,
        agent_id="ann",
        queue="social",
        channel="x",
        medium=medium,
        units=20,
        waited_seconds=1.0,
    )


def parked(contact_id: str = "c1", at: float = 0, reason: str = "awaiting_customer") -> ContactParked:
    return ContactParked(key=KEY, at=seconds(at), contact_id=contact_id, reason=reason)


def resumed(contact_id: str = "c1", at: float = 0, reason: str = "customer_wrote") -> ContactResumed:
    return ContactResumed(
        key=KEY, at=seconds(at), contact_id=contact_id, reason=reason, waiting_since=seconds(at)
    )


def closed(contact_id: str = "c1", at: float = 0, resolution: str = "solved") -> ContactClosed:
    return ContactClosed(key=KEY, at=seconds(at), contact_id=contact_id, resolution=resolution)


def abandoned(contact_id: str = "c1", at: float = 0) -> ContactAbandoned:
    return ContactAbandoned(key=KEY, at=seconds(at), contact_id=contact_id, reason="customer_left")
