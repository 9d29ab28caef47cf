"""Contacts of one incident as one piece of work: offered as one group, at the cost of one contact.

The first is offered as always; the offer names those who join it, and they wait for its end, offered to nobody else.
When it is accepted they are assigned too, for no units; else they wait on as before. Each stays a contact of its own,
with its own clock and its own end. The group's units are carried by one of them, and by another when that one leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Final

from libs.common.events import Event
from libs.common.events.commands import BreakOut
from libs.common.events.routing import ContactBrokeOut
from services.router.core.choice import still_asked
from services.router.core.desks import Desk, cost
from services.router.core.floor import Floor
from services.router.core.interruption import is_protected, may_pause
from services.router.core.outcomes import Events, contact_state, done, refused
from services.router.core.partition import Partition
from services.router.core.pauses import paused
from services.router.core.state import Contact
from services.router.core.transitions import LEAVES_ITS_AGENT, assigned, flag_ended, released

LEAVES_ITS_GROUP: Final = (*LEAVES_ITS_AGENT, ContactBrokeOut)


def companions(floor: Floor, contact: Contact, desk: Desk, *, again: bool) -> tuple[str, ...]:
    """Who is offered to this agent together with the contact: the most urgent of its incident whom they can take, and
    weren't asked for in vain unless a new round begins."""
    others = (floor.contacts[one] for _, one in floor.incidents.line(contact) if one != contact.id)
    able = (one.id for one in others if _may_join(floor, one, desk, again))
    return tuple(islice(able, max(0, contact.rules.group_max - 1)))


def _may_join(floor: Floor, contact: Contact, desk: Desk, again: bool) -> bool:
    asked = not again and desk.agent.id in still_asked(floor, contact.asked)
    return not asked and floor.need_of(contact).allows(desk.agent)


def joined(floor: Floor, now: int, first: Contact, desk: Desk, together: Sequence[str]) -> Events:
    """The offer was accepted: those who were offered with it are this agent's too."""
    return tuple(
        event
        for one in (floor.contacts[contact_id] for contact_id in together)
        for event in (
            *flag_ended(floor, now, one, "assigned"),
            *assigned(floor, now, one, desk, units=0, offer=None, group=first.id),
        )
    )


def on_break_out(floor: Floor, contact: Contact, command: BreakOut, now: int) -> Events:
    """It becomes work of its own: with its agent when there is room for it, else it waits again."""
    if contact.state != "assigned" or contact.group is None:
        return refused(command, now, 409, "conflict", contact_state(contact))
    assert contact.agent_id is not None
    desk = floor.desks[contact.agent_id]
    units = units_alone(contact, desk)
    out = ContactBrokeOut(
        key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, group_id=contact.group, units=units
    )
    if units:
        return (out, done(command, now, contact_state(contact)))
    steps = released(floor, now, contact, "broke_out")
    return (out, *steps, done(command, now, contact_state(contact, "waiting")))


def units_alone(contact: Contact, desk: Desk) -> int:
    """What it costs its agent outside of its group; 0 when there is no room for that. The wake-up reserve is for it:
    it is no new work."""
    if all(one.group != contact.group or one is contact for one in desk.held.values()):
        return contact.units
    kind = (contact.channel, contact.medium)
    return cost(desk.agent.capacity, kind) if desk.fits(kind, desk.margins(reserve=0)) else 0


def handed_on(partition: Partition, decided: Events) -> Events:
    """What was decided; right after a contact leaves that carries a paused group, the next to carry it is paused."""
    leaving = {event.contact_id: event for event in reversed(decided) if isinstance(event, LEAVES_ITS_GROUP)}
    if not leaving:
        return decided
    events: list[Event] = []
    for event in decided:
        events.append(event)
        if isinstance(event, LEAVES_ITS_GROUP) and leaving[event.contact_id] is event:  # The first of these about it.
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
