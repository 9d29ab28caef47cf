"""How what a contact asks for loosens: by time, by load, and because its promise is about to break.

A step's time counts from when the step before it began; the first one's from when the contact was queued. And nobody
waits for an agent who isn't there: while no available agent could take the contact at its present step, it may be
offered to whoever is available at a later one, unless a step on the way says `skip: never`. The steps that load has
passed are written down (`ContactRelaxed`) with the offer; until then the contact keeps its stricter wish, and goes by
it as soon as somebody comes who meets it.
"""

from __future__ import annotations

from libs.common.events.routing import ContactRelaxed
from libs.common.events.values import RelaxReason
from services.router.core.facts import RelaxDue
from services.router.core.floor import Floor
from services.router.core.outcomes import Events
from services.router.core.queues import steps_open
from services.router.core.state import Contact, requirement_at
from services.router.core.timers import relax_due


def on_relax_due(floor: Floor, due: RelaxDue, now: int) -> Events:
    contact = floor.contacts.get(due.contact_id)
    if contact is None or not 0 < relax_due(contact) <= now:
        return ()
    return relaxed(floor, contact, contact.relaxed + 1, now, "waited")


def step_now(floor: Floor, contact: Contact) -> int:
    """How many steps count now: those that have passed by time, and those that load opens."""
    return contact.relaxed + steps_open(floor.needs_of(contact), (contact.channel, contact.medium))


def relaxed(floor: Floor, contact: Contact, step: int, now: int, reason: RelaxReason) -> Events:
    """`step` steps have passed; nothing when they had before."""
    if step <= contact.relaxed:
        return ()
    return (
        ContactRelaxed(
            key=floor.key, at=now, contact_id=contact.id, step=step, reason=reason,
            requirement=requirement_at(contact, step),
        ),
    )  # fmt: skip
