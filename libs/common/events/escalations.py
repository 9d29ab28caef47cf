"""The SLA service's clocks and escalations on `omniroute.escalations.v1`."""

from __future__ import annotations

from typing import ClassVar

from libs.common.events.base import ESCALATIONS, Event, Instant, Topic
from libs.common.events.values import EscalationStep, Match, Medium, Metric, StepAction, Visibility


class ClockEvent(Event, frozen=True, kw_only=True):
    topic: ClassVar[Topic | None] = ESCALATIONS
    contact_id: str
    target: str
    metric: Metric


class ClockStarted(ClockEvent, frozen=True, kw_only=True):
    """A promise to this contact runs from `started_at` and is due at `due_at`; the target is pinned."""

    type: ClassVar[str] = "clock.started"
    target_version: int
    queue: str
    channel: str
    medium: Medium
    visibility: Visibility
    started_at: Instant
    due_at: Instant
    seconds: int
    calendar: str
    warn_at: tuple[float, ...] = ()
    escalate: tuple[EscalationStep, ...] = ()


class ClockPaused(ClockEvent, frozen=True, kw_only=True):
    """The customer owes the answer."""

    type: ClassVar[str] = "clock.paused"
    paused_at: Instant
    elapsed_seconds: float
    reason: str = "awaiting_customer"


class ClockResumed(ClockEvent, frozen=True, kw_only=True):
    """The company owes the answer again."""

    type: ClassVar[str] = "clock.resumed"
    resumed_at: Instant
    due_at: Instant


class ClockCorrected(ClockEvent, frozen=True, kw_only=True):
    """What was said of this clock before no longer holds.

    Reasons: `response_dated_earlier` (a response came late but was given in time: `clock.met` follows; what was
    raised stays raised) and `calendar_recompiled` (the same hours, new holidays or time zone rules: `due_at` moved).
    """

    type: ClassVar[str] = "clock.corrected"
    due_at: Instant
    reason: str


class ClockMet(ClockEvent, frozen=True, kw_only=True):
    """The promise was kept, or at last fulfilled after its breach (`late`)."""

    type: ClassVar[str] = "clock.met"
    queue: str = ""
    channel: str
    visibility: Visibility
    met_at: Instant
    elapsed_seconds: float
    seconds: int
    late: bool = False


class ClockCancelled(ClockEvent, frozen=True, kw_only=True):
    """The clock ends unfulfilled. Reasons: `withdrawn` (nobody need answer any more, counts for nothing),
    `passed_on` (the contact goes on as a linked one, whose clocks have its age: counts for nothing here),
    `closed_unanswered` and `abandoned` (a miss: `target.breached` came before), `customer_left` (a resolution that
    nobody waits for)."""

    type: ClassVar[str] = "clock.cancelled"
    reason: str


class TargetWarned(ClockEvent, frozen=True, kw_only=True):
    """A share of the time has passed."""

    type: ClassVar[str] = "target.warned"
    queue: str = ""
    channel: str = ""
    share: float
    """Of the target's seconds, the warning's threshold: 0.8."""
    due_at: Instant
    late: bool = False


class TargetBreached(ClockEvent, frozen=True, kw_only=True):
    """All of the time has passed."""

    type: ClassVar[str] = "target.breached"
    queue: str
    channel: str
    medium: Medium
    visibility: Visibility
    due_at: Instant
    seconds: int
    reason: str = "late"
    """`late`, or how the contact ended before it was due: `closed_unanswered`, `abandoned`."""


class EscalationRaised(ClockEvent, frozen=True, kw_only=True):
    """A step of the target's ladder. `step` counts from 0 in the order of `share`."""

    type: ClassVar[str] = "escalation.raised"
    queue: str
    channel: str
    step: int
    share: float
    do: StepAction
    to: str | None = None
    late: bool = False


class TargetUpdated(Event, frozen=True, kw_only=True):
    """A target as it is from now on."""

    type: ClassVar[str] = "target.updated"
    topic: ClassVar[Topic | None] = ESCALATIONS
    subject_field: ClassVar[str] = "target_id"
    target_id: str
    target_version: int
    deleted: bool = False
    match: Match = Match()
    metric: Metric = "first_response"
    seconds: int = 0
    goal: float = 0.9
    calendar: str = "always"
    warn_at: tuple[float, ...] = ()
    escalate: tuple[EscalationStep, ...] = ()


class CalendarCompiled(Event, frozen=True, kw_only=True):
    """A calendar's open hours as they are from now on."""

    type: ClassVar[str] = "calendar.compiled"
    topic: ClassVar[Topic | None] = ESCALATIONS
    subject_field: ClassVar[str] = "calendar_id"
    calendar_id: str
    calendar_version: int
    deleted: bool = False
    hours: str = "24/7"
    hours_version: int = 1
    """Grows when the hours themselves change, not when the same hours are compiled again."""
    timezone: str = "UTC"
    country: str | None = None
    subdivision: str | None = None
    open: tuple[tuple[int, int], ...] = ()
    """(from, to) in microseconds since 1970 UTC, ascending, disjoint."""


ESCALATION_EVENTS: tuple[type[Event], ...] = (
    ClockStarted,
    ClockPaused,
    ClockResumed,
    ClockCorrected,
    ClockMet,
    ClockCancelled,
    TargetWarned,
    TargetBreached,
    EscalationRaised,
    TargetUpdated,
    CalendarCompiled,
)
