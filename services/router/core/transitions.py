"""Steps of a contact's life that several decisions share, each as the events that it consists of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from libs.common.events import SECOND, Event
from libs.common.events.routing import (
    ContactAbandoned,
    ContactAssigned,
    ContactClosed,
    ContactOverflowed,
    ContactParked,
    ContactQueued,
    ContactReleased,
    ContactResumed,
    ContactTransferred,
    ContactUnroutable,
    ContactWrapUpEnded,
    ContactWrapUpStarted,
    OfferWithdrawn,
)
from libs.common.events.values import OverflowReason, QueuedReason
from services.router.core.admission import Hop, hops, opening, refusal, rules_of, standing, takes
from services.router.core.desks import Desk, cost
from services.router.core.floor import Floor
from services.router.core.outcomes import Events
from services.router.core.pauses import makes_room, paused_for
from services.router.core.policy import Kept, Signals, boost_of, last_agent_until, named, signals_of
from services.router.core.roster import on_roster
from services.router.core.state import Contact, Offer, Queue, Rules, first_choices, offer_id

ANSWERED_ELSEWHERE: Final = "answered_elsewhere"
REFERRED: Final = "referred"
LEAVES_ITS_AGENT: Final = (ContactReleased, ContactParked, ContactTransferred, ContactClosed, ContactAbandoned)
"""The resolution of a contact that goes on in another pool."""


def queued(
    floor: Floor, now: int, contact: Contact, reason: QueuedReason, *,
    signals: Signals | None = None, since: int | None = None, last_agent: str | None = None,
    opens_at: int | None = None,
) -> ContactQueued:  # fmt: skip
    """The contact waits from now on, by the rules and the promise that are pinned to it."""
    signals = signals or signals_of(contact)
    since = contact.waiting_since if since is None else since
    boost = boost_of(floor.policy.weights, signals, contact.raised)
    rules = rules_now(floor, contact)
    queue = floor.queues.get(rules.queue)
    kept = Kept(contact.target, contact.target_version, contact.target_seconds)
    most_seconds = queue.last_agent_seconds if queue is not None else 45
    first = [one for one in first_choices(contact.own, last_agent) if reason != "released" or one != contact.agent_id]
    able = (one for one in first if _is_able(floor, contact, one))
    holds = (last_agent_until(floor, one, since, boost.whole, kept, most_seconds, now) for one in able)
    return ContactQueued(
        key=floor.key, at=now, contact_id=contact.id, reason=reason, queue=rules.queue,
        account=contact.account, channel=contact.channel, medium=contact.medium,
        visibility=signals.visibility, customer_id=contact.customer_id, opened_at=contact.opened_at,
        waiting_since=since, tier=signals.tier, strikes=signals.strikes, repeat_of=contact.repeat_of,
        linked_to=contact.linked_to, consult_of=contact.consult_of,
        last_agent=last_agent,
        last_agent_until=next((until for until in holds if until is not None), None),
        reach=signals.reach, sentiment=signals.sentiment, language=signals.language, topics=signals.topics,
        attributes=contact.attributes, requirement=rules.requirement, own_requirement=contact.own,
        relax=rules.relax, offer_seconds=rules.offer_seconds, offers_max=rules.offers_max,
        parallel_offers=rules.parallel_offers, auto_accept=rules.auto_accept,
        wrap_up_seconds=rules.wrap_up_seconds, opens_at=opens_at, overflow=rules.overflow,
        language_level=rules.language_level, group_max=rules.group_max, incident_key=contact.incident_key,
        raised=contact.raised, boost=boost.whole, terms=named(boost.terms), target=kept.target,
        target_version=kept.version, target_seconds=kept.seconds, policy_version=floor.policy.version,
    )  # fmt: skip


def rules_now(floor: Floor, contact: Contact) -> Rules:
    """Those that are pinned to it; of a queue that was migrated, its successor's."""
    queue = floor.queues.get(contact.rules.queue)
    if queue is None or queue.successor is None:
        return contact.rules
    return rules_of(standing(floor, queue.id), contact.visibility, contact.medium)


def lined_up(
    floor: Floor, now: int, contact: Contact, reason: QueuedReason, *,
    signals: Signals | None = None, since: int | None = None, last_agent: str | None = None,
) -> Events:  # fmt: skip
    """The contact comes to its queue, goes on from there if it is turned away, and is flagged where it is refused."""
    queue = floor.queues.get(rules_now(floor, contact).queue)
    opens_at = None if queue is None else opening(queue, now)
    entry = queued(
        floor, now, contact, reason, signals=signals, since=since, last_agent=last_agent, opens_at=opens_at
    )
    if queue is None or takes(floor, queue, now):
        return (entry,)
    came = replace(
        contact, last_agent=last_agent, waiting_since=entry.waiting_since, **(signals or signals_of(contact))._asdict()
    )
    return (entry, *gone_on(floor, now, came, queue))


def gone_on(floor: Floor, now: int, contact: Contact, queue: Queue) -> Events:
    """What follows when a contact has come to a queue: on to others, and a flag where the last one refuses it."""
    events: list[Event] = []
    been, here = contact.been, queue
    for hop in hops(floor, queue, been, now):
        rules = rules_of(here, contact.visibility, contact.medium)
        events += moved_on(floor, now, replace(contact, been=been, rules=rules), hop)
        been, here = (*been, here.id), hop.queue
    reason = refusal(floor, here, now)
    if reason is not None:
        events.append(ContactUnroutable(key=floor.key, at=now, contact_id=contact.id, reason=reason))
    return tuple(events)


def overflowed(floor: Floor, now: int, contact: Contact, goal: Queue, reason: OverflowReason) -> Events:
    """The contact leaves the queue that it waits in for another, which may turn it away as well."""
    there = replace(contact, been=(*contact.been, contact.rules.queue))
    return (
        *offer_withdrawn(floor, now, contact, reason),
        *flag_ended(floor, now, contact, "overflowed"),
        *moved_on(floor, now, contact, Hop(goal, reason)),
        *gone_on(floor, now, there, goal),
    )


def moved_on(floor: Floor, now: int, contact: Contact, hop: Hop) -> Events:
    """One hop; age and promise stay what they are."""
    there = replace(contact, rules=rules_of(hop.queue, contact.visibility, contact.medium))
    step = ContactOverflowed(
        key=floor.key, at=now, contact_id=contact.id, from_queue=contact.rules.queue, queue=hop.queue.id,
        reason=hop.reason,
    )  # fmt: skip
    opens_at = opening(hop.queue, now)
    return (step, queued(floor, now, there, "overflowed", last_agent=contact.last_agent, opens_at=opens_at))


def _is_able(floor: Floor, contact: Contact, agent_id: str | None) -> bool:
    desk = on_roster(floor, agent_id)
    return desk is not None and floor.need_at(contact, 0).allows(desk.agent)


def offer_withdrawn(
    floor: Floor, now: int, contact: Contact, reason: str, offers: Iterable[Offer] | None = None
) -> Events:
    """These of its live offers, all of them unless it is said."""
    return tuple(
        OfferWithdrawn(
            key=floor.key, at=now, contact_id=contact.id, offer_id=offer_id(contact, offer.number),
            agent_id=offer.agent_id, reason=reason,
        )
        for offer in (contact.offers if offers is None else offers)
    )  # fmt: skip


def flag_ended(floor: Floor, now: int, contact: Contact, reason: str) -> Events:
    if contact.unroutable is None:
        return ()
    return (ContactUnroutable(key=floor.key, at=now, contact_id=contact.id, unroutable=False, reason=reason),)


def assigned(
    floor: Floor, now: int, contact: Contact, desk: Desk, *,
    units: int, offer: str | None, forced: bool = False, group: str | None = None,
) -> Events:  # fmt: skip
    """The agent takes it, and pauses for it what has to make room."""
    return (
        *paused_for(floor, now, contact, desk, units),
        ContactAssigned(
            key=floor.key, at=now, contact_id=contact.id, agent_id=desk.agent.id, offer_id=offer,
            queue=contact.rules.queue, channel=contact.channel, medium=contact.medium, units=units,
            waited_seconds=max(0, now - contact.waiting_since) / SECOND, forced=forced, group_id=group,
        ),
    )  # fmt: skip


def released(floor: Floor, now: int, contact: Contact, reason: str, signals: Signals | None = None,
             since: int | None = None) -> Events:  # fmt: skip
    """The contact leaves its agent and waits again; it keeps its age."""
    assert contact.agent_id is not None
    return (
        ContactReleased(key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, reason=reason),
        queued(floor, now, contact, "released", signals=signals, since=since),
    )


def parked(floor: Floor, now: int, contact: Contact, reason: str, until: int | None = None) -> Events:
    return (
        *offer_withdrawn(floor, now, contact, reason),
        *flag_ended(floor, now, contact, reason),
        ContactParked(
            key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, until=until, reason=reason
        ),
    )


def resumed(
    floor: Floor, now: int, contact: Contact, reason: str, *, since: int, signals: Signals | None = None
) -> Events:
    """A parked contact has work again: with its agent when there is room, else it waits for them first."""
    desk = floor.desks.get(contact.agent_id or "")
    kind = (contact.channel, contact.medium)
    there = desk is not None and desk.has_room_for_own(kind) and _is_able(floor, contact, contact.agent_id)
    agent_id = contact.agent_id if there else None
    resume = ContactResumed(
        key=floor.key, at=now, contact_id=contact.id, agent_id=agent_id, reason=reason, waiting_since=since
    )
    if there:
        assert desk is not None
        units = cost(desk.agent.capacity, kind)
        return (resume, *assigned(floor, now, contact, desk, units=units, offer=None))
    last_agent = contact.agent_id or contact.last_agent
    return (
        resume,
        *lined_up(floor, now, contact, "resumed", since=since, signals=signals, last_agent=last_agent),
    )


def finished(floor: Floor, now: int, contact: Contact, resolution: str) -> Events:
    """Closed, after the wrap-up that its queue allows the agent."""
    if wraps_up(floor, contact):
        assert contact.agent_id is not None
        until = now + contact.rules.wrap_up_seconds * SECOND
        return (
            ContactWrapUpStarted(
                key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, until=until,
                resolution=resolution,
            ),
        )  # fmt: skip
    return (*offer_withdrawn(floor, now, contact, "closed"), closed(floor, now, contact, resolution))


def wraps_up(floor: Floor, contact: Contact) -> bool:
    """Whether closing it leaves its agent with a wrap-up: none of what is paused, or would be for the live offer."""
    if contact.state != "assigned" or contact.paused_at is not None or not contact.rules.wrap_up_seconds:
        return False
    return not makes_room(floor.desks[contact.agent_id or ""], contact)


def closed(floor: Floor, now: int, contact: Contact, resolution: str) -> ContactClosed:
    return ContactClosed(key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, resolution=resolution)


def wrapped_up(floor: Floor, now: int, contact: Contact) -> Events:
    assert contact.agent_id is not None, "an agent wraps up"
    return (
        ContactWrapUpEnded(key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id),
        closed(floor, now, contact, contact.resolution or "solved"),
    )


def customer_left(floor: Floor, now: int, contact: Contact, reason: str) -> Events:
    """Who hangs up unserved has abandoned; who hangs up in or after the conversation has ended it."""
    match contact.state:
        case "wrap_up":
            return ()
        case "parked":
            return (closed(floor, now, contact, reason),)
        case "assigned" if contact.answered:
            return finished(floor, now, contact, reason)
        case _:
            return (
                *offer_withdrawn(floor, now, contact, reason),
                ContactAbandoned(
                    key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, reason=reason
                ),
            )
