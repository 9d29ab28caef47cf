"""A consult: the agent who has a contact asks somebody else for help. The contact stays theirs, and its clocks run on.

It is a contact of its own in the same pool, which waits, is offered, held and closed like any other. It is a matter
among colleagues: the public doesn't see it, nothing is promised for it, whoever asks is never asked, and it moves
nowhere else. Either of the two ends it; it ends by itself when its contact ends or leaves its agent.
"""

from __future__ import annotations

from typing import Final

from libs.common.events import Event
from libs.common.events.commands import CloseContact, Consult, ContactCommand, ReleaseContact, SetPriority
from libs.common.events.consults import ContactConsulted, consulted
from libs.common.events.routing import ContactWrapUpStarted
from libs.common.events.values import Requirement
from services.router.core.admission import open_queue, rules_of, standing
from services.router.core.floor import Floor
from services.router.core.limits import CONSULTS_MAX
from services.router.core.moves import FULL, first_for, unfit, unfit_agent
from services.router.core.outcomes import Events, contact_state, done, refused
from services.router.core.partition import Partition
from services.router.core.roster import on_roster
from services.router.core.state import Contact, Queue, id_of_next
from services.router.core.transitions import LEAVES_ITS_AGENT, closed, lined_up, offer_withdrawn, queued

CONSULT_ENDED: Final = "consult_ended"
"""The resolution of a consult whose contact has ended or left its agent."""
ENDS_ITS_CONSULTS: Final = (*LEAVES_ITS_AGENT, ContactWrapUpStarted)


def on_consult(floor: Floor, contact: Contact, consult: Consult, now: int) -> Events:
    if contact.state != "assigned":
        return refused(consult, now, 409, "conflict", contact_state(contact))
    if len(contact.consults) >= CONSULTS_MAX:
        bound = {"consults_max": CONSULTS_MAX}
        return refused(consult, now, 409, "too_many_consults", contact_state(contact) | bound)
    match consult:
        case Consult(to_queue=str(queue_id), to_agent=None):
            return ask_queue(floor, contact, consult, queue_id, now)
        case Consult(to_queue=None, to_agent=str(agent_id)):
            return ask_agent(floor, contact, consult, agent_id, now)
        case _:
            return refused(consult, now, 422, "invalid", contact_state(contact))


def ask_queue(floor: Floor, contact: Contact, consult: Consult, queue_id: str, now: int) -> Events:
    queue = open_queue(floor, queue_id)
    if queue is None:
        return refused(consult, now, 422, "unknown_queue", contact_state(contact))
    waits = lined_up(floor, now, new_consult(contact, queue, now), "consulted")
    return asked(floor, contact, consult, waits, now)


def ask_agent(floor: Floor, contact: Contact, consult: Consult, agent_id: str, now: int) -> Events:
    """Before it is offered to others of the contact's queue, they are waited for."""
    desk = on_roster(floor, agent_id)
    if desk is None:
        return refused(consult, now, 422, "unknown_agent", contact_state(contact))
    if agent_id == contact.agent_id:
        return refused(consult, now, 422, "own_contact", contact_state(contact))
    help_wanted = new_consult(contact, standing(floor, contact.rules.queue), now)
    why_not = unfit(floor, help_wanted, desk)
    if why_not not in (None, FULL):
        return unfit_agent(consult, contact, desk, why_not, now)
    waits = first_for(agent_id, queued(floor, now, help_wanted, "consulted"))
    return asked(floor, contact, consult, (waits,), now)


def new_consult(contact: Contact, queue: Queue, now: int) -> Contact:
    assert contact.agent_id is not None, "somebody asks"
    return Contact(
        id=id_of_next(contact, "consult"), rules=rules_of(queue, "private", contact.medium),
        account=contact.account, channel=contact.channel, medium=contact.medium, visibility="private",
        customer_id=contact.customer_id, opened_at=now, waiting_since=now, target_seconds=contact.target_seconds,
        tier=contact.tier, strikes=contact.strikes, consult_of=contact.id, sentiment=contact.sentiment,
        language=contact.language, topics=contact.topics, attributes=contact.attributes, urgency=contact.urgency,
        raised=contact.raised, own=Requirement(exclude_agents=(contact.agent_id,)),
    )  # fmt: skip


def asked(floor: Floor, contact: Contact, consult: Consult, waits: Events, now: int) -> Events:
    assert contact.agent_id is not None, "somebody asks"
    consult_id = waits[0].subject
    says = ContactConsulted(
        key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, consult_id=consult_id,
        to_queue=consult.to_queue, to_agent=consult.to_agent,
    )  # fmt: skip
    return (says, *waits, done(consult, now, contact_state(contact) | {"consult_id": consult_id}))


# -- whose it is, and what may be asked of it -------------------------------------------------------------------


def speaks_for(floor: Floor, owner: str | None, command: ContactCommand) -> bool:
    """Whether the agent who asks has the contact, or asked for the consult that shall be closed."""
    if command.agent_id == owner:
        return True
    origin = floor.contacts.get(consulted(command.contact_id) or "")
    return isinstance(command, CloseContact) and origin is not None and command.agent_id == origin.agent_id


def asks_of_consult(command: ContactCommand) -> bool:
    """Whether it makes sense for a consult."""
    return isinstance(command, CloseContact | ReleaseContact | SetPriority)


# -- its end ----------------------------------------------------------------------------------------------------


def ended_with(partition: Partition, decided: Events) -> Events:
    """What was decided; right after a contact's end, or its leaving its agent, its consults end."""
    if not any(isinstance(event, ENDS_ITS_CONSULTS) for event in decided):
        return decided
    events: list[Event] = []
    for event in decided:
        events.append(event)
        if isinstance(event, ENDS_ITS_CONSULTS):
            floor = partition.floor(event.key)
            contact = floor.contacts.get(event.contact_id)
            events += ends_of(floor, contact, partition.now) if contact is not None else ()
    return tuple(events)


def ends_of(floor: Floor, contact: Contact, now: int) -> Events:
    """Each is closed at once; whoever finishes up already takes the time for it."""
    open_ones = [floor.contacts[one] for one in contact.consults]
    return tuple(
        event
        for one in open_ones
        if one.state != "wrap_up"
        for event in (*offer_withdrawn(floor, now, one, CONSULT_ENDED), closed(floor, now, one, CONSULT_ENDED))
    )
