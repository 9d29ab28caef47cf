"""A contact that has ended, as its decisions tell of it: the state topic forgets it, its events stay longer."""

from __future__ import annotations

from collections.abc import Iterable

from libs.common.events import Event
from libs.common.events.codec import decode
from libs.common.events.routing import (
    ContactAssigned,
    ContactOffered,
    ContactPriorityChanged,
    ContactQueued,
    ContactRelaxed,
)
from services.router.core.apply_contacts import contact_of
from services.router.core.state import Contact, offer_number


def contact_of_events(key: str, events: Iterable[tuple[str, str]]) -> Contact | None:
    """`events`: the (type, value) of a contact's decisions in order; None when its entry isn't among them."""
    contact: Contact | None = None
    for kind, value in events:
        event = decode(key, value.encode(), {"ce_type": kind, "ce_id": ""}).event
        contact = entered(event) if contact is None else follow(contact, event)
    return contact


def entered(event: Event) -> Contact | None:
    return contact_of(event) if isinstance(event, ContactQueued) else None


def follow(contact: Contact, event: Event) -> Contact:
    match event:
        case ContactQueued():
            return contact_of(event)
        case ContactOffered():
            contact.offers_made = offer_number(event.offer_id)
        case ContactAssigned():
            contact.agent_id, contact.units = event.agent_id, event.units
        case ContactPriorityChanged():
            contact.boost, contact.reach = event.boost, event.reach
        case ContactRelaxed():
            contact.relaxed, contact.relaxed_by = event.step, event.reason
        case _:
            pass
    return contact
