"""What a partition's log tells of a stretch of time: who came when, who was there, how long each contact was handled.

Contacts and targets are taken as they were recorded, agents, queues and presence as they were decided, each as the
command that asks for it. What agents did with their offers is not taken, nor the answers that followed from it. A
customer who left unserved leaves at the same moment, if nobody has begun by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any, Final

import msgspec

from libs.common.events import SECOND, Event
from libs.common.events.commands import (
    Command,
    DeleteAgent,
    DeleteQueue,
    PutAgent,
    PutPolicy,
    PutQueue,
    SetPresence,
)
from libs.common.events.consults import consulted
from libs.common.events.contacts import (
    ContactEnriched,
    ContactFact,
    ContactOpened,
    ContactWithdrawn,
    CustomerLeft,
    MessageAdded,
    ReachChanged,
)
from libs.common.events.escalations import TargetUpdated
from libs.common.events.routing import (
    AgentPresenceChanged,
    AgentUpdated,
    ContactAbandoned,
    ContactAssigned,
    ContactClosed,
    ContactParked,
    ContactPaused,
    ContactQueued,
    ContactReleased,
    ContactResumed,
    ContactTransferred,
    ContactWrapUpEnded,
)
from libs.common.events.rules import PolicyUpdated, QueueUpdated
from services.router.core.state import Contact

ACTOR: Final = "replay"
LEASE_SECONDS: Final = 31 * 86_400
"""Presence ends when it was recorded to end."""
TOLD_AGAIN = ContactOpened | MessageAdded | ContactEnriched | ReachChanged | ContactWithdrawn | TargetUpdated
HANDS_BACK = (
    ContactReleased | ContactTransferred | ContactParked | ContactPaused | ContactWrapUpEnded | ContactClosed
    | ContactAbandoned
)  # fmt: skip
"""What ends the work on a contact, for good or for now."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Times in microseconds. `entities` are the router's state at `start`; empty for the log's beginning."""

    entities: list[tuple[str, bytes]]
    start: int
    end: int
    inputs: tuple[Event, ...]
    """In order of time; at the same moment rules and presence before contacts."""
    handled: dict[str, int]
    """How long agents worked on each contact, wrap-up included; not of those who are worked on still."""
    typical: dict[str, int]
    """The median of these by channel, for a contact that nobody handled."""


def recording(
    entities: list[tuple[str, bytes]], start: int, end: int | None, events: Iterable[Event]
) -> Recording:
    """From the events of the partition after `start` and up to `end`, topic by topic, each in its order."""
    taken = [event for event in events if event.at > start and (end is None or event.at <= end)]
    inputs = [one for event in taken for one in as_inputs(event)]
    handled, channels = handling(taken, start, in_hand(entities))
    return Recording(
        entities=entities, start=start, end=max((event.at for event in taken), default=start),
        inputs=tuple(sorted(inputs, key=lambda event: (event.at, isinstance(event, ContactFact)))), handled=handled,
        typical=typical(handled, channels),
    )  # fmt: skip


def as_inputs(event: Event) -> Iterable[Event]:
    """What of it the router is told again."""
    if isinstance(event, TOLD_AGAIN):
        yield event
    match event:
        case ContactAbandoned():
            yield CustomerLeft(
                key=event.key, at=event.at, contact_id=event.contact_id, occurred_at=event.at, reason=event.reason
            )
        case AgentPresenceChanged():
            yield asked(SetPresence, event, lease_seconds=LEASE_SECONDS)
        case AgentUpdated():
            yield asked(DeleteAgent if event.deleted else PutAgent, event)
        case QueueUpdated():
            yield asked(DeleteQueue if event.deleted else PutQueue, event)
        case PolicyUpdated():
            yield asked(PutPolicy, event)


def asked(kind: type[Command], decided: Event, **fields: Any) -> Command:
    """The command that asks for what was decided: it has fields of the same names."""
    same = {name: getattr(decided, name) for name in kind.__struct_fields__ if hasattr(decided, name)}
    command_id = f"{kind.type}.{decided.subject}.{decided.at}"
    return kind(**same | {"command_id": command_id, "actor": ACTOR} | fields)


def in_hand(entities: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """The contacts that agents are working on, with their channels."""
    kept = (msgspec.json.decode(value, type=Contact) for key, value in entities if key.startswith("contact|"))
    return {contact.id: contact.channel for contact in kept if contact.state in {"assigned", "wrap_up"}}


# -- handling times ---------------------------------------------------------------------------------------------


def handling(
    events: Iterable[Event], start: int, held: Mapping[str, str]
) -> tuple[dict[str, int], dict[str, str]]:
    """How long each contact was in an agent's hands, and its channel. Pauses don't count."""
    since = dict.fromkeys(held, start)
    handled: dict[str, int] = {}
    channels = dict(held)
    for event in events:
        match event:
            case ContactQueued() | ContactAssigned():
                channels[event.contact_id] = event.channel
                if isinstance(event, ContactAssigned):
                    since[event.contact_id] = event.at
            case ContactResumed(reason="unpaused"):
                since[event.contact_id] = event.at
            case _ if isinstance(event, HANDS_BACK):
                begun = since.pop(event.subject, None)
                if begun is not None:
                    handled[event.subject] = handled.get(event.subject, 0) + event.at - begun
    return {contact: time for contact, time in handled.items() if contact not in since}, channels


def typical(handled: Mapping[str, int], channels: Mapping[str, str]) -> dict[str, int]:
    times: dict[str, list[int]] = {}
    for contact, time in handled.items():
        if consulted(contact) is not None:
            continue  # Help is no measure of what customers take.
        times.setdefault(channels[contact], []).append(time)
    return {channel: max(SECOND, round(median(of_channel))) for channel, of_channel in sorted(times.items())}
