"""How decided events change the state: every branch applies what the event says and chooses nothing."""

from __future__ import annotations

from libs.common.events import SECOND, Event
from libs.common.events.escalations import (
    CalendarCompiled,
    ClockCancelled,
    ClockCorrected,
    ClockEvent,
    ClockMet,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    EscalationRaised,
    TargetBreached,
    TargetUpdated,
    TargetWarned,
)
from services.sla.core.facts import (
    ContactEnded,
    ContactEntered,
    ContactForgotten,
    ContactInternal,
    Fact,
    FactApplied,
    FactNoted,
    ReachNoted,
)
from services.sla.core.limits import (
    ENDED_CONTACT_KEPT_SECONDS,
    FACTS_PER_CONTACT_MAX,
    INTERVALS_PER_CALENDAR_MAX,
    UNQUEUED_FACTS_KEPT_SECONDS,
)
from services.sla.core.promise import elapsed, first_dues, recompiled_dues, resumed_dues
from services.sla.core.state import CALENDAR, TARGET, Calendar, Clock, Contact, Earlier, Sla, Target


def evolve(state: Sla, event: Event) -> None:
    match event:
        case ContactInternal():  on_contact(state, event)
        case ClockEvent():       on_clock(state, event)
        case TargetUpdated():    on_target_updated(state, event)
        case CalendarCompiled(): on_calendar_compiled(state, event)
        case _:                  raise TypeError(f"the SLA service never decides {event.type}")


# -- contacts ----------------------------------------------------------------------------------------------------


def on_contact(state: Sla, event: ContactInternal) -> None:
    contact = state.contact(event.key, event.contact_id) or new_contact(state, event)
    match event:
        case FactNoted():        note(state, contact, event.fact)
        case FactApplied():      apply(contact, event.fact)
        case ReachNoted():       expose(contact, event.at, event.reach)
        case ContactEntered():   enter(contact, event)
        case ContactEnded():     end(contact, event)
        case ContactForgotten(): state.forget(contact)
        case _:                  raise TypeError(f"{event.type} changes no contact")
    state.touch(contact.entity_key)
    if not isinstance(event, ContactForgotten):
        state.index(contact)


def new_contact(state: Sla, event: ContactInternal) -> Contact:
    forget_at = state.now + UNQUEUED_FACTS_KEPT_SECONDS * SECOND
    contact = Contact(key=event.key, contact_id=event.contact_id, forget_at=forget_at)
    state.contacts[contact.entity_key] = contact
    return contact


def note(state: Sla, contact: Contact, fact: Fact) -> None:
    contact.facts.append(fact)
    if contact.ended_at is not None and fact.happened_at > contact.ended_at:  # A repeat's, which isn't queued yet.
        contact.forget_at = state.now + UNQUEUED_FACTS_KEPT_SECONDS * SECOND
    if len(contact.facts) > FACTS_PER_CONTACT_MAX:
        dropped = FACTS_PER_CONTACT_MAX // 2
        del contact.facts[dropped]
        contact.applied -= dropped < contact.applied


def apply(contact: Contact, fact: Fact) -> None:
    contact.applied += 1
    match fact.kind:
        case "response" if contact.medium != "voice": answer(contact, fact.at)
        case "connected":  answer(contact, fact.at)
        case "wrapped_up": contact.wrapped_up_at = fact.at
        case "resumed":    contact.wrapped_up_at = None
        case "message":    contact.last_word_at = max(contact.last_word_at, fact.at)
        case _:            pass


def answer(contact: Contact, at: int) -> None:
    if contact.exposed:
        expose(contact, at, contact.reach)
        contact.exposed = False


def expose(contact: Contact, at: int, reach: int) -> None:
    """Count the exposure up to an instant; from there on `reach` people can see it."""
    contact.exposure += contact.reach * max(0, at - contact.reach_since)
    contact.reach_since = max(contact.reach_since, at)
    contact.reach = reach


def enter(contact: Contact, event: ContactEntered) -> None:
    contact.entered = True
    contact.forget_at = None
    contact.queue, contact.channel = event.queue, event.channel
    contact.medium, contact.visibility = event.medium, event.visibility
    contact.opened_at = contact.reach_since = event.opened_at
    contact.reach = event.reach
    contact.facts[:0] = event.inherited
    del contact.facts[FACTS_PER_CONTACT_MAX:]


def end(contact: Contact, event: ContactEnded) -> None:
    contact.ended_at = event.at
    contact.forget_at = event.at + ENDED_CONTACT_KEPT_SECONDS * SECOND
    answer(contact, event.at)


# -- clocks ------------------------------------------------------------------------------------------------------


def on_clock(state: Sla, event: ClockEvent) -> None:
    contact = state.contact(event.key, event.contact_id)
    assert contact is not None, "a clock belongs to a contact"
    contact.sequence += 1
    if isinstance(event, ClockStarted):
        contact.clocks.append(new_clock(state, event))
    else:
        clock = contact.clock(event.metric)
        assert clock is not None, "only a started clock changes"
        change(state, contact, clock, event)
    state.touch(contact.entity_key)
    state.index(contact)


def new_clock(state: Sla, event: ClockStarted) -> Clock:
    return Clock(
        target=event.target,
        target_version=event.target_version,
        metric=event.metric,
        seconds=event.seconds,
        calendar=event.calendar,
        hours_version=state.hours_version(event.workspace, event.calendar),
        warn_at=event.warn_at,
        escalate=event.escalate,
        started_at=event.started_at,
        entered_at=event.at,
        running_since=event.started_at,
        dues=first_dues(state, event),
    )


def change(state: Sla, contact: Contact, clock: Clock, event: ClockEvent) -> None:
    match event:
        case TargetWarned() | EscalationRaised(): clock.raised += 1
        case TargetBreached():
            clock.raised += 1
            clock.breached_at = event.at
        case ClockPaused():
            clock.banked, clock.paused_at = elapsed(state, contact, clock, event.paused_at), event.paused_at
        case ClockResumed(): resume(state, contact, clock, event.resumed_at)
        case ClockMet():
            clock.met_at, clock.late, clock.ended = event.met_at, event.late, "met"
        case ClockCancelled(): clock.ended = event.reason
        case ClockCorrected(): correct(state, clock, event)
        case _: raise TypeError(f"{event.type} changes no clock")


def resume(state: Sla, contact: Contact, clock: Clock, at: int) -> None:
    assert clock.paused_at is not None, "only a paused clock goes on"
    clock.dues = resumed_dues(state, contact, clock, at)
    clock.spent = elapsed(state, contact, clock, clock.paused_at)
    clock.running_since, clock.paused_at, clock.banked = at, None, None
    clock.hours_version = state.hours_version(contact.workspace, clock.calendar)


def correct(state: Sla, clock: Clock, event: ClockCorrected) -> None:
    calendar = state.calendar(event.workspace, clock.calendar)
    if event.reason == "calendar_recompiled" and calendar is not None:
        clock.dues = recompiled_dues(clock, calendar.open)


# -- configuration -----------------------------------------------------------------------------------------------


def on_target_updated(state: Sla, event: TargetUpdated) -> None:
    targets = state.targets.setdefault(event.key, {})
    known = targets.get(event.target_id)
    targets[event.target_id] = Target(
        key=event.key,
        target_id=event.target_id,
        version=event.target_version,
        sequence=(known.sequence if known is not None else 0) + 1,
        deleted=event.deleted,
        match=event.match,
        metric=event.metric,
        seconds=event.seconds,
        goal=event.goal,
        calendar=event.calendar,
        warn_at=event.warn_at,
        escalate=event.escalate,
    )
    state.touch(f"{TARGET}|{event.key}|{event.target_id}")


def on_calendar_compiled(state: Sla, event: CalendarCompiled) -> None:
    calendars = state.calendars.setdefault(event.key, {})
    known = calendars.get(event.calendar_id)
    calendars[event.calendar_id] = Calendar(
        key=event.key,
        calendar_id=event.calendar_id,
        version=event.calendar_version,
        hours_version=event.hours_version,
        sequence=(known.sequence if known is not None else 0) + 1,
        deleted=event.deleted,
        hours=event.hours,
        timezone=event.timezone,
        country=event.country,
        subdivision=event.subdivision,
        open=event.open,
        earlier=((known.hours_version, known.open), *known.earlier) if known is not None else (),
    )
    state.touch(f"{CALENDAR}|{event.key}|{event.calendar_id}")
    drop_unused_tables(state, event)


def drop_unused_tables(state: Sla, event: CalendarCompiled) -> None:
    """The workspace's calendars keep a table that isn't in force only while a clock runs by it or will go on by it."""
    in_use = state.hours_in_use(event.workspace)
    for calendar in state.calendars[event.key].values():
        before = calendar.open, calendar.earlier
        if calendar.deleted and not any(name == calendar.calendar_id for name, _ in in_use):
            calendar.open = ()
        calendar.earlier = earlier_in_use(calendar, in_use)
        if (calendar.open, calendar.earlier) != before:
            state.touch(f"{CALENDAR}|{event.key}|{calendar.calendar_id}")


def earlier_in_use(calendar: Calendar, in_use: set[tuple[str, int]]) -> tuple[Earlier, ...]:
    """As far as there is room: a clock by still older hours is measured by the present ones."""
    kept: list[Earlier] = []
    room = INTERVALS_PER_CALENDAR_MAX
    for version, table in calendar.earlier:
        if version != calendar.hours_version and (calendar.calendar_id, version) in in_use and len(table) <= room:
            kept.append((version, table))
            room -= len(table)
    return tuple(kept)
