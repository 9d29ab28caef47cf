"""The values that events are made of: requirements, reach, capacity, matching rules. Frozen and comparable."""

from __future__ import annotations

from typing import Literal

import msgspec

Medium = Literal["voice", "live", "async"]
Visibility = Literal["public", "community", "private"]
Tier = Literal["standard", "silver", "gold"]
PresenceStatus = Literal["offline", "available", "busy", "away"]
Scalar = str | int | float | bool


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class SkillNeed(Value, frozen=True):
    """A skill at a proficiency of at least `level` (1 to 5)."""

    skill: str
    level: int = 1


class Requirement(Value, frozen=True):
    """Every skill of `all`, one of `any` (when there are some), none of `none`.

    A contact's own requirement may also name agents: those of `prefer_agents` go first while the contact is early,
    those of `exclude_agents` never get it.
    """

    all: tuple[SkillNeed, ...] = ()
    any: tuple[SkillNeed, ...] = ()
    none: tuple[SkillNeed, ...] = ()
    prefer_agents: tuple[str, ...] = ()
    exclude_agents: tuple[str, ...] = ()


Skip = Literal["nobody_available", "never"]
"""When a relaxation step comes before its time: while nobody is available who could take the contact, or never."""
RelaxReason = Literal["waited", "nobody_available", "expected_wait", "escalated"]


class RelaxStep(Value, frozen=True):
    """This requirement replaces the one before, `after_seconds` after the step before it began, or when the contact is
    expected to wait longer than `wait_over_seconds` for who meets that one."""

    after_seconds: int
    requirement: Requirement
    skip: Skip = "nobody_available"
    wait_over_seconds: int | None = None


class Reach(Value, frozen=True):
    """Signals of how many people can see a contact; absent ones are zero."""

    followers: int = 0
    views: int = 0
    reactions: int = 0
    shares: int = 0


class Capacity(Value, frozen=True):
    """One budget of `units`; a contact costs what its channel or else its medium says in `cost`.

    `max` bounds how many contacts of a medium or channel an agent holds at once, paused ones included.
    `interrupted_by` says which media may pause work of a medium: `{"async": ("voice", "live")}`. `wake_up_reserve`
    is what new work leaves free while the agent has parked contacts.
    """

    units: int = 120
    cost: dict[str, int] = msgspec.field(default_factory=lambda: {"voice": 120, "live": 40, "async": 20})
    max: dict[str, int] = msgspec.field(default_factory=dict)
    interrupted_by: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    wake_up_reserve: int = 0


OneOrMore = str | tuple[str, ...] | None


class Match(Value, frozen=True):
    """Which contacts a queue or a target is for: every field that is set must hold; a list means any of."""

    channel: OneOrMore = None
    medium: OneOrMore = None
    visibility: OneOrMore = None
    account: OneOrMore = None
    queue: OneOrMore = None
    tier: OneOrMore = None
    language: OneOrMore = None
    topic: OneOrMore = None


Op = Literal["eq", "ne", "in", "gt", "gte", "lt", "lte", "contains", "exists"]


class Predicate(Value, frozen=True):
    """A rule about a contact: one of `all`, `any`, `not`, or a leaf that compares a `field` with a `value`.

    What may be compared with what is in the router's `core/predicates.py`.
    """

    all: tuple[Predicate, ...] | None = None
    any: tuple[Predicate, ...] | None = None
    not_: Predicate | None = msgspec.field(default=None, name="not")
    field: str | None = None
    op: Op | None = None
    value: Scalar | tuple[Scalar, ...] | None = None


class BusinessHours(Value, frozen=True):
    """When a queue is open: as it was said, in the syntax of OpenStreetMap, and the same as a table.

    `open` is (from, to) in microseconds since 1970 UTC, ascending, disjoint; what lies beyond it counts as open.
    """

    hours: str
    timezone: str = "UTC"
    country: str | None = None
    subdivision: str | None = None
    open: tuple[tuple[int, int], ...] = ()


QueuedReason = Literal[
    "opened", "reopened", "resumed", "released", "transferred", "overflowed", "fallback", "consulted"
]
OverflowReason = Literal["time", "length", "full", "closed", "queue_deleted", "expected_wait"]
ClosedPolicy = Literal["wait", "overflow", "refuse"]
"""What becomes of a contact that comes while its queue is closed."""


class Overflow(Value, frozen=True):
    """Where contacts go that wait here for `after_seconds`, that come when `longer_than` others wait already, or that
    are expected to wait longer than `wait_over_seconds`."""

    queue: str
    after_seconds: int | None = None
    longer_than: int | None = None
    wait_over_seconds: int | None = None


class QueueRules(msgspec.Struct, frozen=True, kw_only=True):
    """What an admin says of a queue. In an event and in the state each stands beside the other fields, not inside."""

    order: int = 100
    """A contact goes to the first queue, by order, that matches it."""
    match: Match = Match()
    requirement: Requirement | None = None
    """None: whoever takes a public contact needs the skill `public`."""
    relax: tuple[RelaxStep, ...] = ()
    offer_seconds: int = 20
    offer_seconds_by_medium: dict[Medium, int] = {}
    """Instead of `offer_seconds`."""
    parallel_offers: int = 1
    """So many agents are asked at once; the first to accept gets it."""
    auto_accept: tuple[Medium, ...] = ()
    """What is offered of these media is assigned at once."""
    offers_max: int = 5
    wrap_up_seconds: int = 0
    last_agent_seconds: int = 45
    """For so long at most a contact is held for whom it prefers and for the customer's last agent."""
    when: Predicate | None = None
    """Must hold besides `match`."""
    hours: BusinessHours | None = None
    """None: always open."""
    closed: ClosedPolicy = "wait"
    overflow: Overflow | None = None
    max_length: int | None = None
    """Who comes when so many wait goes to the overflow, or is refused."""
    language_skill: bool = False
    language_level: int = 1
    """With `language_skill`: how well whoever takes a contact must speak its language, `lang:it` at this level."""
    fallback_queue: str | None = None
    """Where a contact goes that nobody on the roster can ever take here."""
    group_by_incident: bool = False
    group_max: int = 20
    """With `group_by_incident`: so many contacts of one incident at most are offered as one."""


Metric = Literal["first_response", "next_response", "resolution"]
StepAction = Literal["raise_priority", "notify", "relax_skills", "reassign"]


class EscalationStep(Value, frozen=True):
    """At `at` times the target's seconds, do something once; `to` labels who is told."""

    at: float
    do: StepAction
    to: str | None = None
