"""What happens inside the core and is never published: timers that fell due, and changes nobody outside waits for."""

from __future__ import annotations

from typing import ClassVar

from libs.common.events.base import Internal
from libs.common.events.values import Match, Metric, Tier, Visibility


class OfContact(Internal, frozen=True, kw_only=True):
    subject_field: ClassVar[str] = "contact_id"
    contact_id: str


class OfAgent(Internal, frozen=True, kw_only=True):
    subject_field: ClassVar[str] = "agent_id"
    agent_id: str


# -- timers -----------------------------------------------------------------------------------------------------


class OfferTimedOut(OfContact, frozen=True, kw_only=True):
    type: ClassVar[str] = "timer.offer"


class RelaxDue(OfContact, frozen=True, kw_only=True):
    type: ClassVar[str] = "timer.relax"


class HoldEnded(OfContact, frozen=True, kw_only=True):
    """The last agent has had the first chance for long enough."""

    type: ClassVar[str] = "timer.hold"


class OverflowDue(OfContact, frozen=True, kw_only=True):
    type: ClassVar[str] = "timer.overflow"


class LoadDue(OfContact, frozen=True, kw_only=True):
    """Its expected wait is looked at."""

    type: ClassVar[str] = "timer.load"


class QueueOpened(OfContact, frozen=True, kw_only=True):
    """The queue in which it waits is open from now on."""

    type: ClassVar[str] = "timer.queue_opened"


class ParkEnded(OfContact, frozen=True, kw_only=True):
    type: ClassVar[str] = "timer.park"


class WrapUpDue(OfContact, frozen=True, kw_only=True):
    type: ClassVar[str] = "timer.wrap_up"


class PauseSpent(OfContact, frozen=True, kw_only=True):
    """The contact has been paused for as long as it may be."""

    type: ClassVar[str] = "timer.pause"


class MemoryEnded(OfContact, frozen=True, kw_only=True):
    """The 24 hours after a contact's closing are over."""

    type: ClassVar[str] = "timer.memory"


class LeaseEnded(OfAgent, frozen=True, kw_only=True):
    type: ClassVar[str] = "timer.lease"


class ShiftEnded(OfAgent, frozen=True, kw_only=True):
    type: ClassVar[str] = "timer.shift"


class ReleaseDue(OfAgent, frozen=True, kw_only=True):
    type: ClassVar[str] = "timer.release"


class DrainDue(Internal, frozen=True, kw_only=True):
    type: ClassVar[str] = "timer.drain"
    subject_field: ClassVar[str] = "queue_id"
    queue_id: str


class ReweighDue(Internal, frozen=True, kw_only=True):
    """Contacts wait whose boost follows weights that have changed."""

    type: ClassVar[str] = "timer.reweigh"


class PrivateDue(OfContact, frozen=True, kw_only=True):
    """Nobody was seen to write in private, where the conversation is said to go on."""

    type: ClassVar[str] = "timer.private"


# -- changes ----------------------------------------------------------------------------------------------------


class LeasesRenewed(Internal, frozen=True, kw_only=True):
    type: ClassVar[str] = "agents.leases_renewed"
    until: dict[str, int]


class AgentFilled(OfAgent, frozen=True, kw_only=True):
    """Nothing that waits fits this agent now."""

    type: ClassVar[str] = "agent.filled"


class AgentReleased(OfAgent, frozen=True, kw_only=True):
    """An absent agent's unanswered contacts were given back."""

    type: ClassVar[str] = "agent.released"


class DrainSet(Internal, frozen=True, kw_only=True):
    """A queue is drained from now on, has been up to `after`, or isn't any more (`to` is None)."""

    type: ClassVar[str] = "queue.drain_set"
    queue_id: str
    to: str | None
    after: str = ""
    next_at: int = 0


class ContactPlaced(OfContact, frozen=True, kw_only=True):
    """Nobody can take it now: it waits for a pick."""

    type: ClassVar[str] = "contact.placed"


class DeadEndsChecked(Internal, frozen=True, kw_only=True):
    """Dead ends up to `after` were looked at again; None when that was the last."""

    type: ClassVar[str] = "pool.dead_ends_checked"
    after: str | None


class WeightsApplied(Internal, frozen=True, kw_only=True):
    """Contacts up to `after` have taken the pool's weights; None when that was the last."""

    type: ClassVar[str] = "pool.weights_applied"
    after: str | None
    policy_version: int
    unmoved: tuple[str, ...]
    """Those of them whose boost is the same by either weights."""


class SpreadNoted(OfContact, frozen=True, kw_only=True):
    """What the next report of shares and reactions is measured against."""

    type: ClassVar[str] = "contact.spread_noted"
    spread: int
    spread_at: int


class ContactNoted(OfContact, frozen=True, kw_only=True):
    """What is known of a contact after a fact from outside."""

    type: ClassVar[str] = "contact.noted"
    visibility: Visibility
    reach: int
    sentiment: float
    language: str | None
    topics: tuple[str, ...]
    tier: Tier
    strikes: int
    velocity: int = 0
    urgency: int = 0
    answered: bool
    waiting_since: int
    wrote_at: int


class PrioritySet(OfContact, frozen=True, kw_only=True):
    """`raised` became this; the boost follows as `ContactPriorityChanged`."""

    type: ClassVar[str] = "contact.priority_set"
    raised: int
    manual: bool


class TargetKept(Internal, frozen=True, kw_only=True):
    """A workspace's target as the SLA service decided it; without a match it is gone."""

    type: ClassVar[str] = "target.kept"
    target_id: str
    target_version: int
    match: Match | None
    metric: Metric
    seconds: int
