"""Pausing work for a contact that its agent takes, and letting it go on. The rules are those of `interruption`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from libs.common.events import SECOND, Event
from libs.common.events.routing import (
    ContactAbandoned,
    ContactBrokeOut,
    ContactClosed,
    ContactParked,
    ContactPaused,
    ContactReleased,
    ContactResumed,
    ContactTransferred,
)
from services.router.core.desks import Desk
from services.router.core.floor import Floor
from services.router.core.interruption import is_pausable, is_protected, may_pause, pause_left, pause_spent_at
from services.router.core.outcomes import Events
from services.router.core.partition import Partition
from services.router.core.state import Contact

UNPAUSED: Final = "unpaused"
LEAVES_ITS_GROUP: Final = (
    ContactBrokeOut, ContactReleased, ContactParked, ContactTransferred, ContactClosed, ContactAbandoned,
)  # fmt: skip


def paused_for(floor: Floor, now: int, contact: Contact, desk: Desk, units: int) -> Events:
    """What the agent pauses to take the contact; nothing when it fits."""
    over = desk.used + (0 if contact.id in desk.held else units) - desk.agent.capacity.units
    events: list[ContactPaused] = []
    for one in in_order_of_pausing(desk, contact, now) if over > 0 else ():
        if over <= 0:
            break
        over -= one.units
        events.append(paused(floor, now, one, desk, contact, one.units))
    return tuple(events)


def paused(floor: Floor, now: int, contact: Contact, desk: Desk, taken: Contact, units: int) -> ContactPaused:
    return ContactPaused(
        key=floor.key, at=now, contact_id=contact.id, agent_id=desk.agent.id, paused_for=taken.id,
        medium=contact.medium, units=units, pause_left_seconds=pause_left(contact, now) / SECOND,
    )  # fmt: skip


def handed_on(partition: Partition, decided: Events) -> Events:
    """What was decided; right after a contact leaves that carries a paused group, the next to carry it is paused."""
    leaving = [event.contact_id for event in decided if isinstance(event, LEAVES_ITS_GROUP)]
    if not leaving:
        return decided
    events: list[Event] = []
    left: list[str] = []
    for event in decided:
        events.append(event)
        if isinstance(event, LEAVES_ITS_GROUP) and event.contact_id not in left:
            left.append(event.contact_id)
            events += paused_instead(partition.floor(event.key), partition.now, event.contact_id, leaving)
    return tuple(events)


def paused_instead(floor: Floor, now: int, contact_id: str, leaving: Collection[str]) -> Events:
    """Of those who stay with the agent, as long as what it was paused for is there, and may pause that one too."""
    carrier = floor.contacts.get(contact_id)
    if carrier is None or carrier.group is None or not carrier.units or carrier.paused_for is None:
        return ()
    desk, taken = floor.desks[carrier.agent_id or ""], floor.contacts.get(carrier.paused_for)
    others = (one for one in desk.held.values() if one.group == carrier.group and one.id not in leaving)
    heir = min(others, key=lambda one: one.id, default=None)
    if heir is None or taken is None or taken.id not in desk.held or taken.id in leaving:
        return ()
    if heir.state != "assigned" or is_protected(heir) or not may_pause(desk.agent.capacity, heir.medium, taken.medium):
        return ()
    return (paused(floor, now, heir, desk, taken, carrier.units),)


def in_order_of_pausing(desk: Desk, contact: Contact, now: int) -> list[Contact]:
    pausable = (one for one in desk.held.values() if is_pausable(desk.agent.capacity, one, contact.medium))
    return sorted(pausable, key=lambda one: (-pause_left(one, now), -one.waiting_since, one.id))


def makes_room(desk: Desk, contact: Contact) -> bool:
    """Whether a live offer relies on pausing it."""
    capacity = desk.agent.capacity
    relied_on = (one for one in desk.held.values() if one.state == "offered")
    return desk.used > capacity.units and any(is_pausable(capacity, contact, one.medium) for one in relied_on)


def going_on(floor: Floor, now: int, desk: Desk) -> Events:
    """What is paused and has room again. Alone it goes on even where the agent's capacity was lowered below it."""
    used = desk.used
    events: list[ContactResumed] = []
    for one in sorted(desk.paused.values(), key=lambda one: (pause_spent_at(one), one.id)):
        if used and used + one.units > desk.agent.capacity.units:
            break
        used += one.units
        resumed = ContactResumed(
            key=floor.key, at=now, contact_id=one.id, agent_id=desk.agent.id, reason=UNPAUSED,
            waiting_since=one.waiting_since,
        )  # fmt: skip
        events.append(resumed)
    return tuple(events)
