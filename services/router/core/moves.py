"""Moves: to another queue, agent, requirement or pool. A contact keeps its age; after an answer a new wait begins.

A named agent must be there and able. With room the contact is theirs at once; without, it waits for them for two
minutes, then for anyone. A supervisor who forces an assignment asks for neither. What goes on in another pool or as a
call opens there as a linked contact, which takes the age along: ingest reads of it here and opens it once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import msgspec

from libs.common.events import SECOND
from libs.common.events.commands import (
    AssignContact,
    CallBack,
    ContactCommand,
    ReferContact,
    RequeueAgent,
    TransferContact,
)
from libs.common.events.routing import (
    ContactCallbackRequested,
    ContactQueued,
    ContactReferred,
    ContactReleased,
    ContactResumed,
    ContactTransferred,
)
from services.router.core.admission import open_queue, rules_of
from services.router.core.arrivals import since_unanswered
from services.router.core.desks import Desk, cost, has_room
from services.router.core.explain import reason_against
from services.router.core.floor import Floor
from services.router.core.limits import TRANSFER_HELD_SECONDS
from services.router.core.outcomes import Events, agent_state, contact_state, done, refused
from services.router.core.presence import held_in_order, offers_withdrawn
from services.router.core.requirements import for_anybody
from services.router.core.roster import on_roster
from services.router.core.soundness import is_sound_requirement
from services.router.core.state import Contact, id_of_next, units_held
from services.router.core.transitions import (
    REFERRED,
    assigned,
    finished,
    flag_ended,
    lined_up,
    offer_withdrawn,
    queued,
    released,
    wraps_up,
)

CALLED_BACK: Final = "called_back"
"""The resolution of a contact whose customer is called instead."""


def on_move(floor: Floor, contact: Contact, command: ContactCommand, now: int) -> Events:
    match command:
        case _ if contact.state == "wrap_up":  # Its work is done.
            return refused(command, now, 409, "conflict", contact_state(contact))
        case TransferContact(): return on_transfer(floor, contact, command, now)
        case AssignContact(): return on_assign(floor, contact, command, now)
        case ReferContact(): return on_refer(floor, contact, command, now)
        case CallBack(): return on_call_back(floor, contact, command, now)
        case _: return refused(command, now, 422, "not_supported", contact_state(contact))


def on_transfer(floor: Floor, contact: Contact, transfer: TransferContact, now: int) -> Events:
    match transfer:
        case TransferContact(to_queue=str(queue_id), to_agent=None, requirement=None):
            return to_queue(floor, contact, transfer, queue_id, now)
        case TransferContact(to_queue=None, to_agent=str(agent_id), requirement=None):
            return to_agent(floor, contact, transfer, agent_id, now)
        case TransferContact(to_queue=None, to_agent=None, requirement=needed) if needed is not None:
            if not is_sound_requirement(needed):
                return refused(transfer, now, 422, "invalid", contact_state(contact))
            rules = replace(contact.rules, requirement=needed, relax=())
            return asks_for_other(floor, contact, transfer, replace(contact, rules=rules, own=None), now)
        case _:
            return refused(transfer, now, 422, "invalid", contact_state(contact))


def to_queue(floor: Floor, contact: Contact, transfer: TransferContact, queue_id: str, now: int) -> Events:
    queue = open_queue(floor, queue_id)
    if queue is None:
        return refused(transfer, now, 422, "unknown_queue", contact_state(contact))
    moved = replace(contact, rules=rules_of(queue, contact.visibility, contact.medium))
    left = leaves(floor, contact, now, to_queue=queue_id)
    steps = lined_up(floor, now, moved, "transferred", since=age(contact, now))
    came_to = [step.queue for step in steps if isinstance(step, ContactQueued)]
    state = contact_state(moved, "waiting") | {"queue": came_to[-1]}
    return (*left, *steps, done(transfer, now, state))


def asks_for_other(floor: Floor, contact: Contact, transfer: TransferContact, moved: Contact, now: int) -> Events:
    """`moved`: the contact as it is after the transfer, in the queue where it was."""
    left = leaves(floor, contact, now, requirement=transfer.requirement)
    steps = (*left, queued_again(floor, contact, moved, now))
    return (*steps, done(transfer, now, contact_state(moved, "waiting")))


def queued_again(floor: Floor, contact: Contact, moved: Contact, now: int) -> ContactQueued:
    return queued(floor, now, moved, "transferred", since=age(contact, now))


def age(contact: Contact, now: int) -> int:
    """Since when the customer waits. Who is on the line still does; any other answer ended that wait."""
    return contact.waiting_since if contact.medium == "voice" else since_unanswered(contact, now)


def leaves(floor: Floor, contact: Contact, now: int, **goal: Any) -> Events:
    """The contact is taken from wherever it stands."""
    since = age(contact, now)
    resumed = ContactResumed(
        key=floor.key, at=now, contact_id=contact.id, reason="transferred", waiting_since=since
    )
    transferred = ContactTransferred(
        key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, from_queue=contact.rules.queue,
        waiting_since=since, **goal,
    )  # fmt: skip
    return (
        *offer_withdrawn(floor, now, contact, "transferred"),
        *flag_ended(floor, now, contact, "transferred"),
        *((resumed,) if contact.state == "parked" else ()),
        transferred,
    )


# -- a named agent ----------------------------------------------------------------------------------------------


def to_agent(floor: Floor, contact: Contact, transfer: TransferContact, agent_id: str, now: int) -> Events:
    desk = on_roster(floor, agent_id)
    if desk is None:
        return refused(transfer, now, 422, "unknown_agent", contact_state(contact))
    if has_it(contact, agent_id):
        return (done(transfer, now, contact_state(contact)),)
    why_not = unfit(floor, contact, desk)
    if why_not not in (None, FULL):
        return unfit_agent(transfer, contact, desk, why_not, now)
    left = leaves(floor, contact, now, to_agent=agent_id)
    if why_not is None:
        given = assigned(floor, now, contact, desk, units=units_of(desk, contact), offer=None)
        return (*left, *given, done(transfer, now, contact_state(contact, "assigned", agent_id)))
    moved = replace(contact, own=for_anybody(contact.own))
    waits = first_for(agent_id, queued_again(floor, contact, moved, now))
    return (*left, waits, done(transfer, now, contact_state(contact, "waiting")))


def first_for(agent_id: str, waits: ContactQueued) -> ContactQueued:
    """They have two minutes before anyone may take it."""
    until = waits.at + TRANSFER_HELD_SECONDS * SECOND
    return msgspec.structs.replace(waits, last_agent=agent_id, last_agent_until=until)


def has_it(contact: Contact, agent_id: str) -> bool:
    return contact.state == "assigned" and contact.agent_id == agent_id


ABSENT: Final = "agent_not_available"
UNABLE: Final = "agent_not_able"
FULL: Final = "agent_at_capacity"


def unfit(floor: Floor, contact: Contact, desk: Desk) -> str | None:
    """Why the agent can't take it now; the room that its own offer holds is room for it."""
    if desk.profile is None or not floor.need_of(contact).allows(desk.agent):
        return UNABLE
    if desk.agent.status != "available":
        return ABSENT
    kind, used, counts = (contact.channel, contact.medium), desk.used, dict(desk.counts)
    if contact.id in desk.held:
        used, counts[kind] = used - units_held(contact, desk.agent.id), counts[kind] - 1
    return None if has_room(desk.agent.capacity, used, counts, kind, desk.margins()) else FULL


def unfit_agent(command: ContactCommand, contact: Contact, desk: Desk, code: str, now: int) -> Events:
    why = reason_against(desk, contact, frozenset(), ())
    return refused(command, now, 409, code, contact_state(contact) | {"agent": contact.agent_id, "why": why})


def units_of(desk: Desk, contact: Contact) -> int:
    return cost(desk.agent.capacity, (contact.channel, contact.medium))


def on_assign(floor: Floor, contact: Contact, assign: AssignContact, now: int) -> Events:
    """A supervisor's word. By force capacity may be exceeded, and nothing else is taken from anybody."""
    desk = on_roster(floor, assign.to_agent)
    if desk is None:
        return refused(assign, now, 422, "unknown_agent", contact_state(contact))
    if has_it(contact, assign.to_agent):
        return (done(assign, now, contact_state(contact)),)
    why_not = None if assign.forced else unfit(floor, contact, desk)
    if why_not is not None:
        return unfit_agent(assign, contact, desk, why_not, now)
    units = units_of(desk, contact)
    given = assigned(floor, now, contact, desk, units=units, offer=None, forced=assign.forced)
    return (*taken_away(floor, contact, assign.to_agent, now), *given,
            done(assign, now, contact_state(contact, "assigned", assign.to_agent)))  # fmt: skip


def taken_away(floor: Floor, contact: Contact, agent_id: str, now: int) -> Events:
    """From whoever has it or is asked for it."""
    before = (*offer_withdrawn(floor, now, contact, "assigned"), *flag_ended(floor, now, contact, "assigned"))
    match contact.state:
        case "assigned":
            assert contact.agent_id is not None
            return (
                ContactReleased(
                    key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id,
                    reason="assigned_to_another",
                ),
            )  # fmt: skip
        case "parked":
            return (
                *before,
                ContactResumed(
                    key=floor.key, at=now, contact_id=contact.id, agent_id=agent_id, reason="assigned",
                    waiting_since=age(contact, now),
                ),
            )  # fmt: skip
        case _:
            return before


def on_requeue(floor: Floor, requeue: RequeueAgent, now: int) -> Events:
    """Calls too: whoever asks for it keeps their line. What is parked or being wrapped up stays."""
    desk = on_roster(floor, requeue.agent_id)
    if desk is None:
        return refused(requeue, now, 404, "not_found")
    held = [one for one in held_in_order(desk) if one.state in ("offered", "assigned")]
    given_back = (event for one in held if one.state == "assigned" for event in released(floor, now, one, "requeued"))
    state = agent_state(desk.agent, requeued=[one.id for one in held])
    return (*offers_withdrawn(floor, desk, "requeued", now), *given_back, done(requeue, now, state))


# -- a linked contact -------------------------------------------------------------------------------------------


def on_refer(floor: Floor, contact: Contact, refer: ReferContact, now: int) -> Events:
    if refer.to_pool == floor.pool.id:
        return refused(refer, now, 422, "same_pool", contact_state(contact))
    linked = linked_id(contact)
    referred = ContactReferred(
        key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, linked_id=linked,
        waiting_since=age(contact, now), closes=refer.closes, to_pool=refer.to_pool, to_queue=refer.to_queue,
    )  # fmt: skip
    return (referred, *goes_on_or_ends(floor, contact, refer, refer.closes, REFERRED, now))


def on_call_back(floor: Floor, contact: Contact, call: CallBack, now: int) -> Events:
    if call.callback_at is not None and call.callback_at <= now:
        return refused(call, now, 422, "invalid", contact_state(contact))
    requested = ContactCallbackRequested(
        key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, linked_id=linked_id(contact),
        waiting_since=age(contact, now), closes=call.closes, callback_at=call.callback_at,
    )  # fmt: skip
    return (requested, *goes_on_or_ends(floor, contact, call, call.closes, CALLED_BACK, now))


def linked_id(contact: Contact) -> str:
    return id_of_next(contact, "linked")


def goes_on_or_ends(
    floor: Floor, contact: Contact, command: ContactCommand, closes: bool, resolution: str, now: int
) -> Events:
    linked = {"linked_id": linked_id(contact)}
    if not closes:
        return (done(command, now, contact_state(contact) | linked),)
    steps = finished(floor, now, contact, resolution)
    after = "wrap_up" if wraps_up(floor, contact) else "closed"
    return (*steps, done(command, now, contact_state(contact, after) | linked))
