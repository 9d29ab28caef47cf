"""The router's decisions on `omniroute.routing.v1`, each with its reasons.

Boosts, score terms and weights are integers in thousandths. Every event says enough for `evolve` to apply it and
for an integrator to understand it without asking back.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from libs.common.events.base import ROUTING, Event, Instant, Topic
from libs.common.events.values import (
    Capacity,
    Medium,
    Overflow,
    OverflowReason,
    PresenceStatus,
    QueuedReason,
    RelaxReason,
    RelaxStep,
    Requirement,
    Scalar,
    Tier,
    Visibility,
)

Lane = Literal["main", "ageing", "express", "arrival"]
"""How a pick came about: one of the three lanes of a free agent, or an arriving contact that found one."""


class ContactDecision(Event, frozen=True, kw_only=True):
    topic: ClassVar[Topic | None] = ROUTING
    contact_id: str


class ContactQueued(ContactDecision, frozen=True, kw_only=True):
    """A contact waits from now on. It names everything that its place depends on: rules and target are pinned."""

    type: ClassVar[str] = "contact.queued"
    later: ClassVar[tuple[str, ...]] = (
        "linked_to", "parallel_offers", "auto_accept", "opens_at", "overflow", "language_level", "incident_key",
        "group_max", "consult_of",
    )  # fmt: skip
    reason: QueuedReason
    queue: str
    account: str
    channel: str
    medium: Medium
    visibility: Visibility
    customer_id: str
    opened_at: Instant
    waiting_since: Instant
    """The time of the customer's oldest unanswered message: the `a` of the score."""
    tier: Tier = "standard"
    strikes: int = 0
    repeat_of: str | None = None
    linked_to: str | None = None
    """The contact that was referred here, or whose customer is called back."""
    consult_of: str | None = None
    """The contact whose agent asks for help with it: no promise is made for this one."""
    last_agent: str | None = None
    last_agent_until: Instant | None = None
    """Until then the contact is held for `last_agent`, as long as it is early."""
    reach: int = 1
    """People who can see it: max(1, views, followers), or 1 in private."""
    sentiment: float = 0.0
    language: str | None = None
    topics: tuple[str, ...] = ()
    attributes: dict[str, Scalar] = {}
    requirement: Requirement = Requirement()
    """The queue's part of what it needs, before any relaxation; `own_requirement` is needed besides, always."""
    own_requirement: Requirement | None = None
    relax: tuple[RelaxStep, ...] = ()
    offer_seconds: int = 20
    """For its medium."""
    parallel_offers: int = 1
    """So many agents are asked at once; the first to accept gets it."""
    auto_accept: bool = False
    """Who is offered it has it at once."""
    offers_max: int = 5
    wrap_up_seconds: int = 0
    opens_at: Instant | None = None
    overflow: Overflow | None = None
    language_level: int = 0
    """Whoever takes it speaks its language at least so well: `lang:it` at this level; 0 where that isn't asked."""
    incident_key: str | None = None
    group_max: int = 0
    """So many contacts of one incident at most are offered as one; 0 where each is offered alone."""
    raised: int = 0
    """The part of the boost that an escalation or a supervisor has added."""
    boost: int = 0
    terms: dict[str, int] = {}
    target: str | None = None
    target_version: int = 0
    target_seconds: int
    policy_version: int = 0


class ContactOffered(ContactDecision, frozen=True, kw_only=True):
    """Held for an agent until `expires_at`. It names the runners-up and counts why others were passed over."""

    type: ClassVar[str] = "contact.offered"
    later: ClassVar[tuple[str, ...]] = ("group",)
    offer_id: str
    agent_id: str
    queue: str
    medium: Medium
    expires_at: Instant
    units: int
    lane: Lane
    score: int
    """The score at `at` in thousandths: slack in units of 1,000 s while early, lateness in targets when late."""
    boost: int = 0
    terms: dict[str, int] = {}
    relaxed: int = 0
    """How many relaxation steps had passed."""
    ageing_credit: int = 0
    express_credit: int = 0
    ageing_channel: str | None = None
    """The agent's lane credits (thousandths) and round-robin pointer after this pick; applied with it."""
    runners_up: tuple[str, ...] = ()
    """Up to five next choices: agents for an arriving contact, contacts for a free agent."""
    passed_over: dict[str, int] = {}
    """How many agents were not chosen, by reason: `{"skill": 3, "at_capacity": 2}`."""
    ahead: int = 0
    """For a lane's pick: how many other channels and requirements have a contact of a higher score."""
    asked_again: bool = False
    """Everyone able had been asked: a new round has begun."""
    group: tuple[str, ...] = ()
    """Contacts of the same incident that are offered together with it, and are this agent's too when it is accepted."""


class OfferDecision(ContactDecision, frozen=True, kw_only=True):
    offer_id: str
    agent_id: str


class OfferAccepted(OfferDecision, frozen=True, kw_only=True):
    """The agent takes the contact; `automatic` when the queue accepted for the agent."""

    type: ClassVar[str] = "offer.accepted"
    later: ClassVar[tuple[str, ...]] = ("automatic",)
    automatic: bool = False
    """By the queue's `auto_accept`: nobody said so."""


class OfferDeclined(OfferDecision, frozen=True, kw_only=True):
    """The agent does not take the contact."""

    type: ClassVar[str] = "offer.declined"
    reason: str = "declined"


class OfferExpired(OfferDecision, frozen=True, kw_only=True):
    """The agent let the offer run out."""

    type: ClassVar[str] = "offer.expired"


class OfferWithdrawn(OfferDecision, frozen=True, kw_only=True):
    """The offer ended for another reason: another agent was first, its agent left, the contact ended."""

    type: ClassVar[str] = "offer.withdrawn"
    reason: str


class ContactAssigned(ContactDecision, frozen=True, kw_only=True):
    """The contact is this agent's."""

    type: ClassVar[str] = "contact.assigned"
    later: ClassVar[tuple[str, ...]] = ("group_id",)
    agent_id: str
    offer_id: str | None = None
    queue: str
    channel: str
    medium: Medium
    units: int
    waited_seconds: float
    forced: bool = False
    group_id: str | None = None
    """The first contact of the group that it belongs to; the others cost no units."""


class ContactBrokeOut(ContactDecision, frozen=True, kw_only=True):
    """It has left its group for good, and costs its own units; none when there is no room: it is released next."""

    type: ClassVar[str] = "contact.broke_out"
    agent_id: str
    group_id: str
    units: int


class ContactReleased(ContactDecision, frozen=True, kw_only=True):
    """The contact left its agent and waits again, with its age."""

    type: ClassVar[str] = "contact.released"
    agent_id: str
    reason: str


class ContactTransferred(ContactDecision, frozen=True, kw_only=True):
    """The contact leaves its queue or agent for another. `contact.queued` or `contact.assigned` follows."""

    type: ClassVar[str] = "contact.transferred"
    agent_id: str | None = None
    """Who had it."""
    from_queue: str
    to_queue: str | None = None
    to_agent: str | None = None
    requirement: Requirement | None = None
    """Where to; one of these is set."""
    reason: Literal["asked_for", "drained"] = "asked_for"
    waiting_since: Instant
    """Its age, which it keeps; after an answer a new wait begins."""


class LinkDecision(ContactDecision, frozen=True, kw_only=True):
    """A linked contact opens; its `contact.opened` follows on the contacts topic of its own pool."""

    agent_id: str | None = None
    """Who had it."""
    linked_id: str
    """The linked contact: `<contact>.linked.<this event's sequence>`."""
    waiting_since: Instant
    """The age that it takes along."""
    closes: bool
    """This contact ends with the decision."""


class ContactReferred(LinkDecision, frozen=True, kw_only=True):
    """The contact goes on in another pool, as a linked one."""

    type: ClassVar[str] = "contact.referred"
    to_pool: str
    to_queue: str | None = None


class ContactCallbackRequested(LinkDecision, frozen=True, kw_only=True):
    """The customer will be called: a linked voice contact opens, at `callback_at` if that is set."""

    type: ClassVar[str] = "contact.callback_requested"
    callback_at: Instant | None = None


class ContactRelaxed(ContactDecision, frozen=True, kw_only=True):
    """So many relaxation steps have passed, and the last of them begins now."""

    type: ClassVar[str] = "contact.relaxed"
    later: ClassVar[tuple[str, ...]] = ("reason",)
    step: int
    requirement: Requirement
    reason: RelaxReason = "waited"


class ContactOverflowed(ContactDecision, frozen=True, kw_only=True):
    """The contact went on to another queue, with its age and its promise; `contact.queued` follows."""

    type: ClassVar[str] = "contact.overflowed"
    from_queue: str
    queue: str
    reason: OverflowReason


class ContactPriorityChanged(ContactDecision, frozen=True, kw_only=True):
    """The promise was moved: by an escalation, a supervisor, more who see it, or new weights."""

    type: ClassVar[str] = "contact.priority_changed"
    boost: int
    terms: dict[str, int]
    reach: int
    reason: str
    policy_version: int = 0


class ContactPaused(ContactDecision, frozen=True, kw_only=True):
    """Its agent has taken a contact that may interrupt it. It stays theirs, takes no units, and goes on by itself."""

    type: ClassVar[str] = "contact.paused"
    agent_id: str
    paused_for: str
    """The contact that was taken."""
    medium: Medium
    units: int
    pause_left_seconds: float
    """How much longer it may be paused in all; a pause that lasts longer is the last one."""


class ContactParked(ContactDecision, frozen=True, kw_only=True):
    """Nothing to do until the customer writes (or until `until`); capacity is free."""

    type: ClassVar[str] = "contact.parked"
    agent_id: str | None = None
    until: Instant | None = None
    reason: str


class ContactResumed(ContactDecision, frozen=True, kw_only=True):
    """A parked contact has work again: with its agent when there is room (`agent_id`), else it is queued next.

    The reason `unpaused` is of a paused contact, which goes on: it never left its agent, and nothing else changes.
    """

    type: ClassVar[str] = "contact.resumed"
    agent_id: str | None = None
    reason: str
    waiting_since: Instant


class ContactUnroutable(ContactDecision, frozen=True, kw_only=True):
    """The flag that nobody can or will take a contact, set or ended; the contact keeps its place."""

    type: ClassVar[str] = "contact.unroutable"
    unroutable: bool = True
    reason: str
    """`no_agent` has the skills, `nobody_answers`, `queue_full`, `queue_closed`. When it ends: what ended it."""
    missing: tuple[str, ...] = ()
    """The skills that the agent who comes nearest lacks."""


class ContactWrapUpStarted(ContactDecision, frozen=True, kw_only=True):
    """Done but for the agent's wrap-up, which takes capacity."""

    type: ClassVar[str] = "contact.wrap_up_started"
    agent_id: str
    until: Instant
    resolution: str


class ContactWrapUpExtended(ContactDecision, frozen=True, kw_only=True):
    """The agent takes longer."""

    type: ClassVar[str] = "contact.wrap_up_extended"
    agent_id: str
    until: Instant
    extended_seconds: int
    """By how much it was extended in all."""


class ContactWrapUpEnded(ContactDecision, frozen=True, kw_only=True):
    """The agent is free of it; `contact.closed` follows."""

    type: ClassVar[str] = "contact.wrap_up_ended"
    agent_id: str


class ContactClosed(ContactDecision, frozen=True, kw_only=True):
    """Resolved, withdrawn, or going on elsewhere: `resolution` says which."""

    type: ClassVar[str] = "contact.closed"
    agent_id: str | None = None
    resolution: str


class ContactAbandoned(ContactDecision, frozen=True, kw_only=True):
    """The customer left before being served."""

    type: ClassVar[str] = "contact.abandoned"
    agent_id: str | None = None
    reason: str


class AgentDecision(Event, frozen=True, kw_only=True):
    topic: ClassVar[Topic | None] = ROUTING
    subject_field: ClassVar[str] = "agent_id"
    agent_id: str


class AgentPresenceChanged(AgentDecision, frozen=True, kw_only=True):
    """An agent came, went, wants to leave when free (`next_status`), fell silent, or was sent away."""

    type: ClassVar[str] = "agent.presence_changed"
    later: ClassVar[tuple[str, ...]] = ("next_status", "until")
    status: PresenceStatus
    reason: str | None = None
    lease_until: Instant | None = None
    release_at: Instant | None = None
    """When an absent agent's unanswered contacts go back to their queues."""
    next_status: PresenceStatus | None = None
    """What a busy agent becomes, for `reason`, when the last contact leaves."""
    until: Instant | None = None
    """The end of the shift: no new work from then on, and offline when free."""


class AgentUpdated(AgentDecision, frozen=True, kw_only=True):
    """An agent's configuration from now on."""

    type: ClassVar[str] = "agent.updated"
    later: ClassVar[tuple[str, ...]] = ("missed_offers_max",)
    config_version: int
    deleted: bool = False
    skills: dict[str, int] = {}
    capacity: Capacity = Capacity()
    preferred_queues: tuple[str, ...] = ()
    missed_offers_max: int = 0
    """After so many offers missed in a row the agent goes away; 0 for never."""
