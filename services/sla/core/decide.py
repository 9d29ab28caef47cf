"""What the SLA service decides, and why.

A clock runs for every configured target that binds a contact: one for `first_response`, one for `resolution`, of
each metric the tightest match. Target and ladder are pinned when the router first queues the contact; the clock
starts at the provider's time of the message that opened it.

- Facts about a contact often arrive before the router's word that it is queued. They are noted, and applied in the
  order of arrival once the contact is there: a live contact takes the same way, its facts just don't wait. Nothing
  happened after it was told, whatever a provider's clock says.
- `first_response` is met when the customer is connected (voice) or when a response is observed that isn't automatic
  (live, async). Time counts as it happened: a response that is reported late is met at its own time, before the
  start it has taken no time at all.
- `resolution` is met by the end of the work. While the customer owes the answer it is paused: from a response, or
  parking with the reason `awaiting_customer`, until the customer writes or the contact is resumed. What is older than
  the customer's last word hands no turn over.
- A contact that ends without a first response is a miss, also before it was due; withdrawn by its author, or going on
  as a linked contact whose clocks start at the same time, it counts for nothing.
- Every clock ends once, with `clock.met` or `clock.cancelled`. Afterwards it is corrected at most by a response that
  was given in time and reported too late: `clock.corrected`, `clock.met`. What was raised stays raised.
- A changed or deleted target moves no clock that runs. Neither does a calendar with other hours, but for the part
  after a pause, which counts by the hours of that day; the same hours compiled anew (holidays, time zone rules)
  correct what is still to come: `clock.corrected`. What had passed at a pause stays as it was told.
- Warnings, breach and steps are timers: each is raised once, in the order of its share, never before it is due, and
  what was past when the clock started here is raised at once, in the same order, with `late`.
- A repeat contact (`con_x.r2`) has clocks of its own. Facts that ingest addressed to its predecessor are its own
  when they happened after it was opened.
"""

from __future__ import annotations

from dataclasses import replace

from libs.common.events import Event, Settle
from libs.common.events.commands import DeleteCalendar, DeleteTarget, PutCalendar, PutTarget
from libs.common.events.contacts import ContactWithdrawn, MessageAdded, ReachChanged, ResponseObserved
from libs.common.events.routing import (
    ContactAbandoned,
    ContactAssigned,
    ContactClosed,
    ContactParked,
    ContactQueued,
    ContactResumed,
    ContactWrapUpStarted,
    LinkDecision,
)
from services.sla.core import configure, promise
from services.sla.core.facts import (
    OUTSIDE,
    ClockFellDue,
    ContactEnded,
    ContactEntered,
    ContactForgotten,
    Fact,
    FactApplied,
    FactNoted,
    ForgettingFellDue,
    ReachNoted,
)
from services.sla.core.state import Contact, Sla, contact_key, first_of


def decide(state: Sla, event: Event) -> tuple[Event, ...]:
    """Total over the three input topics: what isn't named here moves no clock."""
    match event:
        case Settle():               return settle(state)
        case ClockFellDue():         return promise.fell_due(state, event)
        case ForgettingFellDue():    return on_forgetting_due(state, event)
        case MessageAdded():         return on_message_added(state, event)
        case ResponseObserved():     return on_response_observed(state, event)
        case ReachChanged():         return on_reach_changed(state, event)
        case ContactWithdrawn():     return on_withdrawn(state, event)
        case ContactQueued():        return on_queued(state, event)
        case ContactAssigned():      return on_assigned(state, event)
        case ContactParked():        return on_parked(state, event)
        case ContactResumed(reason="unpaused"): return ()  # It never left its agent, nor did the wait.
        case ContactResumed():       return note_routing(state, event, Fact("resumed", event.at))
        case ContactWrapUpStarted(): return note_routing(state, event, Fact("wrapped_up", event.at))
        case LinkDecision():         return on_linked(state, event)
        case ContactClosed():        return on_ended(state, event, event.resolution)
        case ContactAbandoned():     return on_ended(state, event, "abandoned")
        case PutTarget():            return configure.put_target(state, event)
        case DeleteTarget():         return configure.delete_target(state, event)
        case PutCalendar():          return configure.put_calendar(state, event)
        case DeleteCalendar():       return configure.delete_calendar(state, event)
        case _:                      return ()


# -- facts from outside ------------------------------------------------------------------------------------------


def on_message_added(state: Sla, message: MessageAdded) -> tuple[Event, ...]:
    if message.author != "customer":
        return ()  # A bystander doesn't take the turn back from the customer.
    return note_outside(state, message, Fact("message", message.occurred_at, state.now))


def on_response_observed(state: Sla, response: ResponseObserved) -> tuple[Event, ...]:
    if response.automatic:
        return ()
    return note_outside(state, response, Fact("response", response.occurred_at, state.now))


def note_outside(state: Sla, event: MessageAdded | ResponseObserved, fact: Fact) -> tuple[Event, ...]:
    to = addressee(state, event.key, event.contact_id, fact.at)
    return (FactNoted(key=event.key, at=state.now, contact_id=to, fact=fact),)


def addressee(state: Sla, key: str, contact_id: str, happened_at: int) -> str:
    """Whose fact it is: ingest may not have learnt yet that a closed contact was opened again."""
    if state.live(key, contact_id) is not None:
        return contact_id
    repeat_id = state.repeats.get(contact_key(key, first_of(contact_id)))
    repeat = state.live(key, repeat_id) if repeat_id is not None else None
    return repeat.contact_id if repeat is not None and happened_at >= repeat.opened_at else contact_id


def on_withdrawn(state: Sla, withdrawn: ContactWithdrawn) -> tuple[Event, ...]:
    contact = state.contact(withdrawn.key, withdrawn.contact_id)
    if contact is not None and contact.ended_at is not None:
        return ()
    fact = Fact("withdrawn", withdrawn.occurred_at)
    return (FactNoted(key=withdrawn.key, at=state.now, contact_id=withdrawn.contact_id, fact=fact),)


def on_reach_changed(state: Sla, change: ReachChanged) -> tuple[Event, ...]:
    contact = state.live(change.key, change.contact_id)
    if contact is None or contact.visibility == "private" or not contact.exposed:
        return ()
    reach = max(1, change.reach.views, change.reach.followers)
    return (ReachNoted(key=contact.key, at=change.at, contact_id=contact.contact_id, reach=reach),)


# -- the router's word -------------------------------------------------------------------------------------------


def on_queued(state: Sla, queued: ContactQueued) -> tuple[Event, ...]:
    if queued.consult_of is not None:
        return ()  # The customer is promised what the contact is that help is asked for.
    known = state.contact(queued.key, queued.contact_id)
    if known is not None and (known.entered or known.ended_at is not None):
        return ()  # Transferred, released or resumed: what was promised at entry stands.
    entered = ContactEntered(
        key=queued.key,
        at=state.now,
        contact_id=queued.contact_id,
        queue=queued.queue,
        channel=queued.channel,
        medium=queued.medium,
        visibility=queued.visibility,
        opened_at=queued.opened_at,
        reach=queued.reach,
        inherited=inherited(state, queued),
    )
    return entered, *promise.started(state, queued)


def inherited(state: Sla, queued: ContactQueued) -> tuple[Fact, ...]:
    """What was addressed to the contacts before this repeat and happened since it was opened."""
    first = first_of(queued.contact_id)
    if first == queued.contact_id:
        return ()
    before = {first, *([queued.repeat_of] if queued.repeat_of else [])}
    told = [contact for one in sorted(before) if (contact := state.contact(queued.key, one)) is not None]
    return tuple(
        fact
        for contact in told
        for fact in contact.facts
        if fact.kind in OUTSIDE and fact.happened_at >= queued.opened_at
    )


def on_assigned(state: Sla, assigned: ContactAssigned) -> tuple[Event, ...]:
    if assigned.medium != "voice":
        return ()  # A chat or a message is answered by a message, not by being taken.
    return note_routing(state, assigned, Fact("connected", assigned.at))


def on_parked(state: Sla, parked: ContactParked) -> tuple[Event, ...]:
    if parked.reason != "awaiting_customer":
        return ()  # Waiting for anybody else is our own time.
    return note_routing(state, parked, Fact("parked", parked.at))


def note_routing(
    state: Sla, event: ContactAssigned | ContactParked | ContactResumed | ContactWrapUpStarted, fact: Fact
) -> tuple[Event, ...]:
    contact = state.live(event.key, event.contact_id)
    if contact is None:
        return ()
    return (FactNoted(key=contact.key, at=state.now, contact_id=contact.contact_id, fact=fact),)


def on_linked(state: Sla, link: LinkDecision) -> tuple[Event, ...]:
    """What goes on as a linked contact, with its age, is promised there."""
    contact = state.live(link.key, link.contact_id)
    return promise.passed_on(state, contact) if contact is not None and link.closes else ()


def on_ended(state: Sla, event: ContactClosed | ContactAbandoned, reason: str) -> tuple[Event, ...]:
    contact = state.live(event.key, event.contact_id)
    if contact is None:
        return ()
    ended = ContactEnded(key=contact.key, at=event.at, contact_id=contact.contact_id, reason=reason)
    return *promise.ended(state, contact, event.at, reason), ended


# -- what settles ------------------------------------------------------------------------------------------------


def settle(state: Sla) -> tuple[Event, ...]:
    """Apply one fact of one contact, the contact with the lowest key first."""
    if not state.unsettled:
        return ()
    contact = state.contacts[min(state.unsettled)]
    fact = as_it_happened(contact, contact.facts[contact.applied])
    applied = FactApplied(key=contact.key, at=state.now, contact_id=contact.contact_id, fact=fact)
    return *effect(state, contact, fact), applied


def as_it_happened(contact: Contact, fact: Fact) -> Fact:
    """What is dated later than it was told happened when it was told, yet not before its contact was opened: the
    clock that dated both runs ahead."""
    return replace(fact, at=max(fact.happened_at, min(fact.at, contact.opened_at)))


def effect(state: Sla, contact: Contact, fact: Fact) -> tuple[Event, ...]:
    match fact.kind:
        case "response":   return promise.answered(state, contact, fact)
        case "connected":  return promise.connected(state, contact, fact)
        case "message":    return promise.resumed(state, contact, fact)
        case "parked":     return promise.paused(state, contact, fact)
        case "resumed":    return promise.resumed(state, contact, fact)
        case "wrapped_up": return ()  # Remembered: when the contact closes, the work ended here.
        case "withdrawn":  return promise.withdrawn(state, contact)


def on_forgetting_due(state: Sla, timer: ForgettingFellDue) -> tuple[Event, ...]:
    contact = state.contact(timer.key, timer.contact_id)
    if contact is None or contact.forget_at != timer.at:
        return ()
    return (ContactForgotten(key=contact.key, at=state.now, contact_id=contact.contact_id),)
