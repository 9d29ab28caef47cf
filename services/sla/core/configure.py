"""Commands on targets and calendars: each has exactly one outcome, and nothing changes twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs.common.events import SECOND, Event
from libs.common.events.commands import (
    Command,
    CommandDecided,
    DeleteCalendar,
    DeleteTarget,
    PutCalendar,
    PutTarget,
)
from libs.common.events.escalations import CalendarCompiled, ClockCorrected, TargetUpdated
from services.sla.core.clocks import Interval, with_past
from services.sla.core.ladder import last_offset
from services.sla.core.limits import (
    CALENDARS_PER_WORKSPACE_MAX,
    IDS_PER_WORKSPACE_MAX,
    INTERVALS_PER_CALENDAR_MAX,
    PAST_KEPT_SECONDS,
    SUPPORTED_METRICS,
    TARGETS_PER_WORKSPACE_MAX,
)
from services.sla.core.promise import about, reaches, recompiled_dues
from services.sla.core.state import ALWAYS, Calendar, Clock, Contact, Sla, Target

# -- targets -----------------------------------------------------------------------------------------------------


def put_target(state: Sla, command: PutTarget) -> tuple[Event, ...]:
    refusal = refused_target(state, command)
    if refusal is not None:
        return (refusal,)
    known = state.targets.get(command.key, {}).get(command.target_id)
    updated = target_updated(state, command, (known.version if known is not None else 0) + 1)
    if known is not None and same_target(known, updated):
        return (outcome(state, command, 200, target_state(known.target_id, known.version)),)
    answer = target_state(updated.target_id, updated.target_version)
    return updated, outcome(state, command, 200 if known is not None and not known.deleted else 201, answer)


def refused_target(state: Sla, command: PutTarget) -> CommandDecided | None:
    if command.metric not in SUPPORTED_METRICS:
        return outcome(state, command, 422, {}, "not_supported")
    calendar = state.calendar(command.workspace, command.calendar)
    if command.calendar != ALWAYS and (calendar is None or calendar.deleted):
        return outcome(state, command, 422, {"calendar": command.calendar}, "unknown_calendar")
    table = state.table(command.workspace, command.calendar)
    if not reaches(table, state.now, last_offset(command.seconds, command.escalate)):
        return outcome(state, command, 422, {"calendar": command.calendar}, "calendar_too_short")
    others = sum(target.target_id != command.target_id for target in state.targets_of(command.workspace))
    if others >= TARGETS_PER_WORKSPACE_MAX or no_new_id(state.targets.get(command.key, {}), command.target_id):
        bounds = {"targets_max": TARGETS_PER_WORKSPACE_MAX, "ids_max": IDS_PER_WORKSPACE_MAX}
        return outcome(state, command, 422, bounds, "too_many_targets")
    return None


def no_new_id(known: Mapping[str, Any], new: str) -> bool:
    """What was deleted keeps its version and sequence, so ids have a bound of their own; one that is known may
    always come back."""
    return len(known) >= IDS_PER_WORKSPACE_MAX and new not in known


def target_updated(state: Sla, command: PutTarget, version: int) -> TargetUpdated:
    return TargetUpdated(
        key=command.key,
        at=state.now,
        target_id=command.target_id,
        target_version=version,
        match=command.match,
        metric=command.metric,
        seconds=command.seconds,
        goal=command.goal,
        calendar=command.calendar,
        warn_at=command.warn_at,
        escalate=command.escalate,
    )


def same_target(known: Target, updated: TargetUpdated) -> bool:
    fields = ("match", "metric", "seconds", "goal", "calendar", "warn_at", "escalate", "deleted")
    return all(getattr(known, field) == getattr(updated, field) for field in fields)


def delete_target(state: Sla, command: DeleteTarget) -> tuple[Event, ...]:
    known = state.targets.get(command.key, {}).get(command.target_id)
    if known is None or known.deleted:
        return (outcome(state, command, 404, {}, "not_found"),)
    deleted = TargetUpdated(
        key=command.key,
        at=state.now,
        target_id=known.target_id,
        target_version=known.version + 1,
        deleted=True,
        metric=known.metric,
    )
    return deleted, outcome(state, command, 200, target_state(known.target_id, deleted.target_version))


def target_state(target_id: str, version: int) -> dict[str, Any]:
    return {"target_id": target_id, "version": version}


# -- calendars ---------------------------------------------------------------------------------------------------


def put_calendar(state: Sla, command: PutCalendar) -> tuple[Event, ...]:
    calendars = state.calendars.get(command.key, {})
    known = calendars.get(command.calendar_id)
    others = sum(not one.deleted and one.calendar_id != command.calendar_id for one in calendars.values())
    if command.calendar_id == ALWAYS:
        return (outcome(state, command, 422, {}, "built_in"),)
    if others >= CALENDARS_PER_WORKSPACE_MAX or no_new_id(calendars, command.calendar_id):
        bounds = {"calendars_max": CALENDARS_PER_WORKSPACE_MAX, "ids_max": IDS_PER_WORKSPACE_MAX}
        return (outcome(state, command, 422, bounds, "too_many_calendars"),)
    version = known.version if known is not None and not known.deleted else 0
    if command.replaces not in {None, version}:  # Somebody put or deleted it while it was compiled.
        return (outcome(state, command, 200, {"calendar_id": command.calendar_id, "version": version}),)
    return compiled(state, command, known)


def compiled(state: Sla, command: PutCalendar, known: Calendar | None) -> tuple[Event, ...]:
    event = calendar_compiled(state, command, known)
    answer = {"calendar_id": command.calendar_id, "version": event.calendar_version}
    if known is None:
        return event, outcome(state, command, 201, answer)
    if not known.deleted and known.rules == rules(command) and known.open == event.open:
        return (outcome(state, command, 200, answer | {"version": known.version}),)
    corrected = corrections(state, event, known) if event.hours_version == known.hours_version else ()
    return event, *corrected, outcome(state, command, 201 if known.deleted else 200, answer)


def calendar_compiled(state: Sla, command: PutCalendar, known: Calendar | None) -> CalendarCompiled:
    same_rules = known is not None and known.rules == rules(command)
    hours_version = known.hours_version if known is not None else 0
    return CalendarCompiled(
        key=command.key,
        at=state.now,
        calendar_id=command.calendar_id,
        calendar_version=(known.version if known is not None else 0) + 1,
        hours=command.hours,
        hours_version=hours_version if same_rules else hours_version + 1,
        timezone=command.timezone,
        country=command.country,
        subdivision=command.subdivision,
        open=table(state, command, known.open if known is not None and same_rules else ()),
    )


def table(state: Sla, command: PutCalendar, known: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """The new intervals, and what the same hours were open before them: a clock that runs may have begun there."""
    if command.since is None:
        return command.open
    start = state.now - PAST_KEPT_SECONDS * SECOND
    return with_past(command.open, known, start, command.since)[-INTERVALS_PER_CALENDAR_MAX:]


def rules(command: PutCalendar) -> tuple[str, str, str | None, str | None]:
    return command.hours, command.timezone, command.country, command.subdivision


def corrections(state: Sla, event: CalendarCompiled, calendar: Calendar) -> tuple[Event, ...]:
    """The clocks that the new table moves, though the hours are the same: holidays or the zone's rules changed."""
    return tuple(
        ClockCorrected(
            **about(state, contact, clock), due_at=dues[clock.breach_index], reason="calendar_recompiled"
        )
        for contact, clock in clocks_on(state, calendar)
        if (dues := recompiled_dues(clock, event.open)) != clock.dues
    )


def clocks_on(state: Sla, calendar: Calendar) -> list[tuple[Contact, Clock]]:
    """The open clocks that run by these hours, in the order of their contacts' keys. A paused one learns it when it
    goes on."""
    workspace = calendar.key.split("/", 1)[0]
    return [
        (contact, clock)
        for _, contact in sorted(state.contacts.items())
        for clock in contact.clocks
        if contact.workspace == workspace and clock.ended is None and clock.paused_at is None
        if (clock.calendar, clock.hours_version) == (calendar.calendar_id, calendar.hours_version)
    ]


def delete_calendar(state: Sla, command: DeleteCalendar) -> tuple[Event, ...]:
    known = state.calendars.get(command.key, {}).get(command.calendar_id)
    if known is None or known.deleted:
        return (outcome(state, command, 404, {}, "not_found"),)
    users = sorted(t.target_id for t in state.targets_of(command.workspace) if t.calendar == known.calendar_id)
    if users:
        return (outcome(state, command, 409, {"calendar_id": known.calendar_id, "targets": users}, "in_use"),)
    deleted = CalendarCompiled(
        key=command.key,
        at=state.now,
        calendar_id=known.calendar_id,
        calendar_version=known.version + 1,
        deleted=True,
        hours=known.hours,
        hours_version=known.hours_version,
        timezone=known.timezone,
        country=known.country,
        subdivision=known.subdivision,
        open=known.open,
    )
    return deleted, outcome(state, command, 200, {"calendar_id": known.calendar_id})


# -- outcomes ----------------------------------------------------------------------------------------------------


def outcome(
    state: Sla, command: Command, status: int, said: dict[str, Any], code: str = "ok"
) -> CommandDecided:
    return CommandDecided(
        key=command.key, at=state.now, command_id=command.command_id, status=status, code=code, state=said
    )
