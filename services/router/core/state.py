"""What the router remembers of a partition, one entity a record of its state topic.

Entities are plain data: `decide` reads them, `evolve` alone changes them, msgspec writes them as JSON. Their keys are
`<kind>|<workspace>/<pool>|<id>`. Everything else (heaps, agents by profile, timers) is derived from them and rebuilt
when they are restored. Times are microseconds since 1970 UTC, boosts and weights thousandths.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from libs.common.events.values import (
    Capacity,
    Match,
    Medium,
    Metric,
    Overflow,
    PresenceStatus,
    QueueRules,
    RelaxReason,
    RelaxStep,
    Requirement,
    Scalar,
    Tier,
    Visibility,
)
from services.router.core.pace import Pace
from services.router.core.requirements import speaking

ContactState = Literal["waiting", "offered", "assigned", "parked", "wrap_up"]

DEFAULT_WEIGHTS: Final = {"reach": 130, "sentiment": 50, "tier": 50, "strikes": 100}
OPTIONAL_TERMS: Final = ("velocity", "urgency")
"""Terms without weight unless a pool gives them one; without weight they are no part of a boost."""
OFFER: Final = ".offer."
"""Between a contact's id and the number of one of its offers."""
TERMS: Final = ("reach", "sentiment", "tier", "strikes", "raised", *OPTIONAL_TERMS)
"""The parts of a boost, in the order in which a contact keeps them; the optional ones only where they weigh."""


@dataclass(slots=True)
class Seen:
    """Something that contacts of this pool have needed: what makes an agent versatile, or ready for calls."""

    own: Requirement | None
    requirement: Requirement
    calls: bool


@dataclass(slots=True)
class Pool:
    id: str
    sequence: int = 0
    deleted: bool = False
    seen: list[Seen] = field(default_factory=list)
    recheck_after: str | None = None
    """While dead ends are looked at again: the last contact's id that was; None when there is nothing to look at."""
    reweigh_after: str | None = None
    """While those who wait take new weights: the last contact's id that has; None when all have."""


@dataclass(slots=True)
class Policy:
    version: int = 0
    weights: dict[str, int] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))


@dataclass(frozen=True, slots=True)
class Rules:
    """What a queue's contacts are treated by, pinned when they enter and shared by all of them."""

    queue: str
    requirement: Requirement = field(default_factory=Requirement)
    relax: tuple[RelaxStep, ...] = ()
    offer_seconds: int = 20
    offers_max: int = 5
    wrap_up_seconds: int = 0
    parallel_offers: int = 1
    auto_accept: bool = False
    overflow: Overflow | None = None
    version: int = 0
    """Of the queue, when the contact entered it; 0 for a queue that was never configured."""
    language_level: int = 0
    """At least so well an agent must speak the contact's language; 0 where that isn't asked."""
    group_max: int = 0
    """How many contacts of one incident are offered as one; 0 where each is offered alone."""


class Queue(QueueRules, frozen=False, kw_only=True):  # type: ignore[misc]  # msgspec lets it
    """A queue by its rules, and what becomes of it."""

    id: str
    sequence: int = 0
    version: int = 0
    deleted: bool = False
    successor: str | None = None
    """Where a deleted queue's contacts go when they come back to it."""
    drain_to: str | None = None
    """Where everything that waits here goes; None when it isn't being drained."""
    drain_after: str = ""
    """Of those who wait here, the ids up to this one have gone."""
    drain_at: int = 0
    """When the next of them go."""


@dataclass(slots=True)
class Agent:
    id: str
    sequence: int = 0
    version: int = 0
    deleted: bool = False
    skills: dict[str, int] = field(default_factory=dict)
    capacity: Capacity = field(default_factory=Capacity)
    preferred_queues: tuple[str, ...] = ()
    status: PresenceStatus = "offline"
    reason: str | None = None
    lease_until: int | None = None
    release_at: int | None = None
    """When what an absent agent hasn't answered goes back to its queue."""
    shift: int = 0
    """Counts how often the agent became available: who declined in an earlier shift may be asked again."""
    last_assigned_at: int = 0
    ageing_credit: int = 0
    express_credit: int = 0
    ageing_channel: str = ""
    to_fill: bool = False
    """Has room that hasn't been looked at: the next `Settle` picks for this agent."""
    next_status: PresenceStatus | None = None
    """What the agent becomes, for `reason`, when the last contact leaves; busy until then."""
    until: int | None = None
    """The end of the shift."""
    missed: int = 0
    """Offers missed in a row."""
    missed_offers_max: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A live offer."""

    number: int
    agent_id: str
    expires_at: int
    units: int


@dataclass(slots=True)
class Contact:
    """An open contact. Its requirement now: `own`, and the queue's part after `relaxed` steps (`requirement_at`)."""

    id: str
    rules: Rules
    account: str
    channel: str
    medium: Medium
    visibility: Visibility
    customer_id: str
    opened_at: int
    waiting_since: int
    target_seconds: int
    state: ContactState = "waiting"
    sequence: int = 0
    tier: Tier = "standard"
    strikes: int = 0
    repeat_of: str | None = None
    linked_to: str | None = None
    consult_of: str | None = None
    consults: tuple[str, ...] = ()
    """Those of it that are open, in the order in which they were asked for."""
    last_agent: str | None = None
    last_agent_until: int | None = None
    reach: int = 1
    sentiment: float = 0.0
    language: str | None = None
    topics: tuple[str, ...] = ()
    attributes: dict[str, Scalar] = field(default_factory=dict)
    velocity: int = 0
    """Shares and reactions an hour, by the last report; `spread` and `spread_at` are what it was measured against."""
    spread: int = 0
    spread_at: int = 0
    urgency: int = 0
    """How urgent the platform says it is, in thousandths."""
    own: Requirement | None = None
    boost: int = 0
    terms: tuple[int, ...] = ()
    raised: int = 0
    manual: bool = False
    """A supervisor has set `raised`: no escalation changes it any more."""
    target: str | None = None
    target_version: int = 0
    policy_version: int = 0
    relaxed: int = 0
    relaxed_at: int = 0
    """When its present step began; 0 for what was queued before that was noted, whose steps count from its wait."""
    relaxed_by: RelaxReason | None = None
    answered: bool = False
    """Nothing of the customer's is unanswered; a call is answered by being connected."""
    wrote_at: int = 0
    """When the customer last wrote again; 0 for never since it opened."""
    entered_at: int = 0
    """When it came to wait in its queue: what overflow by time counts from."""
    been: tuple[str, ...] = ()
    """Queues that it has overflowed from: it enters none of them again by overflow."""
    load_seen_at: int = 0
    """When its expected wait was last looked at in this queue; 0 for never."""
    opens_at: int | None = None
    """Its queue is closed: until then nobody is sought for it."""
    to_place: bool = False
    """Nobody has been sought for it yet: the next `Settle` does."""
    offers_made: int = 0
    offers: tuple[Offer, ...] = ()
    """The live ones, by number (`set_offers`)."""
    offer_agent: str | None = None
    offer_expires_at: int | None = None
    """Whose the oldest live offer is, and when the first of them ends: all that a record says that had but one."""
    asked: tuple[tuple[str, int], ...] = ()
    """(agent, shift) of who was asked in this round and didn't take it, ascending."""
    bounces: int = 0
    declined: tuple[tuple[int, str], ...] = ()
    """(number of the offer, agent) of the last declines: the same decline again changes nothing."""
    unroutable: str | None = None
    """Why nobody can or will take it, while that is so."""
    agent_id: str | None = None
    """Who holds it, and while it is parked who held it."""
    assigned_at: int = 0
    """When its agent got it, where that is counted (`pace.py`)."""
    units: int = 0
    incident_key: str | None = None
    group: str | None = None
    """The first contact of the group that it is offered or assigned with; an offer's first has none yet."""
    companions: int = 0
    """How many are offered with it."""
    alone: bool = False
    """It has broken out of a group, and joins none any more."""
    accepted: int = 0
    """The number of the offer by which its agent got it."""
    paused_for: str | None = None
    """The contact that its agent has taken meanwhile."""
    paused_at: int | None = None
    """Since when it is paused, as far as `paused_total` doesn't count it; None while it isn't."""
    paused_total: int = 0
    """Microseconds of all its pauses."""
    parked_until: int | None = None
    wrap_up_until: int | None = None
    wrap_up_extended: int = 0
    """Seconds by which it was extended in all."""
    resolution: str | None = None
    moved_to_private_at: int | None = None
    """When the company took a public conversation to a private one; `moved_from` and `public_reach` are what it was."""
    moved_from: Visibility | None = None
    public_reach: int = 1
    private_acknowledged_at: int | None = None
    """When somebody was first seen to write there."""
    version: int = 0
    """Counts its entries into the heaps: entries with another version are dead."""
    timer: int = 0
    """When its next timer is due; 0 for none."""

    def __post_init__(self) -> None:
        if self.offer_agent is not None and not self.offers:
            self.offers = (Offer(self.offers_made, self.offer_agent, self.offer_expires_at or 0, self.units),)


@dataclass(slots=True)
class Closed:
    """The memory of a closed contact, 24 h long. `id` is the first contact's, `last` the last generation's."""

    id: str
    last: str
    generation: int
    sequence: int
    state: Literal["closed", "abandoned"]
    until: int
    queue: str
    agent_id: str | None = None
    resolution: str | None = None


@dataclass(slots=True)
class Target:
    target_id: str
    version: int
    match: Match
    metric: Metric
    seconds: int


Entity = Pool | Policy | Pace | Queue | Agent | Contact | Closed | Target
ENTITIES: Final[dict[str, type[Entity]]] = {
    "pool": Pool, "policy": Policy, "pace": Pace, "queue": Queue, "agent": Agent, "contact": Contact, "closed": Closed,
    "target": Target,
}  # fmt: skip


def requirement_at(contact: Contact, step: int) -> Requirement:
    """The queue's part of what the contact needs once `step` relaxation steps have passed; its language always."""
    rules = contact.rules
    asked = rules.relax[step - 1].requirement if step else rules.requirement
    return speaking(asked, contact.language, rules.language_level)


def first_choices(own: Requirement | None, last_agent: str | None) -> tuple[str, ...]:
    """Who goes first while a contact is held: whom it prefers, in that order, then the customer's last agent."""
    preferred = own.prefer_agents if own is not None else ()
    return preferred if last_agent is None else (*preferred, last_agent)


def set_offers(contact: Contact, offers: tuple[Offer, ...]) -> None:
    contact.offers = offers
    contact.offer_agent = offers[0].agent_id if offers else None
    contact.offer_expires_at = min((offer.expires_at for offer in offers), default=None)


def offer_of(contact: Contact, number: int) -> Offer | None:
    """The live offer with this number."""
    return next((offer for offer in contact.offers if offer.number == number), None)


def offer_id(contact: Contact, number: int) -> str:
    """`con_x.offer.3`"""
    return f"{contact.id}{OFFER}{number}"


def contact_and_number(offer_id: str) -> tuple[str, int]:
    """`con_x.offer.3` → (`con_x`, 3); number 0 for what is no offer's id."""
    contact_id, separator, number = offer_id.rpartition(OFFER)
    return (contact_id, int(number)) if separator and number.isdecimal() else ("", 0)


def offer_number(offer_id: str) -> int:
    """`con_x.offer.3` → 3"""
    return contact_and_number(offer_id)[1]


def id_of_next(contact: Contact, kind: str) -> str:
    """`con_x.linked.7`: of what comes of the contact's next decision, and named after it, so that no two are alike."""
    return f"{contact.id}.{kind}.{contact.sequence + 1}"


def is_sought_for(contact: Contact) -> bool:
    """Whether an agent may be found for it: it waits, or fewer are asked at once than its queue wants."""
    return contact.state == "waiting" or is_short(contact)


def is_short(contact: Contact) -> bool:
    """Whether more agents shall be asked beside those who are: not while its last agent goes first."""
    live = len(contact.offers)
    return (
        contact.state == "offered"
        and live < contact.rules.parallel_offers
        and contact.bounces + live < contact.rules.offers_max
        and contact.last_agent_until is None
        and offer_of(contact, contact.accepted) is None
    )


def line_of(contact: Contact | None) -> str | None:
    """The queue in whose line the contact stands; None when it doesn't wait for an agent."""
    in_line = contact is not None and contact.state in ("waiting", "offered")
    return contact.rules.queue if contact is not None and in_line else None


def holders_of(contact: Contact) -> tuple[str, ...]:
    """Whose capacity the contact takes: an offer's and a wrap-up's count like an assignment's."""
    match contact.state:
        case "offered":
            return tuple(offer.agent_id for offer in contact.offers)
        case "assigned" | "wrap_up" if contact.agent_id is not None:
            return (contact.agent_id,)
        case _:
            return ()


def units_held(contact: Contact, agent_id: str) -> int:
    """What it takes of this agent's capacity: by an offer each agent's own cost."""
    units = (offer.units for offer in contact.offers if offer.agent_id == agent_id)
    return next(units, contact.units)


def base_and_generation(contact_id: str) -> tuple[str, int]:
    """`con_x.r2` → (`con_x`, 2); a first contact is generation 1."""
    base, separator, number = contact_id.rpartition(".r")
    return (base, int(number)) if separator and number.isdecimal() else (contact_id, 1)
