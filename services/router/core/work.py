"""What agents, supervisors and platforms ask to be done with a contact. An agent may only ask for their own."""

from __future__ import annotations

from typing import Final

from libs.common.events import SECOND
from libs.common.events.codec import rfc3339
from libs.common.events.commands import (
    AbandonContact,
    BreakOut,
    CloseContact,
    CompleteWrapUp,
    Consult,
    ContactCommand,
    ExtendWrapUp,
    ParkContact,
    ReleaseContact,
    ResumeContact,
    SetPriority,
)
from libs.common.events.escalations import EscalationRaised
from libs.common.events.routing import ContactWrapUpExtended
from services.router.core.arrivals import rescored, since_unanswered
from services.router.core.consults import asks_of_consult, on_consult, speaks_for
from services.router.core.facts import ParkEnded, PrioritySet, WrapUpDue
from services.router.core.floor import Floor
from services.router.core.groups import on_break_out
from services.router.core.limits import BOOST_MAX, RAISED_BY_ESCALATION, WRAP_UP_TIMES_MAX
from services.router.core.moves import CALLED_BACK, on_move
from services.router.core.outcomes import Events, agent_state, contact_state, done, refused, state_of
from services.router.core.policy import signals_of
from services.router.core.relaxation import relaxed
from services.router.core.roster import on_roster
from services.router.core.state import Contact
from services.router.core.transitions import (
    REFERRED,
    customer_left,
    finished,
    offer_withdrawn,
    parked,
    released,
    resumed,
    wrapped_up,
    wraps_up,
)

GOES_ON: Final = (REFERRED, CALLED_BACK)
"""Resolutions that a linked contact stands behind."""
CLOSED_BY: Final[dict[type[ContactCommand], str]] = {CloseContact: "closed", AbandonContact: "abandoned"}
"""What ends a contact, and the state that it leaves: asked for again, it is done already."""


def on_contact_command(floor: Floor, command: ContactCommand, now: int) -> Events:
    """What is asked of an open contact, by whoever may ask it of this one."""
    contact = floor.contacts.get(command.contact_id)
    if contact is None:
        return gone(floor, command, now)
    if command.agent_id is not None and not speaks_for(floor, contact.agent_id, command):
        return refused(command, now, 403, "forbidden", contact_state(contact))
    if contact.consult_of is not None and not asks_of_consult(command):
        return refused(command, now, 409, "is_consult", contact_state(contact))
    match command:
        case CloseContact(): return on_close(floor, contact, command, now)
        case AbandonContact(): return on_abandon(floor, contact, command, now)
        case ParkContact(): return on_park(floor, contact, command, now)
        case ResumeContact(): return on_resume(floor, contact, command, now)
        case ReleaseContact(): return on_release(floor, contact, command, now)
        case BreakOut(): return on_break_out(floor, contact, command, now)
        case SetPriority(): return on_set_priority(floor, contact, command, now)
        case Consult(): return on_consult(floor, contact, command, now)
        case _: return on_move(floor, contact, command, now)


def gone(floor: Floor, command: ContactCommand, now: int) -> Events:
    """The contact isn't open. What made it so may be asked for again by whoever did it; anything else is too late."""
    state = state_of(floor, command.contact_id)
    if state is None:
        return refused(command, now, 404, "not_found")
    own = command.agent_id is None or state["agent"] is None or speaks_for(floor, state["agent"], command)
    if state["state"] == CLOSED_BY.get(type(command)) and own:
        return (done(command, now, state),)
    return refused(command, now, 409, "conflict", state)


def conflict(command: ContactCommand, contact: Contact, now: int) -> Events:
    return refused(command, now, 409, "conflict", contact_state(contact))


def on_close(floor: Floor, contact: Contact, close: CloseContact, now: int) -> Events:
    if close.resolution in GOES_ON:  # Nobody may say so of a contact that doesn't.
        return refused(close, now, 422, "invalid", contact_state(contact))
    if contact.state == "wrap_up":
        return (done(close, now, contact_state(contact)),)
    steps = finished(floor, now, contact, close.resolution)
    return (*steps, done(close, now, contact_state(contact, "wrap_up" if wraps_up(floor, contact) else "closed")))


def on_abandon(floor: Floor, contact: Contact, abandon: AbandonContact, now: int) -> Events:
    if contact.state == "wrap_up":
        return conflict(abandon, contact, now)
    steps = customer_left(floor, now, contact, abandon.reason)
    return (*steps, done(abandon, now, contact_state(contact, _after_leaving(floor, contact))))


def _after_leaving(floor: Floor, contact: Contact) -> str:
    if contact.state == "assigned" and contact.answered:
        return "wrap_up" if wraps_up(floor, contact) else "closed"
    return "closed" if contact.state == "parked" else "abandoned"


def on_park(floor: Floor, contact: Contact, park: ParkContact, now: int) -> Events:
    if park.until is not None and park.until <= now:
        return refused(park, now, 422, "invalid", contact_state(contact))
    match contact.state:
        case "parked":
            return (done(park, now, contact_state(contact)),)
        case "wrap_up":
            return conflict(park, contact, now)
        case "waiting" | "offered" | "assigned":
            steps = parked(floor, now, contact, park.reason, park.until)
            return (*steps, done(park, now, contact_state(contact, "parked")))


def on_resume(floor: Floor, contact: Contact, resume: ResumeContact, now: int) -> Events:
    if contact.state == "wrap_up":
        return conflict(resume, contact, now)
    if contact.state != "parked":
        return (done(resume, now, contact_state(contact)),)
    steps = resumed(floor, now, contact, "asked_for", since=since_unanswered(contact, now))
    return (*steps, done(resume, now, contact_state(contact, _after_resuming(steps))))


def _after_resuming(steps: Events) -> str:
    return "assigned" if steps[-1].type == "contact.assigned" else "waiting"


def on_park_ended(floor: Floor, ended: ParkEnded, now: int) -> Events:
    contact = floor.contacts.get(ended.contact_id)
    if contact is None or contact.state != "parked":
        return ()
    return resumed(floor, now, contact, "park_ended", since=since_unanswered(contact, now))


def on_release(floor: Floor, contact: Contact, release: ReleaseContact, now: int) -> Events:
    if contact.state != "assigned":
        return conflict(release, contact, now)
    steps = released(floor, now, contact, release.reason)
    return (*steps, done(release, now, contact_state(contact, "waiting")))


def on_set_priority(floor: Floor, contact: Contact, priority: SetPriority, now: int) -> Events:
    if not 0 <= priority.boost <= BOOST_MAX:
        return refused(priority, now, 422, "invalid", contact_state(contact))
    steps = raise_to(floor, contact, priority.boost, now, priority.reason, manual=True)
    return (*steps, done(priority, now, contact_state(contact)))


def raise_to(floor: Floor, contact: Contact, raised: int, now: int, reason: str, *, manual: bool) -> Events:
    setting = PrioritySet(key=floor.key, at=now, contact_id=contact.id, raised=raised, manual=manual)
    return (setting, *rescored(floor, now, contact, signals_of(contact), reason, raised=raised))


# -- wrap-up ----------------------------------------------------------------------------------------------------


def on_complete_wrap_up(floor: Floor, complete: CompleteWrapUp, now: int) -> Events:
    desk = on_roster(floor, complete.agent_id)
    if desk is None:
        return refused(complete, now, 404, "not_found")
    wrapping = [contact for _, contact in sorted(desk.held.items()) if contact.state == "wrap_up"]
    if complete.contact_id is not None:
        wrapping = [contact for contact in wrapping if contact.id == complete.contact_id]
    steps = [event for contact in wrapping for event in wrapped_up(floor, now, contact)]
    return (*steps, done(complete, now, agent_state(desk.agent, completed=[one.id for one in wrapping])))


def on_extend_wrap_up(floor: Floor, extend: ExtendWrapUp, now: int) -> Events:
    """More time for who wraps up, up to a multiple of what the queue allows."""
    desk = on_roster(floor, extend.agent_id)
    state = state_of(floor, extend.contact_id)
    if desk is None or state is None:
        return refused(extend, now, 404, "not_found")
    contact = desk.held.get(extend.contact_id)
    if contact is None or contact.state != "wrap_up" or contact.wrap_up_until is None:
        return refused(extend, now, 409, "conflict", state)
    extended = contact.wrap_up_extended + extend.seconds
    most = (WRAP_UP_TIMES_MAX - 1) * contact.rules.wrap_up_seconds
    if extend.seconds < 1 or extended > most:
        left = most - contact.wrap_up_extended
        return refused(extend, now, 422, "wrap_up_too_long", state | {"extendable_seconds": left})
    until = contact.wrap_up_until + extend.seconds * SECOND
    extension = ContactWrapUpExtended(
        key=floor.key, at=now, contact_id=contact.id, agent_id=desk.agent.id, until=until, extended_seconds=extended
    )
    return (extension, done(extend, now, state | {"wrap_up_until": rfc3339(until)}))


def on_wrap_up_due(floor: Floor, due: WrapUpDue, now: int) -> Events:
    contact = floor.contacts.get(due.contact_id)
    if contact is None or contact.state != "wrap_up":
        return ()
    return wrapped_up(floor, now, contact)


# -- escalation -------------------------------------------------------------------------------------------------


def on_escalation(floor: Floor, raised: EscalationRaised, now: int) -> Events:
    """A step of a target's ladder acts; that each acts once is the SLA service's promise, a second changes nothing."""
    contact = floor.contacts.get(raised.contact_id)
    if contact is None:
        return ()
    match raised.do:
        case "raise_priority" if not contact.manual and contact.raised < RAISED_BY_ESCALATION:
            return raise_to(floor, contact, RAISED_BY_ESCALATION, now, "escalated", manual=False)
        case "relax_skills":
            return relaxed(floor, contact, len(contact.rules.relax), now, "escalated")
        case "reassign":
            return reassigned(floor, contact, now)
        case _:
            return ()


def reassigned(floor: Floor, contact: Contact, now: int) -> Events:
    """Whoever hasn't answered loses it to somebody else; what waits already, waits on."""
    match contact.state:
        case "offered":
            return offer_withdrawn(floor, now, contact, "reassigned")
        case "assigned" if not contact.answered:
            return released(floor, now, contact, "reassigned")
        case _:
            return ()
