"""Pausing work for a contact that its agent takes, and letting it go on. The rules are those of `interruption`."""

from __future__ import annotations

from typing import Final

from libs.common.events import SECOND
from libs.common.events.routing import ContactPaused, ContactResumed
from services.router.core.desks import Desk
from services.router.core.floor import Floor
from services.router.core.interruption import is_pausable, pause_left, pause_spent_at
from services.router.core.outcomes import Events
from services.router.core.state import Contact

UNPAUSED: Final = "unpaused"


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
