"""What callers send and read: strict bodies, and what each becomes on the log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from libs.common.calendars import HOURS_CHARACTERS_MAX, Hours
from libs.common.errors import FieldError, Invalid, NotSupported
from libs.common.events import values, workspace_key
from libs.common.events.commands import PutTarget
from libs.common.http import Id, StrictModel, Tag
from libs.common.matching import MatchBody, OneOrMore
from services.sla.core import limits
from services.sla.core.ladder import thousandths

SHARE_STEP = "has at most three decimals"

Group = Literal["channel", "visibility", "medium", "queue", "target"]
Metric = values.Metric
Share = Annotated[float, Field(gt=0, le=limits.STEP_SHARE_MAX)]
WarnShare = Annotated[float, Field(gt=0, lt=1)]


class TargetMatch(MatchBody):
    """Which contacts the target binds."""

    queue: OneOrMore = None


class StepBody(StrictModel):
    """At `at` times the target's seconds, `do` something once; `to` labels who is told."""

    at: Share
    do: values.StepAction
    to: Tag | None = None


class TargetBody(StrictModel):
    match: TargetMatch = TargetMatch()
    metric: Metric
    seconds: Annotated[int, Field(ge=1, le=limits.TARGET_SECONDS_MAX)]
    goal: Annotated[float, Field(gt=0, le=1)] = 0.9
    calendar: Id = "always"
    warn_at: Annotated[list[WarnShare], Field(max_length=limits.WARNINGS_PER_TARGET_MAX)] = []
    escalate: Annotated[list[StepBody], Field(max_length=limits.STEPS_PER_TARGET_MAX)] = []

    def command(self, workspace: str, target_id: str, *, command_id: str, actor: str, at: int) -> PutTarget:
        """Raises Invalid or NotSupported, naming the field."""
        self._check()
        return PutTarget(
            key=workspace_key(workspace),
            at=at,
            command_id=command_id,
            actor=actor,
            target_id=target_id,
            match=self.match.value(),
            metric=self.metric,
            seconds=self.seconds,
            goal=self.goal,
            calendar=self.calendar,
            warn_at=tuple(self.warn_at),
            escalate=tuple(values.EscalationStep(at=step.at, do=step.do, to=step.to) for step in self.escalate),
        )

    def _check(self) -> None:
        if self.metric not in limits.SUPPORTED_METRICS:
            raise _not_supported("/metric", f"only {', '.join(limits.SUPPORTED_METRICS)}")
        _check_shares("/warn_at", list(self.warn_at), repeats=False)
        _check_shares("/escalate", [step.at for step in self.escalate], repeats=True)


def _not_supported(pointer: str, detail: str) -> NotSupported:
    return NotSupported("a field's behaviour isn't built", errors=[FieldError(pointer, detail)])


def _check_shares(pointer: str, shares: list[float], *, repeats: bool) -> None:
    """Ascending, so that the order written is the order raised; thousandths, so that every moment is exact."""
    if any(thousandths(share) / 1_000 != share for share in shares):
        raise Invalid(errors=[FieldError(pointer, SHARE_STEP)])
    if shares != sorted(shares) or (not repeats and len(set(shares)) < len(shares)):
        raise Invalid(errors=[FieldError(pointer, "must be in ascending order")])


class CalendarBody(StrictModel):
    """Opening hours in the syntax of OpenStreetMap: `Mo-Fr 09:00-18:00; PH off`."""

    hours: Annotated[str, Field(min_length=1, max_length=HOURS_CHARACTERS_MAX)]
    timezone: Annotated[str, Field(max_length=64)] = "UTC"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    subdivision: Annotated[str, Field(pattern=r"^[A-Za-z0-9 -]{1,40}$")] | None = None

    def value(self) -> Hours:
        return Hours(self.hours, self.timezone, self.country, self.subdivision)


# -- answers -----------------------------------------------------------------------------------------------------


class TargetView(StrictModel):
    target_id: str
    version: int
    match: dict[str, Any]
    metric: Metric
    seconds: int
    goal: float
    calendar: str
    warn_at: list[float]
    escalate: list[dict[str, Any]]


class CalendarView(StrictModel):
    calendar_id: str
    version: int
    hours: str
    timezone: str
    country: str | None
    subdivision: str | None
    open_now: bool
    next_change_at: datetime | None
    compiled_until: datetime | None


class StepView(StrictModel):
    at: float
    do: str
    to: str | None = None
    raised_at: datetime | None = None
    late: bool = False


class ClockView(StrictModel):
    target: str
    metric: str
    state: Literal["running", "paused", "met", "breached", "cancelled"]
    started_at: datetime
    due_at: datetime
    remaining_seconds: float | None
    """Of open time; below zero once it is late, None when the clock has ended."""
    warned_at: datetime | None
    breached_at: datetime | None
    met_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    steps: list[StepView]


class AttainmentItem(StrictModel):
    channel: str | None = None
    visibility: str | None = None
    medium: str | None = None
    queue: str | None = None
    target: str | None = None
    met: int
    missed: int
    attainment: float
    """Share met, of those decided in the window."""
    wait_over_target: float | None = None
    """Mean wait ÷ target of those that were fulfilled, in time or late; absent when none was."""


class Attainment(StrictModel):
    by: Group
    metric: Metric
    window_seconds: int
    items: list[AttainmentItem]
    attainment: float | None = None
    """Over all groups; absent when nothing was decided."""
    parity_gap: float
    """The best group's attainment less the worst one's; 0 with fewer than two groups."""


class BreachView(StrictModel):
    contact_id: str
    target: str
    metric: str
    queue: str
    channel: str
    medium: str
    visibility: str
    started_at: datetime
    due_at: datetime
    breached_at: datetime
    reason: str
    met_at: datetime | None
    open: bool
    """Whether it still waits."""
