"""The rules from now on, as the router decided them on `omniroute.routing.v1`: queues, pools, weights."""

from __future__ import annotations

from typing import ClassVar

from libs.common.events.base import ROUTING, Event, Topic
from libs.common.events.values import (
    BusinessHours,
    ClosedPolicy,
    Match,
    Medium,
    Overflow,
    Predicate,
    RelaxStep,
    Requirement,
)


class QueueUpdated(Event, frozen=True, kw_only=True):
    """A queue's configuration from now on."""

    type: ClassVar[str] = "queue.updated"
    later: ClassVar[tuple[str, ...]] = (
        "parallel_offers", "offer_seconds_by_medium", "auto_accept", "when", "hours", "closed", "overflow",
        "max_length", "successor", "language_skill", "language_level", "fallback_queue", "group_by_incident",
        "group_max",
    )  # fmt: skip
    topic: ClassVar[Topic | None] = ROUTING
    subject_field: ClassVar[str] = "queue_id"
    queue_id: str
    config_version: int
    deleted: bool = False
    order: int = 100
    match: Match = Match()
    requirement: Requirement | None = None
    relax: tuple[RelaxStep, ...] = ()
    offer_seconds: int = 20
    offer_seconds_by_medium: dict[Medium, int] = {}
    parallel_offers: int = 1
    auto_accept: tuple[Medium, ...] = ()
    offers_max: int = 5
    wrap_up_seconds: int = 0
    last_agent_seconds: int = 45
    when: Predicate | None = None
    hours: BusinessHours | None = None
    closed: ClosedPolicy = "wait"
    overflow: Overflow | None = None
    max_length: int | None = None
    successor: str | None = None
    """Of a queue that was deleted: where its contacts go when they come back to it."""
    language_skill: bool = False
    language_level: int = 1
    """With `language_skill`: how well whoever takes a contact must speak its language, `lang:it` at this level."""
    fallback_queue: str | None = None
    """Where a contact goes that nobody on the roster can ever take here."""
    group_by_incident: bool = False
    group_max: int = 20
    """With `group_by_incident`: so many contacts of one incident at most are offered as one."""


class PoolUpdated(Event, frozen=True, kw_only=True):
    """A pool was made, or deleted."""

    type: ClassVar[str] = "pool.updated"
    topic: ClassVar[Topic | None] = ROUTING
    subject_field: ClassVar[str] = "pool_id"
    pool_id: str
    deleted: bool = False


class PolicyUpdated(Event, frozen=True, kw_only=True):
    """A pool's weights from now on, also for those who wait."""

    type: ClassVar[str] = "policy.updated"
    topic: ClassVar[Topic | None] = ROUTING
    subject_field: ClassVar[str] = "pool_id"
    pool_id: str
    policy_version: int
    weights: dict[str, int]
