"""What callers send: strict bodies, and what each becomes on the log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Body
from pydantic import AfterValidator, Field

from libs.common.errors import FieldError, NotSupported
from libs.common.events import values
from libs.common.events.codec import instant
from libs.common.http import Id, Name, Seconds, StrictModel, Tag
from libs.common.matching import MatchBody
from services.router.core import limits
from services.router.core.state import DEFAULT_WEIGHTS
from services.router.core.work import GOES_ON

SKILLS_MAX: Final = 100
NEEDS_MAX: Final = 20
RELAX_STEPS_MAX: Final = 10
COSTS_MAX: Final = 50
UNITS_MAX: Final = 1_000_000

Level = Annotated[int, Field(ge=1, le=limits.LEVEL_MAX)]
Units = Annotated[int, Field(ge=1, le=UNITS_MAX)]
Most = Annotated[int, Field(ge=0, le=UNITS_MAX)]


def refuse(pointer: str, value: Any, *, neutral: Any) -> None:
    """Raises NotSupported for a field whose behaviour isn't built, unless it is at its neutral value."""
    if value != neutral:
        detail = f"only {neutral!r} is supported"
        raise NotSupported("a field's behaviour isn't built", errors=[FieldError(pointer=pointer, detail=detail)])


class SkillNeed(StrictModel):
    skill: Id
    level: Level = 1

    def value(self) -> values.SkillNeed:
        return values.SkillNeed(skill=self.skill, level=self.level)


Needs = Annotated[list[SkillNeed], Field(max_length=NEEDS_MAX)]


class Requirement(StrictModel):
    """Every skill of `all`, one of `any`, none of `none`; empty: anybody."""

    all: Needs = []
    any: Needs = []
    none: Needs = []

    def value(self) -> values.Requirement:
        return values.Requirement(
            all=tuple(need.value() for need in self.all),
            any=tuple(need.value() for need in self.any),
            none=tuple(need.value() for need in self.none),
        )


class RelaxStep(StrictModel):
    after_seconds: Seconds
    requirement: Requirement

    def value(self) -> values.RelaxStep:
        return values.RelaxStep(after_seconds=self.after_seconds, requirement=self.requirement.value())


def ascending(steps: list[RelaxStep]) -> list[RelaxStep]:
    after = [step.after_seconds for step in steps]
    if after != sorted({*after}):
        raise ValueError("after_seconds must ascend from step to step")
    return steps


class CapacityBody(StrictModel):
    """One budget; a medium that `cost` leaves out keeps its usual cost."""

    units: Units = 120
    cost: Annotated[dict[Tag, Units], Field(max_length=COSTS_MAX)] = {}
    max: Annotated[dict[Tag, Most], Field(max_length=COSTS_MAX)] = {}
    interrupted_by: dict[Tag, list[Tag]] = {}

    def value(self) -> values.Capacity:
        refuse("/capacity/interrupted_by", self.interrupted_by, neutral={})
        return values.Capacity(units=self.units, cost=values.Capacity().cost | self.cost, max=dict(self.max))


class AgentBody(StrictModel):
    name: Name | None = None
    pool: Id = "main"
    skills: Annotated[dict[Id, Level], Field(max_length=SKILLS_MAX)] = {}
    preferred_queues: list[Id] = []
    capacity: CapacityBody = CapacityBody()

    def refuse_what_is_not_built(self) -> None:
        refuse("/preferred_queues", self.preferred_queues, neutral=[])


class PresenceBody(StrictModel):
    status: values.PresenceStatus
    reason: Tag | None = None
    lease_seconds: Annotated[int, Field(ge=1, le=limits.LEASE_SECONDS_MAX)] = 60


class QueueBody(StrictModel):
    name: Name | None = None
    pool: Id = "main"
    order: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    match: MatchBody = MatchBody()
    requirement: Requirement | None = None
    relax: Annotated[list[RelaxStep], Field(max_length=RELAX_STEPS_MAX), AfterValidator(ascending)] = []
    offer_seconds: Annotated[int, Field(ge=1, le=limits.OFFER_SECONDS_MAX)] = 20
    parallel_offers: int = 1
    offers_max: Annotated[int, Field(ge=1, le=limits.OFFERS_MAX)] = 5
    wrap_up_seconds: Annotated[int, Field(ge=0, le=limits.WRAP_UP_SECONDS_MAX)] = 0
    last_agent_seconds: Annotated[int, Field(ge=0, le=limits.LAST_AGENT_SECONDS_MAX)] = 45
    hours: str | None = None
    timezone: str | None = None
    country: str | None = None
    overflow: dict[str, Any] | None = None

    def refuse_what_is_not_built(self) -> None:
        refuse("/parallel_offers", self.parallel_offers, neutral=1)
        for field in ("hours", "timezone", "country", "overflow"):
            refuse(f"/{field}", getattr(self, field), neutral=None)


class PoolBody(StrictModel):
    name: Name | None = None


class DeclineBody(StrictModel):
    reason: Tag = "declined"


class ParkBody(StrictModel):
    until: datetime | None = None
    reason: Tag = "awaiting_customer"

    def until_instant(self) -> int | None:
        return None if self.until is None else instant(self.until.isoformat())


class PriorityBody(StrictModel):
    """`boost` moves the promise forward by this share of the target."""

    boost: Annotated[float, Field(ge=0, le=0.25)]
    reason: Tag = "manual"


def not_reserved(resolution: str) -> str:
    if resolution in GOES_ON:
        raise ValueError("is said of contacts that go on elsewhere")
    return resolution


class CloseBody(StrictModel):
    resolution: Annotated[Tag, AfterValidator(not_reserved)] = "solved"


class AbandonBody(StrictModel):
    reason: Tag = "customer_left"


class ReleaseBody(StrictModel):
    reason: Tag = "released"


class ResumeBody(StrictModel):
    """Nothing to say."""


Weight = Annotated[float, Field(ge=0, le=limits.BOOST_MAX / 1_000)]


class Weights(StrictModel):
    """The largest share of its target by which each term moves a contact's promise forward."""

    reach: Weight = DEFAULT_WEIGHTS["reach"] / 1_000
    sentiment: Weight = DEFAULT_WEIGHTS["sentiment"] / 1_000
    tier: Weight = DEFAULT_WEIGHTS["tier"] / 1_000
    strikes: Weight = DEFAULT_WEIGHTS["strikes"] / 1_000
    velocity: float = 0.0
    urgency: float = 0.0

    def value(self) -> dict[str, int]:
        """In thousandths."""
        refuse("/weights/velocity", self.velocity, neutral=0.0)
        refuse("/weights/urgency", self.urgency, neutral=0.0)
        return {name: round(getattr(self, name) * 1_000) for name in DEFAULT_WEIGHTS}


class PolicyBody(StrictModel):
    weights: Weights = Weights()


class WrapUpBody(StrictModel):
    """Without a contact: everything that the agent is wrapping up."""

    contact_id: Id | None = None


DeclineGiven = Annotated[DeclineBody, Body(default_factory=DeclineBody)]
ParkGiven = Annotated[ParkBody, Body(default_factory=ParkBody)]
ResumeGiven = Annotated[ResumeBody, Body(default_factory=ResumeBody)]
ReleaseGiven = Annotated[ReleaseBody, Body(default_factory=ReleaseBody)]
CloseGiven = Annotated[CloseBody, Body(default_factory=CloseBody)]
AbandonGiven = Annotated[AbandonBody, Body(default_factory=AbandonBody)]
WrapUpGiven = Annotated[WrapUpBody, Body(default_factory=WrapUpBody)]
PoolGiven = Annotated[PoolBody, Body(default_factory=PoolBody)]
"""Bodies that may be left out."""
