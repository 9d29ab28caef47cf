"""What each decision about a contact changes: the contact, its place among those who wait, and its agent's desk."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from libs.common.events.routing import (
    ContactAssigned,
    ContactParked,
    ContactQueued,
    ContactRelaxed,
    ContactReleased,
    ContactResumed,
    ContactTransferred,
    ContactUnroutable,
    ContactWrapUpExtended,
    ContactWrapUpStarted,
)
from services.router.core.apply_groups import leave_group
from services.router.core.apply_load import count_work
from services.router.core.apply_pauses import end_pause, fall_asleep, wake_up
from services.router.core.facts import ContactNoted
from services.router.core.floor import NOBODY_ANSWERS, Floor
from services.router.core.partition import Partition, shared
from services.router.core.policy import urgency_of
from services.router.core.state import (
    TERMS,
    Contact,
    Rules,
    base_and_generation,
    holders_of,
    is_sought_for,
    requirement_at,
    set_offers,
)
from services.router.core.transitions import ANSWERED_ELSEWHERE

GIVEN_AWAY: Final = ("released", "transferred")
"""Why a contact waits again whose agent was asked to give it to somebody else."""
ELSEWHERE: Final = ("transferred", "overflowed", "fallback")
"""Why a contact waits again by other rules, perhaps."""

# -- waiting ----------------------------------------------------------------------------------------------------


def on_queued(partition: Partition, floor: Floor, event: ContactQueued) -> None:
    contact = floor.contacts.get(event.contact_id)
    if contact is None:
        contact = floor.contacts[event.contact_id] = shared(floor, contact_of(event, floor))
        base, generation = base_and_generation(contact.id)
        if generation > 1:
            floor.heads[base] = contact.id
    else:
        queue_again(partition, floor, contact, event)
    if floor.see(contact):
        partition.mark("pool", floor, floor.pool.id, floor.pool)
    contact.sequence += 1
    contact.entered_at = contact.relaxed_at = event.at
    contact.load_seen_at = 0
    floor.enter(contact)
    floor.seek(contact)
    partition.touch(floor, contact)


def pinned_rules(event: ContactQueued, floor: Floor | None = None) -> Rules:
    """The rules that the event pins, and which version of its queue had them, where that is known."""
    queue = None if floor is None else floor.queues.get(event.queue)
    return Rules(
        event.queue, event.requirement, event.relax, event.offer_seconds, event.offers_max, event.wrap_up_seconds,
        event.parallel_offers, event.auto_accept, event.overflow, 0 if queue is None else queue.version,
        event.language_level, event.group_max,
    )  # fmt: skip


def contact_of(event: ContactQueued, floor: Floor | None = None) -> Contact:
    return Contact(
        id=event.contact_id, rules=pinned_rules(event, floor), account=event.account, channel=event.channel,
        medium=event.medium, visibility=event.visibility, customer_id=event.customer_id, opened_at=event.opened_at,
        waiting_since=event.waiting_since, target_seconds=event.target_seconds, tier=event.tier,
        strikes=event.strikes, repeat_of=event.repeat_of, linked_to=event.linked_to, last_agent=event.last_agent,
        consult_of=event.consult_of, last_agent_until=event.last_agent_until, reach=event.reach,
        sentiment=event.sentiment, language=event.language, topics=event.topics, attributes=event.attributes,
        urgency=urgency_of(event.attributes), incident_key=event.incident_key, own=event.own_requirement,
        boost=event.boost, terms=terms_of(event.terms), raised=event.raised,
        target=event.target, target_version=event.target_version, policy_version=event.policy_version,
        opens_at=event.opens_at,
    )  # fmt: skip


def terms_of(named: dict[str, int]) -> tuple[int, ...]:
    return tuple(named[name] for name in TERMS if name in named)


def queue_again(partition: Partition, floor: Floor, contact: Contact, event: ContactQueued) -> None:
    """A known contact waits again: who gave it away was asked; resumed, nobody was. New rules begin with their first
    step."""
    if contact.state == "waiting":
        floor.leave(contact)
    free(partition, floor, contact)
    wake_up(partition, floor, contact)
    goes_elsewhere = event.reason in ELSEWHERE or event.queue != contact.rules.queue
    moved = goes_elsewhere and moved_rules(floor, contact, event)
    keeps_step = not moved and event.reason in GIVEN_AWAY
    contact.state = "waiting"
    contact.agent_id = None
    contact.answered = False
    contact.parked_until = None
    contact.opens_at = event.opens_at
    contact.bounces = 0
    if not keeps_step:
        contact.relaxed, contact.relaxed_by = 0, None
    contact.asked = contact.asked if event.reason in GIVEN_AWAY else ()
    contact.waiting_since = event.waiting_since
    contact.visibility, contact.tier, contact.strikes = event.visibility, event.tier, event.strikes
    contact.reach, contact.sentiment = event.reach, event.sentiment
    contact.language, contact.topics = event.language, event.topics
    contact.last_agent, contact.last_agent_until = event.last_agent, event.last_agent_until
    contact.boost, contact.terms = event.boost, floor.share(terms_of(event.terms))
    contact.policy_version = event.policy_version


def moved_rules(floor: Floor, contact: Contact, event: ContactQueued) -> bool:
    """Take over the rules and the requirement of its own that the event names; whether they are others."""
    rules, own = pinned_rules(event, floor), event.own_requirement
    if (replace(rules, version=contact.rules.version), own) == (contact.rules, contact.own):
        return False
    contact.rules, contact.own = floor.share(rules), floor.share(own)
    return True


def re_enter(floor: Floor, contact: Contact) -> None:
    """Its place has changed: contacts that agents are sought for are put where they belong now."""
    if is_sought_for(contact):
        floor.leave(contact)
        floor.enter(contact)


def end_hold(floor: Floor, contact: Contact) -> None:
    """The last agent goes first no longer."""
    if contact.last_agent_until is None:
        return
    if is_sought_for(contact):
        floor.leave(contact)
    contact.last_agent_until = None
    if is_sought_for(contact):
        floor.enter(contact)
        floor.seek(contact)


def on_relaxed(floor: Floor, contact: Contact, event: ContactRelaxed) -> None:
    sought = is_sought_for(contact)
    if sought:
        floor.leave(contact)
    contact.relaxed, contact.relaxed_at, contact.relaxed_by = event.step, event.at, event.reason
    if sought:
        floor.enter(contact)
        floor.seek(contact)


def on_noted(floor: Floor, contact: Contact, event: ContactNoted) -> None:
    moved = (contact.reach, contact.visibility, contact.waiting_since) != (
        event.reach, event.visibility, event.waiting_since,
    )  # fmt: skip
    needed = requirement_at(contact, 0)
    contact.visibility, contact.reach, contact.sentiment = event.visibility, event.reach, event.sentiment
    contact.language, contact.topics = event.language, floor.share(event.topics)
    contact.tier, contact.strikes = event.tier, event.strikes
    contact.velocity, contact.urgency = event.velocity, event.urgency
    contact.answered, contact.waiting_since, contact.wrote_at = event.answered, event.waiting_since, event.wrote_at
    speaks_otherwise = requirement_at(contact, 0) != needed
    if moved or speaks_otherwise:
        re_enter(floor, contact)
    if speaks_otherwise and contact.state == "waiting":
        floor.seek(contact)


def on_unroutable(floor: Floor, contact: Contact, event: ContactUnroutable) -> None:
    waits = contact.state == "waiting"
    if waits:
        floor.leave(contact)
    floor.flag(contact, event.reason if event.unroutable else None)
    if event.reason == NOBODY_ANSWERS:
        contact.to_place = False
    if not event.unroutable:
        contact.bounces = 0
    if waits:
        floor.enter(contact)


# -- whose it was --------------------------------------------------------------------------------------------------


def remember_asked(floor: Floor, contact: Contact, agent_id: str) -> None:
    """And so were those who were offered with it."""
    shift = floor.desks[agent_id].agent.shift
    for one in (contact, *floor.groups.get(contact.id, {}).values()):
        earlier = (pair for pair in one.asked if pair[0] != agent_id)
        one.asked = tuple(sorted((*earlier, (agent_id, shift))))


def free(partition: Partition, floor: Floor, contact: Contact) -> None:
    """Who held it has room again."""
    for agent_id in holders_of(contact):
        leave_desk(partition, floor, contact, agent_id)
    contact.group = None


def leave_desk(partition: Partition, floor: Floor, contact: Contact, agent_id: str) -> None:
    desk = floor.desks[agent_id]
    desk.stand_up()
    pieces = desk.pieces
    leave_group(partition, floor, desk, contact)
    if desk.pieces < pieces:
        count_work(partition, floor, contact)
    end_pause(contact, partition.now)
    desk.sit_down()
    floor.feed(desk)
    floor.let_go(desk)
    partition.touch_agent(floor, desk)


# -- work -------------------------------------------------------------------------------------------------------


def on_assigned(partition: Partition, floor: Floor, contact: Contact, event: ContactAssigned) -> None:
    if contact.state == "waiting":
        floor.leave(contact)
    wake_up(partition, floor, contact)
    contact.state = "assigned"
    contact.to_place = False
    contact.last_agent_until = contact.opens_at = None
    contact.agent_id = event.agent_id
    contact.assigned_at = event.at if floor.measures else 0
    set_offers(contact, ())
    contact.asked, contact.bounces = (), 0
    contact.group, contact.companions = event.group_id, 0
    contact.answered = contact.medium == "voice"
    desk = floor.desks[event.agent_id]
    desk.stand_up()
    contact.units = event.units
    desk.take(contact)
    desk.agent.last_assigned_at = event.at
    desk.sit_down()
    if desk.agent.capacity.interrupted_by:
        floor.feed(desk)  # What was an offer can be paused now, and what relied on a pause has had it.
    partition.touch_agent(floor, desk)


def on_released(partition: Partition, floor: Floor, contact: Contact, event: ContactReleased) -> None:
    """It was theirs: somebody else is asked first. `ContactQueued` or `ContactAssigned` follows."""
    remember_asked(floor, contact, event.agent_id)
    free(partition, floor, contact)
    contact.state = "parked"


def on_transferred(partition: Partition, floor: Floor, contact: Contact, event: ContactTransferred) -> None:
    """It leaves where it was. `ContactQueued` or `ContactAssigned` follows."""
    if contact.state == "waiting":
        floor.leave(contact)
    contact.asked = ()
    if contact.state == "assigned" and contact.agent_id is not None:
        remember_asked(floor, contact, contact.agent_id)
    free(partition, floor, contact)
    wake_up(partition, floor, contact)
    contact.state = "parked"
    contact.agent_id = None
    contact.to_place = False
    contact.last_agent_until = contact.opens_at = None
    contact.waiting_since = event.waiting_since


def on_parked(partition: Partition, floor: Floor, contact: Contact, event: ContactParked) -> None:
    if contact.state == "waiting":
        floor.leave(contact)
    free(partition, floor, contact)
    contact.state = "parked"
    contact.to_place = False
    contact.parked_until = event.until
    contact.answered = contact.answered or event.reason == ANSWERED_ELSEWHERE
    contact.last_agent_until = contact.opens_at = None
    fall_asleep(floor, contact)


def on_resumed(contact: Contact, event: ContactResumed) -> None:
    contact.waiting_since = event.waiting_since
    contact.parked_until = None
    contact.answered = False


def on_wrap_up_started(floor: Floor, contact: Contact, event: ContactWrapUpStarted) -> None:
    desk = floor.desks[event.agent_id]
    desk.stand_up()  # It can't be paused any more.
    contact.state = "wrap_up"
    contact.wrap_up_until, contact.resolution = event.until, event.resolution
    desk.sit_down()


def on_wrap_up_extended(contact: Contact, event: ContactWrapUpExtended) -> None:
    contact.wrap_up_until, contact.wrap_up_extended = event.until, event.extended_seconds
