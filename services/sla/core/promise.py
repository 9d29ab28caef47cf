"""One promise from its start to its end: which events the life of a contact brings to its clocks."""

from __future__ import annotations

from typing import TypedDict

from libs.common.events import SECOND, Event
from libs.common.events.escalations import (
    ClockCancelled,
    ClockCorrected,
    ClockMet,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    EscalationRaised,
    TargetBreached,
    TargetWarned,
)
from libs.common.events.routing import ContactQueued
from libs.common.events.values import Metric
from libs.common.promises import tightest
from services.sla.core.clocks import NEVER, after_open_time, open_time
from services.sla.core.facts import ClockFellDue, Fact
from services.sla.core.ladder import Moment, moments
from services.sla.core.limits import LATE_AFTER_SECONDS, SUPPORTED_METRICS
from services.sla.core.state import Clock, Contact, Sla, Target

PASSED_ON = "passed_on"
LATE, UNANSWERED, ABANDONED, WITHDRAWN, LEFT = "late", "closed_unanswered", "abandoned", "withdrawn", "customer_left"


# -- the start ---------------------------------------------------------------------------------------------------


def started(state: Sla, queued: ContactQueued) -> tuple[Event, ...]:
    """A clock for the tightest target of each metric."""
    targets = [*state.targets_of(queued.workspace)]
    binding = (tightest(targets, queued, metric) for metric in SUPPORTED_METRICS)
    return tuple(clock_started(state, queued, target) for target in binding if target is not None)


def clock_started(state: Sla, queued: ContactQueued, target: Target) -> ClockStarted:
    table = state.table(queued.workspace, target.calendar)
    return ClockStarted(
        key=queued.key,
        at=state.now,
        contact_id=queued.contact_id,
        target=target.target_id,
        metric=target.metric,
        target_version=target.version,
        queue=queued.queue,
        channel=queued.channel,
        medium=queued.medium,
        visibility=queued.visibility,
        started_at=queued.opened_at,
        due_at=after_open_time(table, queued.opened_at, target.seconds * SECOND),
        seconds=target.seconds,
        calendar=target.calendar,
        warn_at=target.warn_at,
        escalate=target.escalate,
    )


# -- timers ------------------------------------------------------------------------------------------------------


def fell_due(state: Sla, timer: ClockFellDue) -> tuple[Event, ...]:
    """The clock's next moment: exactly one event, whose application makes the one after it next."""
    contact = state.live(timer.key, timer.contact_id)
    clock = contact.clock(timer.metric) if contact is not None else None
    if contact is None or clock is None or clock.next_at != timer.at:
        return ()
    assert state.now >= timer.at, "a timer never fires early"
    moment = clock.moments[clock.raised]
    match moment.kind:
        case "warning": return (warning(state, contact, clock, moment),)
        case "breach":  return (breach(state, contact, clock, LATE),)
        case "step":    return (escalation(state, contact, clock, moment),)


def warning(state: Sla, contact: Contact, clock: Clock, moment: Moment) -> TargetWarned:
    return TargetWarned(
        **about(state, contact, clock),
        queue=contact.queue,
        channel=contact.channel,
        share=moment.share / 1_000,
        due_at=clock.due_at,
        late=is_late(state, clock),
    )


def breach(state: Sla, contact: Contact, clock: Clock, reason: str) -> TargetBreached:
    return TargetBreached(
        **about(state, contact, clock),
        queue=contact.queue,
        channel=contact.channel,
        medium=contact.medium,
        visibility=contact.visibility,
        due_at=clock.due_at,
        seconds=clock.seconds,
        reason=reason,
    )


def escalation(state: Sla, contact: Contact, clock: Clock, moment: Moment) -> EscalationRaised:
    step = clock.escalate[moment.index]
    return EscalationRaised(
        **about(state, contact, clock),
        queue=contact.queue,
        channel=contact.channel,
        step=moment.index,
        share=moment.share / 1_000,
        do=step.do,
        to=step.to,
        late=is_late(state, clock),
    )


def is_late(state: Sla, clock: Clock) -> bool:
    """Past already when the clock started here, or long after it fell due."""
    due = clock.dues[clock.raised]
    return due < clock.entered_at or state.now - due > LATE_AFTER_SECONDS * SECOND


# -- fulfilment --------------------------------------------------------------------------------------------------


def answered(state: Sla, contact: Contact, fact: Fact) -> tuple[Event, ...]:
    """A response that isn't automatic: it answers (but not a call), and the customer owes the next word."""
    first = contact.clock("first_response") if contact.medium != "voice" else None
    return *responded(state, contact, first, fact.at), *paused(state, contact, fact)


def connected(state: Sla, contact: Contact, fact: Fact) -> tuple[Event, ...]:
    return responded(state, contact, contact.clock("first_response"), fact.at)


def responded(state: Sla, contact: Contact, clock: Clock | None, at: int) -> tuple[Event, ...]:
    if clock is None:
        return ()
    if clock.ended is None:
        return fulfilled(state, contact, clock, at)
    missed = clock.ended in {UNANSWERED, ABANDONED} or clock.late
    given_before_the_end = contact.ended_at is None or at <= contact.ended_at
    if not missed or not given_before_the_end or at > clock.due_at:
        return ()
    return correction(state, contact, clock), met(state, contact, clock, at)


def fulfilled(state: Sla, contact: Contact, clock: Clock, at: int) -> tuple[Event, ...]:
    """The end of an open clock, at the time when it was fulfilled."""
    if too_late(clock, at):
        late = met(state, contact, clock, at)
        return (late,) if clock.breached_at is not None else (breach(state, contact, clock, LATE), late)
    in_time = met(state, contact, clock, at)
    return (in_time,) if clock.breached_at is None else (correction(state, contact, clock), in_time)


def too_late(clock: Clock, at: int) -> bool:
    paused_at = clock.paused_at
    return (at if paused_at is None else min(at, paused_at)) > clock.due_at


def met(state: Sla, contact: Contact, clock: Clock, at: int) -> ClockMet:
    return ClockMet(
        **about(state, contact, clock),
        queue=contact.queue,
        channel=contact.channel,
        visibility=contact.visibility,
        met_at=at,
        elapsed_seconds=elapsed(state, contact, clock, at) / SECOND,
        seconds=clock.seconds,
        late=too_late(clock, at),
    )


def elapsed(state: Sla, contact: Contact, clock: Clock, at: int) -> int:
    """Microseconds of open time that the clock had run at an instant, by its own hours, pauses left out."""
    if clock.paused_at is not None and at >= clock.paused_at and clock.banked is not None:
        return clock.banked
    until = at if clock.paused_at is None else min(at, clock.paused_at)
    table = state.table_of(contact.workspace, clock)
    return clock.spent + open_time(table, clock.running_since, until)


def correction(state: Sla, contact: Contact, clock: Clock) -> ClockCorrected:
    return ClockCorrected(
        **about(state, contact, clock), due_at=clock.due_at, reason="response_dated_earlier"
    )


# -- pauses ------------------------------------------------------------------------------------------------------


def paused(state: Sla, contact: Contact, fact: Fact) -> tuple[Event, ...]:
    """From here the customer owes the answer. A response older than the customer's last word changes nothing."""
    clock = contact.clock("resolution")
    if clock is None or clock.ended is not None or clock.paused_at is not None:
        return ()
    if fact.at < max(clock.running_since, contact.last_word_at):
        return ()
    spent = elapsed(state, contact, clock, fact.at)
    return (ClockPaused(**about(state, contact, clock), paused_at=fact.at, elapsed_seconds=spent / SECOND),)


def resumed(state: Sla, contact: Contact, fact: Fact) -> tuple[Event, ...]:
    """The turn is ours again. A message older than the response changes nothing."""
    clock = contact.clock("resolution")
    if clock is None or clock.ended is not None or clock.paused_at is None or fact.at < clock.paused_at:
        return ()
    due_at = resumed_dues(state, contact, clock, fact.at)[clock.breach_index]
    return (ClockResumed(**about(state, contact, clock), resumed_at=fact.at, due_at=due_at),)


def resumed_dues(state: Sla, contact: Contact, clock: Clock, at: int) -> tuple[int, ...]:
    """When each moment falls due for a clock that goes on at `at`; what had come before the pause stays."""
    assert clock.paused_at is not None, "only a paused clock goes on"
    table = state.table(contact.workspace, clock.calendar)
    spent = elapsed(state, contact, clock, clock.paused_at)
    return tuple(
        due if due <= clock.paused_at else after_open_time(table, at, moment.offset(clock.seconds) - spent)
        for due, moment in zip(clock.dues, clock.moments, strict=True)
    )


# -- the end -----------------------------------------------------------------------------------------------------


def withdrawn(state: Sla, contact: Contact) -> tuple[Event, ...]:
    return uncounted(state, contact, WITHDRAWN)


def passed_on(state: Sla, contact: Contact) -> tuple[Event, ...]:
    return uncounted(state, contact, PASSED_ON)


def uncounted(state: Sla, contact: Contact, reason: str) -> tuple[Event, ...]:
    """Every clock that is still open ends, and counts for nothing."""
    return tuple(cancelled(state, contact, clock, reason) for clock in contact.clocks if clock.ended is None)


def ended(state: Sla, contact: Contact, at: int, reason: str) -> tuple[Event, ...]:
    """What becomes of the clocks that are still open when the contact ends: each of them ends too."""
    if reason == WITHDRAWN:
        return withdrawn(state, contact)
    open_clocks = (clock for clock in contact.clocks if clock.ended is None)
    return tuple(event for clock in open_clocks for event in clock_ended(state, contact, clock, at, reason))


def clock_ended(state: Sla, contact: Contact, clock: Clock, at: int, reason: str) -> tuple[Event, ...]:
    if clock.metric == "resolution" and reason != ABANDONED:
        return fulfilled(state, contact, clock, contact.wrapped_up_at or at)
    if clock.metric == "resolution" and not contact.exposed:
        return (cancelled(state, contact, clock, LEFT),)  # We had answered; the customer needs no more.
    why = ABANDONED if reason == ABANDONED else UNANSWERED
    end = cancelled(state, contact, clock, why)
    return (end,) if clock.breached_at is not None else (breach(state, contact, clock, why), end)


def cancelled(state: Sla, contact: Contact, clock: Clock, reason: str) -> ClockCancelled:
    return ClockCancelled(**about(state, contact, clock), reason=reason)


# -- calendars ---------------------------------------------------------------------------------------------------


def recompiled_dues(clock: Clock, table: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    """The moments still to come under a new table of the same hours; what was raised stays where it was."""
    to_come = [
        after_open_time(table, clock.running_since, moment.offset(clock.seconds) - clock.spent)
        for moment in clock.moments[clock.raised :]
    ]
    return (*clock.dues[: clock.raised], *to_come)


def first_dues(state: Sla, event: ClockStarted) -> tuple[int, ...]:
    table = state.table(event.workspace, event.calendar)
    return tuple(
        after_open_time(table, event.started_at, moment.offset(event.seconds))
        for moment in moments(event.warn_at, event.escalate)
    )


def reaches(table: tuple[tuple[int, int], ...] | None, start: int, span: int) -> bool:
    """Whether a calendar opens for that long within what it is compiled for."""
    return after_open_time(table, start, span) < NEVER


class About(TypedDict):
    """What every event of a clock says."""

    key: str
    at: int
    contact_id: str
    target: str
    metric: Metric


def about(state: Sla, contact: Contact, clock: Clock) -> About:
    return About(
        key=contact.key,
        at=state.now,
        contact_id=contact.contact_id,
        target=clock.target,
        metric=clock.metric,
    )
