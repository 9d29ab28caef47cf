"""What callers get: an entity of the projection as the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from libs.common.directory import ReceivedContact
from libs.common.events import SECOND, values
from libs.common.events.codec import moment
from libs.common.http import ViewModel
from services.router.api_admission import AdmissionView, admission_view
from services.router.api_models import OwnRequirement, RelaxStep, Requirement
from services.router.core.interruption import pause_left
from services.router.core.policy import audience
from services.router.core.queues import score_of, thousandths
from services.router.core.state import OPTIONAL_TERMS, Agent, Contact, Policy, Queue, offer_id
from services.router.reads import Row

NEEDS_AN_AGENT: Final = ("waiting", "offered")


def plain(value: values.Value) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(value)
    return built


class PresenceView(ViewModel):
    agent_id: str
    status: str
    reason: str | None
    lease_until: datetime | None
    """Until then the agent counts as there without another call."""
    next_status: str | None
    """What the agent becomes, for the reason, when the last contact leaves; busy until then."""
    until: datetime | None
    """The end of the shift."""


class CapacityView(ViewModel):
    """As it was put, with every medium's cost."""

    units: int
    cost: dict[str, int]
    max: dict[str, int]
    interrupted_by: dict[str, list[str]] = {}
    wake_up_reserve: int = 0


class AgentView(PresenceView):
    name: str | None
    pool: str
    skills: dict[str, int]
    preferred_queues: list[str]
    capacity: CapacityView
    missed_offers: int
    """In a row, by now."""
    missed_offers_max: int
    used_units: int
    """Taken by offers, assignments and wrap-ups; what is paused takes none."""


class LiveOffer(ViewModel):
    offer_id: str
    agent: str
    expires_at: datetime | None


class OfferView(ViewModel):
    offer_id: str
    contact_id: str
    queue: str
    medium: str
    group_size: int
    """Contacts of one incident that an accept takes: this one, and those offered with it."""
    offered_at: datetime | None
    expires_at: datetime | None


class ContactView(ViewModel):
    contact_id: str
    account: str | None = None
    channel: str | None = None
    medium: str | None = None
    visibility: str | None = None
    state: str
    queue: str | None = None
    agent: str | None = None
    offers: list[LiveOffer] = []
    customer_id: str | None = None
    opened_at: datetime | None = None
    waiting_since: datetime | None = None
    """The customer's oldest unanswered message; null when nothing is unanswered."""
    position: int | None = None
    """1 is served next, as far as the main order of its queue decides; null unless it waits."""
    expected_wait_seconds: float | None = None
    """Until an agent has it, as far as one can know; null unless it waits."""
    expected_wait_interval: tuple[float, float] | None = None
    """Between these the wait ends four times in five."""
    expected_wait_unknown: str | None = None
    """Why there is no number: `nobody_available`, `too_few_seen`, `too_many_waiting` or `unroutable`."""
    score: float | None = None
    """Below 0: time left in units of 1,000 s; from 0 on: lateness in units of the target. Null unless it waits."""
    strikes: int | None = None
    """Earlier failures towards the customer in the last 90 days, at most three."""
    repeat_of: str | None = None
    """The contact of the same conversation that had ended before."""
    linked_to: str | None = None
    """The contact that was referred here, or whose customer is called back."""
    consult_of: str | None = None
    """The contact that help is asked for; this is the consult."""
    consults: list[str] = []
    """The consults about this contact that go on."""
    incident_key: str | None = None
    """What contacts of the same incident have in common, as the platform said."""
    group: str | None = None
    """The first contact of the group that it is offered or assigned with."""
    unroutable: bool = False
    unroutable_reason: str | None = None
    """`no_agent`, `nobody_answers`, `queue_full` or `queue_closed`."""
    opens_at: datetime | None = None
    """Its queue is closed: when it opens, and the contact begins to be offered."""
    reach: int | None = None
    """How many people can see it; 1 in private."""
    language: str | None = None
    topics: list[str] = []
    sentiment: float | None = None
    attributes: dict[str, values.Scalar] = {}
    """All of them, where ingest is in the same process; else those that the account lets onto the log."""
    paused: bool = False
    """Its agent has taken `paused_for` meanwhile; it stays `assigned` and goes on by itself."""
    paused_for: str | None = None
    """The contact that it makes room for."""
    pause_left_seconds: float | None = None
    """How much longer it may be paused in all; null unless it is assigned."""
    parked_until: datetime | None = None
    wrap_up_until: datetime | None = None
    moved_to_private_at: datetime | None = None
    """Since when a public conversation goes on in private; `visibility` and `reach` say so too."""
    private_acknowledged_at: datetime | None = None
    """When somebody was first seen to write there; null while the move is only announced."""
    resolution: str | None = None
    """How it ended: a closed contact's resolution, an abandoned one's reason."""
    closed_at: datetime | None = None


class QueueView(AdmissionView):
    """As it was put: `PUT /v1/queues/{queue_id}` says what each field does."""

    queue_id: str
    name: str | None
    pool: str
    order: int
    match: dict[str, str | list[str]]
    requirement: Requirement | None
    relax: list[RelaxStep]
    offer_seconds: int
    offer_seconds_by_medium: dict[str, int]
    parallel_offers: int
    auto_accept: list[str]
    offers_max: int
    wrap_up_seconds: int
    last_agent_seconds: int
    draining_to: str | None = None
    """Where everything that waits here is being moved."""
    language_skill: bool
    language_level: int
    fallback_queue: str | None
    group_by_incident: bool
    group_max: int
    version: int
    """Counts its changes."""


class PoolView(ViewModel):
    pool_id: str
    name: str | None


class PolicyView(ViewModel):
    pool: str
    version: int
    weights: dict[str, float]
    """The largest share of its target by which each term moves a promise forward."""


def presence_view(agent: Agent) -> PresenceView:
    return PresenceView(
        agent_id=agent.id,
        status=agent.status,
        reason=agent.reason,
        lease_until=moment(agent.lease_until),
        next_status=agent.next_status,
        until=moment(agent.until),
    )


def agent_view(row: Row, name: str | None, used_units: int) -> AgentView:
    agent = row.entity(Agent)
    capacity = agent.capacity
    return AgentView(
        **presence_view(agent).model_dump(),
        name=name,
        pool=row.pool,
        skills=agent.skills,
        preferred_queues=list(agent.preferred_queues),
        capacity=CapacityView.model_validate(msgspec.structs.asdict(capacity)),
        missed_offers=agent.missed,
        missed_offers_max=agent.missed_offers_max,
        used_units=used_units,
    )


def offer_views(row: Row, agent_id: str) -> list[OfferView]:
    """The live offers that this agent has of the contact: one, or none."""
    contact = row.entity(Contact)
    return [
        OfferView(
            offer_id=offer_id(contact, offer.number),
            contact_id=contact.id,
            queue=contact.rules.queue,
            medium=contact.medium,
            group_size=1 + contact.companions,
            offered_at=moment(offer.expires_at - contact.rules.offer_seconds * SECOND),
            expires_at=moment(offer.expires_at),
        )
        for offer in contact.offers
        if offer.agent_id == agent_id
    ]


def contact_view(row: Row, now: int, position: int | None = None) -> ContactView:
    contact = row.entity(Contact)
    view = ContactView(
        contact_id=contact.id,
        account=contact.account,
        channel=contact.channel,
        medium=contact.medium,
        visibility=contact.visibility,
        state=row.state or contact.state,
        queue=contact.rules.queue,
        agent=row.agent,
        customer_id=contact.customer_id,
        opened_at=moment(contact.opened_at),
        strikes=contact.strikes,
        repeat_of=contact.repeat_of,
        linked_to=contact.linked_to,
        consult_of=contact.consult_of,
        incident_key=contact.incident_key,
        reach=contact.reach,
        language=contact.language,
        topics=list(contact.topics),
        sentiment=contact.sentiment,
        attributes=contact.attributes,
    )
    more = ending(row) if row.ended is not None else standing(contact, now) | {"position": position}
    return view.model_copy(update=more)


def received_view(contact: ReceivedContact) -> ContactView:
    """A contact that the router hasn't seen yet."""
    return ContactView(
        contact_id=contact.contact_id,
        account=contact.account,
        channel=contact.channel,
        medium=contact.medium,
        visibility=contact.visibility,
        state="received",
        customer_id=contact.customer_id,
        opened_at=moment(contact.opened_at),
        repeat_of=contact.repeat_of,
        linked_to=contact.linked_to,
        reach=audience(contact.visibility, contact.reach),
        language=contact.language,
        topics=list(contact.topics),
        sentiment=contact.sentiment,
        attributes=contact.attributes,
    )


def standing(contact: Contact, now: int) -> dict[str, Any]:
    """What only an open contact has."""
    needs_an_agent = contact.state in NEEDS_AN_AGENT
    return {
        "waiting_since": None if contact.answered else moment(contact.waiting_since),
        "score": score(contact, now) if needs_an_agent else None,
        "offers": live_offers(contact),
        "group": contact.group,
        "consults": list(contact.consults),
        "unroutable": contact.unroutable is not None,
        "unroutable_reason": contact.unroutable,
        "paused": contact.paused_at is not None,
        "paused_for": contact.paused_for,
        "pause_left_seconds": pause_left(contact, now) / SECOND if contact.state == "assigned" else None,
        "opens_at": moment(contact.opens_at),
        "parked_until": moment(contact.parked_until),
        "wrap_up_until": moment(contact.wrap_up_until),
        "moved_to_private_at": moment(contact.moved_to_private_at),
        "private_acknowledged_at": moment(contact.private_acknowledged_at),
        "resolution": contact.resolution,
    }


def live_offers(contact: Contact) -> list[LiveOffer]:
    return [
        LiveOffer(
            offer_id=offer_id(contact, offer.number), agent=offer.agent_id, expires_at=moment(offer.expires_at)
        )
        for offer in contact.offers
    ]


def ending(row: Row) -> dict[str, Any]:
    """What only a contact that has ended has, from the event that ended it."""
    event = msgspec.json.decode(row.ended or "{}")
    return {"resolution": event.get("resolution", event.get("reason")), "closed_at": moment(row.ended_at)}


def score(contact: Contact, now: int) -> float:
    return thousandths(score_of(contact, now)) / 1_000


def queue_view(row: Row, name: str | None) -> QueueView:
    queue = row.entity(Queue)
    return QueueView(
        queue_id=queue.id,
        name=name,
        pool=row.pool,
        order=queue.order,
        match=plain(queue.match),
        requirement=requirement_view(queue.requirement),
        relax=[
            RelaxStep(
                after_seconds=step.after_seconds,
                requirement=_requirement(step.requirement),
                skip=step.skip,
                wait_over_seconds=step.wait_over_seconds,
            )
            for step in queue.relax
        ],
        offer_seconds=queue.offer_seconds,
        offer_seconds_by_medium=dict[str, int](queue.offer_seconds_by_medium.items()),
        parallel_offers=queue.parallel_offers,
        auto_accept=list(queue.auto_accept),
        offers_max=queue.offers_max,
        wrap_up_seconds=queue.wrap_up_seconds,
        last_agent_seconds=queue.last_agent_seconds,
        draining_to=queue.drain_to,
        language_skill=queue.language_skill,
        language_level=queue.language_level,
        fallback_queue=queue.fallback_queue,
        group_by_incident=queue.group_by_incident,
        group_max=queue.group_max,
        version=queue.version,
        **admission_view(queue),
    )


def requirement_view(requirement: values.Requirement | None) -> Requirement | None:
    return None if requirement is None else _requirement(requirement)


def own_requirement_view(requirement: values.Requirement | None) -> OwnRequirement | None:
    return None if requirement is None else OwnRequirement.model_validate(plain(requirement))


def _requirement(requirement: values.Requirement) -> Requirement:
    return Requirement.model_validate(plain(requirement))


def policy_view(pool: str, policy: Policy) -> PolicyView:
    given = policy.weights | {name: policy.weights.get(name, 0) for name in OPTIONAL_TERMS}
    weights = {name: thousandths / 1_000 for name, thousandths in given.items()}
    return PolicyView(pool=pool, version=policy.version, weights=weights)
