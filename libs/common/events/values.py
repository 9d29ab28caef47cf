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
RelaxReason = Literal["waited", "nobody_available", "escalated"]


class RelaxStep(Value, frozen=True):
    """This requirement replaces the one before, `after_seconds` after the step before it began."""

    after_seconds: int
    requirement: Requirement
    skip: Skip = "nobody_available"


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


Metric = Literal["first_response", "next_response", "resolution"]
StepAction = Literal["raise_priority", "notify", "relax_skills", "reassign"]


class EscalationStep(Value, frozen=True):
    """At `at` times the target's seconds, do something once; `to` labels who is told."""

    at: float
    do: StepAction
    to: str | None = None
