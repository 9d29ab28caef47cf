"""What follows from a fact outside: a contact opens, goes on, is answered elsewhere, or ends without us."""

from __future__ import annotations

from typing import NamedTuple

from libs.common.events import SECOND
from libs.common.events.contacts import (
    ContactEnriched,
    ContactOpened,
    ContactWithdrawn,
    CustomerLeft,
    Message,
    MessageAdded,
    ReachChanged,
    ResponseObserved,
)
from libs.common.events.routing import ContactPriorityChanged
from libs.common.events.values import QueuedReason
from services.router.core import in_private
from services.router.core.admission import queue_for, rules_of
from services.router.core.facts import ContactNoted, SpreadNoted
from services.router.core.floor import Floor
from services.router.core.limits import STRIKES_MAX
from services.router.core.outcomes import Events
from services.router.core.policy import Signals, audience, boost_of, named, promise_of, signals_of, urgency_of
from services.router.core.spread import spread_after, total_of
from services.router.core.state import Closed, Contact, base_and_generation
from services.router.core.traits import traits_of
from services.router.core.transitions import (
    ANSWERED_ELSEWHERE,
    REFERRED,
    closed,
    customer_left,
    lined_up,
    offer_withdrawn,
    parked,
    released,
    resumed,
    wrapped_up,
)


class Previous(NamedTuple):
    """What an earlier contact of the conversation means for a new one."""

    contact_id: str | None
    strikes: int
    agent: str | None


# -- a contact opens --------------------------------------------------------------------------------------------


def on_opened(floor: Floor, opened: ContactOpened, now: int) -> Events:
    if current(floor, opened.contact_id) is not None or opened.contact_id in floor.closed:
        return ()  # It is known: the fact was delivered again.
    previous = Previous(opened.repeat_of, opened.strikes, opened.last_agent)
    return enter(floor, opened, now, opened.contact_id, previous)


def enter(floor: Floor, message: Message, now: int, contact_id: str, previous: Previous) -> Events:
    """A new piece of work."""
    contact = new_contact(floor, message, now, contact_id, previous)
    reason: QueuedReason = "opened" if isinstance(message, ContactOpened) else "reopened"
    entry = lined_up(floor, now, contact, reason, last_agent=previous.agent)
    spread = total_of(message.reach)
    return (*entry, spread_noted(floor, now, contact, spread, now)) if spread else entry


def new_contact(floor: Floor, message: Message, now: int, contact_id: str, previous: Previous) -> Contact:
    since = min(message.occurred_at, now)
    queue = queue_for(floor, message, previous.strikes)
    kept = promise_of(floor, traits_of(message, queue.id, previous.strikes))
    return Contact(
        id=contact_id, rules=rules_of(queue, message.visibility, message.medium), account=message.account,
        channel=message.channel, medium=message.medium, visibility=message.visibility,
        customer_id=message.customer_id, opened_at=since, waiting_since=since, target=kept.target,
        target_version=kept.version, target_seconds=kept.seconds, tier=message.tier, strikes=previous.strikes,
        repeat_of=previous.contact_id, linked_to=message.linked_to if isinstance(message, ContactOpened) else None,
        reach=audience(message.visibility, message.reach), sentiment=message.sentiment,
        language=message.language, topics=message.topics, attributes=dict(sorted(message.attributes.items())),
        urgency=urgency_of(message.attributes), own=message.requirement, incident_key=message.incident_key,
    )  # fmt: skip


# -- a contact goes on ------------------------------------------------------------------------------------------


def current(floor: Floor, contact_id: str) -> Contact | None:
    """The open contact that a fact is about: the id's own, or its conversation's latest generation."""
    contact = floor.contacts.get(contact_id)
    if contact is None:
        base, _ = base_and_generation(contact_id)
        contact = floor.contacts.get(floor.heads.get(base, base))
    return contact


def on_message_added(floor: Floor, added: MessageAdded, now: int) -> Events:
    contact = current(floor, added.contact_id)
    if added.author != "customer":
        return () if contact is None else joined_in(floor, added, now, contact)
    if went_on_elsewhere(floor, added.contact_id, contact):
        return ()
    if contact is None:
        return reopen(floor, added, now)
    signals, wrote_at = signals_after(contact, added), min(added.occurred_at, now)
    seen = in_private.after_message(floor, now, contact, signals)
    return (*seen, *wrote(floor, added, now, contact, signals, wrote_at))


def wrote(
    floor: Floor, added: MessageAdded, now: int, contact: Contact, signals: Signals, wrote_at: int
) -> Events:
    """The customer of an open contact wrote again."""
    match contact.state:
        case "parked":
            since = since_unanswered(contact, wrote_at)
            note = noted(floor, now, contact, signals, answered=False, since=since, wrote_at=wrote_at)
            return (note, *resumed(floor, now, contact, "customer_wrote", since=since, signals=signals))
        case "wrap_up":
            return (*wrapped_up(floor, now, contact), *reopen(floor, added, now, contact))
        case "assigned":
            return unanswered(floor, now, contact, signals, wrote_at)
        case "waiting" | "offered":
            return rescored(floor, now, contact, signals, "customer_wrote", wrote_at=wrote_at)


def went_on_elsewhere(floor: Floor, contact_id: str, contact: Contact | None) -> bool:
    """Whether it was referred to another pool, whose contact the message is: ingest hadn't read of it yet."""
    if contact is not None:
        return contact.state == "wrap_up" and contact.resolution == REFERRED
    memory = floor.closed.get(base_and_generation(contact_id)[0])
    return memory is not None and memory.resolution == REFERRED


def joined_in(floor: Floor, added: MessageAdded, now: int, contact: Contact) -> Events:
    """Somebody else wrote: more people may see it, and the customer is owed no more than before."""
    reach = max(contact.reach, audience(contact.visibility, added.reach))
    return rescored(floor, now, contact, signals_of(contact)._replace(reach=reach), "reach_changed")


def since_unanswered(contact: Contact, wrote_at: int) -> int:
    """Since when the customer waits: after an answer a new wait begins, else the oldest message counts."""
    return wrote_at if contact.answered else contact.waiting_since


def reopen(floor: Floor, added: MessageAdded, now: int, ending: Contact | None = None) -> Events:
    """The next generation of a closed contact: a repeat, and so a strike.

    Of a contact that was forgotten nobody knows how many there were: the second of its message numbers it.
    """
    base, generation = base_and_generation(ending.id if ending is not None else added.contact_id)
    memory = floor.closed.get(base)
    if memory is not None:
        generation = max(generation, memory.generation)
    elif ending is None:
        generation = max(generation, added.occurred_at // SECOND)
    previous = Previous(
        contact_id=ending.id if ending is not None else memory.last if memory is not None else added.contact_id,
        strikes=min(STRIKES_MAX, added.strikes + 1),
        agent=added.last_agent or _agent_of(ending or memory),
    )
    return enter(floor, added, now, f"{base}.r{generation + 1}", previous)


def _agent_of(earlier: Contact | Closed | None) -> str | None:
    return None if earlier is None else earlier.agent_id


def unanswered(floor: Floor, now: int, contact: Contact, signals: Signals, wrote_at: int) -> Events:
    """The customer wrote to an agent. In a call that is no new wait: they are connected."""
    since, desk = since_unanswered(contact, wrote_at), floor.desks.get(contact.agent_id or "")
    if contact.medium == "voice":
        return rescored(floor, now, contact, signals, "customer_wrote", wrote_at=wrote_at)
    note = noted(floor, now, contact, signals, answered=False, since=since, wrote_at=wrote_at)
    if desk is None or desk.agent.status == "offline":
        return (note, *released(floor, now, contact, "agent_offline", signals, since))
    return (note,)


def signals_after(contact: Contact, message: Message) -> Signals:
    """What a later message tells; what it leaves open stays. In private nobody else can see it."""
    reach = audience(message.visibility, message.reach)
    return Signals(
        visibility=message.visibility,
        reach=1 if message.visibility == "private" else max(reach, contact.reach, contact.public_reach),
        sentiment=message.sentiment or contact.sentiment,
        language=message.language or contact.language,
        topics=message.topics or contact.topics,
        tier=message.tier,
        strikes=max(message.strikes, contact.strikes),
        velocity=0 if message.visibility == "private" else contact.velocity,
        urgency=urgency_of(message.attributes) if "urgency" in message.attributes else contact.urgency,
    )


def on_enriched(floor: Floor, enriched: ContactEnriched, now: int) -> Events:
    contact = current(floor, enriched.contact_id)
    if contact is None:
        return ()
    known = signals_of(contact)
    signals = known._replace(
        language=enriched.language if enriched.language is not None else known.language,
        topics=enriched.topics if enriched.topics is not None else known.topics,
        sentiment=enriched.sentiment if enriched.sentiment is not None else known.sentiment,
    )
    return rescored(floor, now, contact, signals, "enriched")


def on_reach_changed(floor: Floor, changed: ReachChanged, now: int) -> Events:
    contact = current(floor, changed.contact_id)
    if contact is None:
        return ()
    spread = spread_after(contact, changed.reach, min(changed.at, now))
    reach = audience(contact.visibility, changed.reach)
    signals = signals_of(contact)._replace(reach=reach, velocity=spread.velocity)
    return (
        spread_noted(floor, now, contact, spread.total, spread.at),
        *rescored(floor, now, contact, signals, "reach_changed"),
    )


def spread_noted(floor: Floor, now: int, contact: Contact, spread: int, at: int) -> SpreadNoted:
    return SpreadNoted(key=floor.key, at=now, contact_id=contact.id, spread=spread, spread_at=at)


def rescored(
    floor: Floor, now: int, contact: Contact, signals: Signals, reason: str, *,
    raised: int | None = None, wrote_at: int | None = None,
) -> Events:  # fmt: skip
    """The contact's place by what is known of it now; nothing when that is what was known."""
    boost = boost_of(floor.policy.weights, signals, contact.raised if raised is None else raised)
    changes: Events = ()
    if signals != signals_of(contact) or wrote_at is not None:
        since = contact.waiting_since
        note = noted(floor, now, contact, signals, answered=contact.answered, since=since, wrote_at=wrote_at)
        changes = (note,)
    if boost == (contact.boost, contact.terms) and signals.reach == contact.reach:
        return changes
    return (
        *changes,
        ContactPriorityChanged(
            key=floor.key, at=now, contact_id=contact.id, boost=boost.whole, terms=named(boost.terms),
            reach=signals.reach, reason=reason, policy_version=floor.policy.version,
        ),
    )  # fmt: skip


def noted(
    floor: Floor, now: int, contact: Contact, signals: Signals, *, answered: bool, since: int,
    wrote_at: int | None = None,
) -> ContactNoted:  # fmt: skip
    return ContactNoted(
        key=floor.key, at=now, contact_id=contact.id, answered=answered, waiting_since=since,
        wrote_at=contact.wrote_at if wrote_at is None else max(contact.wrote_at, wrote_at), **signals._asdict(),
    )  # fmt: skip


# -- a contact ends without us ----------------------------------------------------------------------------------


def on_response(floor: Floor, response: ResponseObserved, now: int) -> Events:
    """Answered: a wait ends. What was answered elsewhere is parked until the customer writes."""
    contact = current(floor, response.contact_id)
    if response.automatic or contact is None or is_overtaken(contact, response):
        return ()
    return (*answered(floor, now, contact), *in_private.after_response(floor, now, contact, response))


def answered(floor: Floor, now: int, contact: Contact) -> Events:
    match contact.state:
        case "waiting" | "offered" if contact.medium != "voice":
            return parked(floor, now, contact, ANSWERED_ELSEWHERE)
        case "assigned" | "parked" if not contact.answered:
            signals = signals_of(contact)
            return (noted(floor, now, contact, signals, answered=True, since=contact.waiting_since),)
        case _:
            return ()


def is_overtaken(contact: Contact, response: ResponseObserved) -> bool:
    """It was given before the customer wrote again, or came back: it answers nothing of that, and is learnt of late."""
    came_back = contact.id != response.contact_id and response.occurred_at < contact.opened_at
    return came_back or response.occurred_at < contact.wrote_at


def on_customer_left(floor: Floor, left: CustomerLeft, now: int) -> Events:
    contact = current(floor, left.contact_id)
    return () if contact is None else customer_left(floor, now, contact, left.reason)


def on_withdrawn(floor: Floor, withdrawn: ContactWithdrawn, now: int) -> Events:
    contact = current(floor, withdrawn.contact_id)
    if contact is None:
        return ()
    return (
        *offer_withdrawn(floor, now, contact, "contact_withdrawn"),
        closed(floor, now, contact, "withdrawn"),
    )
