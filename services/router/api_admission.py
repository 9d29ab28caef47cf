"""What callers say of how contacts come into a queue: the rule, the hours, the length, and where the rest goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
from pydantic import ConfigDict, Field

from libs.common.calendars import HOURS_CHARACTERS_MAX, Hours, compile_hours
from libs.common.errors import FieldError, Invalid
from libs.common.events import values
from libs.common.events.codec import moment
from libs.common.http import Id, StrictModel, ViewModel
from services.router.core import limits
from services.router.core.predicates import flaws
from services.router.core.state import Queue

LeafField = Annotated[str, Field(pattern=r"^[a-z]+(\.[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$")]
RuleValue = Id | int | float | bool
"""Rules go on the log: words like ids, no free text."""
Length = Annotated[int, Field(ge=1, le=limits.LENGTH_MAX)]
WaitOver = Annotated[int, Field(ge=1, le=limits.WAIT_OVER_SECONDS_MAX)]
OverflowSeconds = Annotated[int, Field(ge=1, le=limits.OVERFLOW_SECONDS_MAX)]


class RuleBody(StrictModel):
    """One of `all`, `any`, `not`, or a comparison: `{"field": "reach", "op": "gte", "value": 1000}`.

    Fields: channel, medium, visibility, account, language, topics, sentiment, reach, tier, strikes,
    `attributes.<name>`. At most 8 levels and 64 comparisons.
    """

    model_config = ConfigDict(serialize_by_alias=True, validate_by_alias=True)

    all: list[RuleBody] | None = None
    any: list[RuleBody] | None = None
    not_: RuleBody | None = Field(default=None, alias="not")
    field: LeafField | None = None
    op: values.Op | None = None
    value: RuleValue | Annotated[list[RuleValue], Field(max_length=limits.RULE_VALUES_MAX)] | None = None

    def predicate(self) -> values.Predicate:
        """Raises Invalid, naming the part that is wrong."""
        rule = msgspec.convert(self.model_dump(exclude_none=True), values.Predicate)
        wrong = [FieldError(f"/when{pointer}", detail) for pointer, detail in flaws(rule)]
        if wrong:
            raise Invalid("the rule can't be kept", errors=wrong)
        return rule


class OverflowBody(StrictModel):
    """Where contacts go that have waited for `after_seconds`, that come when `longer_than` others wait already, or that
    are expected to wait longer than `wait_over_seconds`."""

    queue: Id
    after_seconds: OverflowSeconds | None = None
    longer_than: Length | None = None
    wait_over_seconds: WaitOver | None = None

    def value(self) -> values.Overflow:
        return values.Overflow(**self.model_dump())


class AdmissionBody(StrictModel):
    when: RuleBody | None = None
    """Must hold besides `match`."""
    hours: Annotated[str, Field(min_length=1, max_length=HOURS_CHARACTERS_MAX)] | None = None
    """In the syntax of OpenStreetMap: `Mo-Fr 09:00-18:00; PH off`. Null: always open."""
    timezone: Annotated[str, Field(max_length=64)] | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    subdivision: Annotated[str, Field(pattern=r"^[A-Za-z0-9 -]{1,40}$")] | None = None
    closed: values.ClosedPolicy = "wait"
    """What becomes of who comes while it is closed: waits until it opens, goes to the overflow, or is refused."""
    overflow: OverflowBody | None = None
    max_length: Length | None = None
    """Who comes when so many wait goes to the overflow, or is refused: flagged `unroutable` with `queue_full`."""

    def admission(self, queue_id: str, now: int) -> dict[str, Any]:
        """The fields of the command. Raises Invalid or NotSupported, naming the field."""
        wrong = [*self._contradictions(queue_id)]
        if wrong:
            raise Invalid("the queue's fields contradict each other", errors=wrong)
        return {
            "when": None if self.when is None else self.when.predicate(),
            "hours": self._hours(now),
            "closed": self.closed,
            "overflow": None if self.overflow is None else self.overflow.value(),
            "max_length": self.max_length,
        }

    def _contradictions(self, queue_id: str) -> Iterator[FieldError]:
        for field in ("timezone", "country", "subdivision"):
            if self.hours is None and getattr(self, field) is not None:
                yield FieldError(f"/{field}", "says where the hours are, and there are none")
        if self.closed != "wait" and self.hours is None:
            yield FieldError("/closed", "a queue without hours is never closed")
        if self.closed == "overflow" and self.overflow is None:
            yield FieldError("/closed", "there is no overflow to go to")
        if self.overflow is None:
            return
        if self.overflow.queue == queue_id:
            yield FieldError("/overflow/queue", "must be another queue")
        way = self.overflow
        occasions = (way.after_seconds, way.longer_than, way.wait_over_seconds, self.max_length)
        if self.closed != "overflow" and all(one is None for one in occasions):
            yield FieldError("/overflow", "nothing leads there: no time, no length, no wait, and not when it is closed")

    def _hours(self, now: int) -> values.BusinessHours | None:
        if self.hours is None:
            return None
        place = Hours(self.hours, self.timezone or "UTC", self.country, self.subdivision)
        table = table_ahead(place, now)
        if not table:
            raise Invalid("the queue would never open", errors=[FieldError("/hours", "never open")])
        return values.BusinessHours(**place._asdict(), open=table)


def table_ahead(hours: Hours, now: int) -> tuple[tuple[int, int], ...]:
    """When it is open from now on. Raises Invalid or NotSupported."""
    return tuple(interval for interval in compile_hours(hours, now) if interval[1] > now)


class AdmissionView(ViewModel):
    when: dict[str, Any] | None
    hours: str | None
    timezone: str | None
    country: str | None
    subdivision: str | None
    closed: values.ClosedPolicy
    overflow: OverflowBody | None
    max_length: int | None
    hours_known_until: datetime | None
    """How far the hours are compiled; they are compiled again long before."""


def admission_view(queue: Queue) -> dict[str, Any]:
    """The fields of an AdmissionView."""
    hours = queue.hours
    table = () if hours is None else hours.open
    return {
        "when": None if queue.when is None else msgspec.to_builtins(queue.when),
        "hours": None if hours is None else hours.hours,
        "timezone": None if hours is None else hours.timezone,
        "country": None if hours is None else hours.country,
        "subdivision": None if hours is None else hours.subdivision,
        "closed": queue.closed,
        "overflow": None if queue.overflow is None else OverflowBody(**msgspec.to_builtins(queue.overflow)),
        "max_length": queue.max_length,
        "hours_known_until": moment(table[-1][1]) if table else None,
    }
