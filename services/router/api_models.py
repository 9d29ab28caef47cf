"""What callers send: strict bodies, and what each becomes on the log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Body
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from libs.common.errors import FieldError, NotSupported
from libs.common.events import values
from libs.common.events.codec import instant_of
from libs.common.http import Id, Name, Seconds, StrictModel, Tag
from libs.common.matching import MatchBody
from services.router.api_admission import AdmissionBody, WaitOver
from services.router.core import limits
from services.router.core.presence import LEAVES
from services.router.core.state import DEFAULT_WEIGHTS, OPTIONAL_TERMS
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
    """At least this proficiency, of 1 to 5."""

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


class OwnRequirement(Requirement):
    """What a contact asks itself: skills, whom it prefers, and who never gets it."""

    prefer_agents: list[Id] = []
    """Asked first while the contact is early, in this order."""
    exclude_agents: list[Id] = []


class RelaxStep(StrictModel):
    """`after_seconds` count from when the step before began, the first one's from when the contact was queued. While
    nobody is available who could take the contact without it, a step counts at once; with `skip: never` it doesn't.
    It also begins when the contact is expected to wait longer than `wait_over_seconds` without it."""

    after_seconds: Seconds
    requirement: Requirement
    """Asked instead of the one before."""
    skip: values.Skip = "nobody_available"
    wait_over_seconds: WaitOver | None = None

    @field_validator("wait_over_seconds")
    @classmethod
    def _never_is_never(cls, bound: int | None, info: ValidationInfo) -> int | None:
        if bound is not None and info.data.get("skip") == "never":
            raise ValueError("a step with `skip: never` waits for its time, whatever wait is expected")
        return bound

    def value(self) -> values.RelaxStep:
        return values.RelaxStep(
            after_seconds=self.after_seconds, requirement=self.requirement.value(), skip=self.skip,
            wait_over_seconds=self.wait_over_seconds,
        )  # fmt: skip


class InterruptedBy(StrictModel):
    """The media for which work of a medium may be paused, up to half its promised time in all."""

    live: list[Literal["voice"]] = []
    asynchronous: list[Literal["voice", "live"]] = Field(default=[], alias="async")

    def value(self) -> dict[str, tuple[str, ...]]:
        named: dict[str, list[str]] = {"async": [*self.asynchronous], "live": [*self.live]}
        return {medium: tuple(sorted(set(by))) for medium, by in named.items() if by}


class CapacityBody(StrictModel):
    """One budget; a medium that `cost` leaves out keeps its usual cost."""

    units: Units = 120
    cost: Annotated[dict[Tag, Units], Field(max_length=COSTS_MAX)] = {}
    """Units of a contact, by channel or else by medium."""
    max: Annotated[dict[Tag, Most], Field(max_length=COSTS_MAX)] = {}
    """Contacts held at once, by channel or medium, paused ones included."""
    interrupted_by: InterruptedBy = InterruptedBy()
    wake_up_reserve: Most = 0
    """Units that new work leaves free while the agent has parked contacts, except work that could pause them."""

    @field_validator("wake_up_reserve")
    @classmethod
    def leaves_room(cls, reserve: int, info: ValidationInfo) -> int:
        if reserve >= info.data.get("units", UNITS_MAX + 1):
            raise ValueError("must be less than units")
        return reserve

    def value(self) -> values.Capacity:
        return values.Capacity(
            units=self.units, cost=values.Capacity().cost | self.cost, max=dict(self.max),
            interrupted_by=self.interrupted_by.value(), wake_up_reserve=self.wake_up_reserve,
        )  # fmt: skip


class AgentBody(StrictModel):
    name: Name | None = None
    pool: Id = "main"
    skills: Annotated[dict[Id, Level], Field(max_length=SKILLS_MAX)] = {}
    """Skill → proficiency, 1 to 5."""
    preferred_queues: Annotated[list[Id], Field(max_length=limits.PREFERRED_QUEUES_MAX)] = []
    """Who among equals gets a contact of these queues; see the docs for what it doesn't do."""
    capacity: CapacityBody = CapacityBody()
    missed_offers_max: Annotated[int, Field(ge=0, le=limits.MISSED_OFFERS_MAX)] = 3
    """After so many offers missed in a row the agent goes `away` with the reason `missed_offers`; 0: never."""


def for_who_leaves(when_free: bool, info: ValidationInfo) -> bool:
    if when_free and info.data.get("status") not in LEAVES:
        raise ValueError("only away and offline can wait until the agent is free")
    return when_free


def for_who_is_there(until: datetime | None, info: ValidationInfo) -> datetime | None:
    if until is not None and info.data.get("status") == "offline":
        raise ValueError("who is offline has no shift that ends")
    return until


class PresenceBody(StrictModel):
    status: values.PresenceStatus
    reason: Tag | None = None
    """A word of your own, `lunch`: shown and counted."""
    lease_seconds: Annotated[int, Field(ge=1, le=limits.LEASE_SECONDS_MAX)] = 60
    """So long the agent counts as there without another call."""
    when_free: Annotated[bool, AfterValidator(for_who_leaves)] = False
    """For `away` and `offline`: no new work from now on, and busy until the last contact leaves."""
    until: Annotated[datetime | None, AfterValidator(for_who_is_there)] = None
    """The end of the shift: no new work from then on, and offline when free."""

    def until_instant(self) -> int | None:
        return instant_of(self.until)


class QueueBody(AdmissionBody):
    name: Name | None = None
    pool: Id = "main"
    order: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    """A contact goes to the first queue that matches it, the lowest order first."""
    match: MatchBody = MatchBody()
    requirement: Requirement | None = None
    """Null: whoever takes a public contact needs the skill `public`."""
    relax: Annotated[list[RelaxStep], Field(max_length=RELAX_STEPS_MAX)] = []
    """What is asked instead, step by step, while nobody takes a contact."""
    offer_seconds: Annotated[int, Field(ge=1, le=limits.OFFER_SECONDS_MAX)] = 20
    """How long an agent has to accept."""
    offer_seconds_by_medium: dict[values.Medium, Annotated[int, Field(ge=1, le=limits.OFFER_SECONDS_MAX)]] = {}
    """How long an offer of this medium lasts, instead of `offer_seconds`."""
    parallel_offers: Annotated[int, Field(ge=1, le=limits.PARALLEL_OFFERS_MAX)] = 1
    """So many agents are asked at once; the first to accept gets the contact."""
    auto_accept: list[values.Medium] = []
    """What is offered of these media is assigned at once."""
    offers_max: Annotated[int, Field(ge=1, le=limits.OFFERS_MAX)] = 5
    """After so many offers in vain a contact is flagged `nobody_answers`, and waits for somebody new."""
    wrap_up_seconds: Annotated[int, Field(ge=0, le=limits.WRAP_UP_SECONDS_MAX)] = 0
    """What an agent has after closing a contact, before its capacity is free."""
    language_skill: bool = False
    """Whoever takes a contact speaks its language: the skill `lang:it`, at `language_level`. Where the language is
    unknown nothing is asked."""
    language_level: Level = 1
    fallback_queue: Id | None = None
    """Where a contact goes that nobody of the pool could ever take here: a queue of the same pool."""
    group_by_incident: bool = False
    """Offer contacts with the same `incident_key` as one group, at the cost of one contact."""
    group_max: Annotated[int, Field(ge=2, le=limits.GROUP_MAX)] = 20
    """Contacts of a group at the most."""
    last_agent_seconds: Annotated[int, Field(ge=0, le=limits.LAST_AGENT_SECONDS_MAX)] = 45
    """How long at the most a contact is held for whom it prefers and for its customer's last agent."""

    def refuse_what_is_not_built(self) -> None:
        if self.parallel_offers > 1:
            refuse("/group_by_incident", self.group_by_incident, neutral=False)

    def rules(self, queue_id: str, now: int) -> values.QueueRules:
        """Raises Invalid or NotSupported, naming the field."""
        return values.QueueRules(
            order=self.order, match=self.match.value(),
            requirement=None if self.requirement is None else self.requirement.value(),
            relax=tuple(step.value() for step in self.relax), offer_seconds=self.offer_seconds,
            offer_seconds_by_medium=self.offer_seconds_by_medium, parallel_offers=self.parallel_offers,
            auto_accept=tuple(sorted({*self.auto_accept})), offers_max=self.offers_max,
            wrap_up_seconds=self.wrap_up_seconds, last_agent_seconds=self.last_agent_seconds,
            language_skill=self.language_skill, language_level=self.language_level,
            fallback_queue=self.fallback_queue, group_by_incident=self.group_by_incident, group_max=self.group_max,
            **self.admission(queue_id, now),
        )  # fmt: skip

    def _contradictions(self, queue_id: str) -> Iterator[FieldError]:
        yield from super()._contradictions(queue_id)
        if self.fallback_queue == queue_id:
            yield FieldError("/fallback_queue", "must be another queue")


class PoolBody(StrictModel):
    name: Name | None = None


class WrapUpExtensionBody(StrictModel):
    contact_id: Id
    seconds: Annotated[int, Field(ge=1, le=(limits.WRAP_UP_TIMES_MAX - 1) * limits.WRAP_UP_SECONDS_MAX)]


class DeclineBody(StrictModel):
    reason: Tag = "declined"


class ParkBody(StrictModel):
    until: datetime | None = None
    """When it goes on by itself; null: when the customer writes."""
    reason: Tag = "awaiting_customer"

    def fields(self) -> dict[str, Any]:
        """The command's."""
        return {"until": instant_of(self.until), "reason": self.reason}


class PriorityBody(StrictModel):
    """`boost` moves the promise forward by this share of the target."""

    boost: Annotated[float, Field(ge=0, le=limits.BOOST_MAX / 1_000)]
    reason: Tag = "manual"

    def fields(self) -> dict[str, Any]:
        """The command's, the boost in thousandths."""
        return {"boost": round(self.boost * 1_000), "reason": self.reason}


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


class BreakOutBody(StrictModel):
    """Nothing to say."""


Weight = Annotated[float, Field(ge=0, le=limits.BOOST_MAX / 1_000)]


class Weights(StrictModel):
    """The largest share of its target by which each term moves a contact's promise forward."""

    reach: Weight = DEFAULT_WEIGHTS["reach"] / 1_000
    sentiment: Weight = DEFAULT_WEIGHTS["sentiment"] / 1_000
    tier: Weight = DEFAULT_WEIGHTS["tier"] / 1_000
    strikes: Weight = DEFAULT_WEIGHTS["strikes"] / 1_000
    velocity: Weight = 0.0
    """Of shares and reactions an hour: all of it at ten thousand."""
    urgency: Weight = 0.0
    """Of the contact's routable attribute `urgency`, 0 to 1."""

    def value(self) -> dict[str, int]:
        """In thousandths."""
        return {name: round(getattr(self, name) * 1_000) for name in (*DEFAULT_WEIGHTS, *OPTIONAL_TERMS)}


class PolicyBody(StrictModel):
    weights: Weights = Weights()


class WrapUpBody(StrictModel):
    """Without a contact: everything that the agent is wrapping up."""

    contact_id: Id | None = None


DeclineGiven = Annotated[DeclineBody, Body(default_factory=DeclineBody)]
ParkGiven = Annotated[ParkBody, Body(default_factory=ParkBody)]
ResumeGiven = Annotated[ResumeBody, Body(default_factory=ResumeBody)]
BreakOutGiven = Annotated[BreakOutBody, Body(default_factory=BreakOutBody)]
ReleaseGiven = Annotated[ReleaseBody, Body(default_factory=ReleaseBody)]
CloseGiven = Annotated[CloseBody, Body(default_factory=CloseBody)]
AbandonGiven = Annotated[AbandonBody, Body(default_factory=AbandonBody)]
WrapUpGiven = Annotated[WrapUpBody, Body(default_factory=WrapUpBody)]
PoolGiven = Annotated[PoolBody, Body(default_factory=PoolBody)]
"""Bodies that may be left out."""
