"""The rules from now on, as the router decided them on `omniroute.routing.v1`: queues, pools, weights."""

from __future__ import annotations

from typing import ClassVar

from libs.common.events.base import ROUTING, Event, Topic
from libs.common.events.values import QueueRules


class QueueUpdated(Event, frozen=True, kw_only=True):
    """A queue's configuration from now on."""

    type: ClassVar[str] = "queue.updated"
    later: ClassVar[tuple[str, ...]] = (
        "parallel_offers", "offer_seconds_by_medium", "auto_accept", "when", "hours", "closed", "overflow",
        "max_length", "successor", "language_skill", "language_level", "fallback_queue", "group_by_incident",
        "group_max",
    )  # fmt: skip
    flat: ClassVar[str | None] = "rules"
    topic: ClassVar[Topic | None] = ROUTING
    subject_field: ClassVar[str] = "queue_id"
    queue_id: str
    config_version: int
    deleted: bool = False
    rules: QueueRules = QueueRules()
    successor: str | None = None
    """Of a queue that was deleted: where its contacts go when they come back to it."""


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
