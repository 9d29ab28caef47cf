"""Applies one decided event to the state, and chooses nothing. Every public event counts for its subject."""

from __future__ import annotations

from libs.common.events import Event, consults, in_private, routing, rules
from libs.common.events.routing import ContactDecision
from libs.common.events.values import QueueRules
from services.router.core import (
    apply_agents,
    apply_contacts,
    apply_ends,
    apply_groups,
    apply_offers,
    apply_overflow,
    apply_pauses,
    apply_priority,
    facts,
)
from services.router.core.desks import Desk
from services.router.core.floor import Floor
from services.router.core.partition import Partition
from services.router.core.state import Contact, Queue, Target, base_and_generation, line_of


def evolve(partition: Partition, event: Event) -> None:
    if isinstance(event, facts.TargetKept):
        on_target(partition, event)
        return
    floor = partition.floor(event.key)
    match event:
        case ContactDecision():
            before = line_of(floor.contacts.get(event.contact_id))
            on_decision(partition, floor, event)
            floor.count(before, line_of(floor.contacts.get(event.contact_id)))
        case facts.MemoryEnded():
            del floor.closed[event.contact_id]
            partition.mark("closed", floor, event.contact_id, None)
        case facts.OfContact():
            on_fact_of_contact(partition, floor, floor.contacts[event.contact_id], event)
        case routing.AgentUpdated():
            apply_agents.on_updated(partition, floor, event)
        case routing.AgentDecision() | facts.OfAgent():
            on_agent(partition, floor, floor.desks[event.agent_id], event)
        case facts.LeasesRenewed():
            apply_agents.on_leases_renewed(partition, floor, event)
        case _:
            on_configuration(partition, floor, event)


def on_decision(partition: Partition, floor: Floor, event: ContactDecision) -> None:
    if isinstance(event, routing.ContactQueued):
        apply_contacts.on_queued(partition, floor, event)
    else:
        on_contact(partition, floor, floor.contacts[event.contact_id], event)


def on_contact(partition: Partition, floor: Floor, contact: Contact, event: ContactDecision) -> None:
    contact.sequence += 1
    match event:
        case routing.ContactOffered() | routing.OfferDecision(): on_offer(partition, floor, contact, event)
        case routing.ContactAssigned(): apply_contacts.on_assigned(partition, floor, contact, event)
        case routing.ContactReleased(): apply_contacts.on_released(partition, floor, contact, event)
        case routing.ContactTransferred(): apply_contacts.on_transferred(partition, floor, contact, event)
        case routing.ContactRelaxed(): apply_contacts.on_relaxed(floor, contact, event)
        case routing.ContactOverflowed(): apply_overflow.on_overflowed(floor, contact, event)
        case routing.ContactPriorityChanged(): apply_priority.on_changed(floor, contact, event)
        case routing.ContactPaused(): apply_pauses.on_paused(floor, contact, event)
        case routing.ContactResumed(reason="unpaused"): apply_pauses.on_unpaused(floor, contact, event.at)
        case in_private.ContactMovedToPrivate(): apply_priority.on_moved_to_private(floor, contact, event)
        case in_private.ContactPrivateAcknowledged(): contact.private_acknowledged_at = event.at
        case in_private.ContactReturnedToPublic(): apply_priority.on_returned_to_public(floor, contact, event)
        case consults.ContactConsulted(): contact.consults = (*contact.consults, event.consult_id)
        case routing.ContactParked(): apply_contacts.on_parked(partition, floor, contact, event)
        case routing.ContactResumed(): apply_contacts.on_resumed(contact, event)
        case routing.ContactUnroutable(): apply_contacts.on_unroutable(floor, contact, event)
        case routing.ContactBrokeOut(): apply_groups.on_broke_out(partition, floor, contact, event)
        case routing.ContactWrapUpStarted(): apply_contacts.on_wrap_up_started(floor, contact, event)
        case routing.ContactWrapUpExtended(): apply_contacts.on_wrap_up_extended(contact, event)
        case routing.ContactWrapUpEnded(): contact.wrap_up_until = None
        case routing.ContactClosed() | routing.ContactAbandoned():
            apply_ends.on_ended(partition, floor, contact, event)
            return
    partition.touch(floor, contact)


def on_offer(
    partition: Partition, floor: Floor, contact: Contact, event: routing.ContactOffered | routing.OfferDecision
) -> None:
    match event:
        case routing.ContactOffered(): apply_offers.on_offered(partition, floor, contact, event)
        case routing.OfferAccepted(): apply_offers.on_accepted(partition, floor, contact, event)
        case routing.OfferDeclined(): apply_offers.on_declined(partition, floor, contact, event)
        case routing.OfferExpired(): apply_offers.on_expired(partition, floor, contact, event)
        case routing.OfferWithdrawn(): apply_offers.on_offer_withdrawn(partition, floor, contact, event)


def on_fact_of_contact(partition: Partition, floor: Floor, contact: Contact, event: facts.OfContact) -> None:
    match event:
        case facts.ContactPlaced():
            contact.to_place = False
        case facts.HoldEnded():
            apply_contacts.end_hold(floor, contact)
        case facts.PauseSpent():
            apply_pauses.on_pause_spent(floor, contact, event.at)
        case facts.LoadDue():
            contact.load_seen_at = event.at
        case facts.OverflowDue():
            apply_overflow.on_nowhere_to_overflow(contact)
        case facts.QueueOpened():
            apply_overflow.on_queue_opened(floor, contact, event)
        case facts.ContactNoted():
            apply_contacts.on_noted(floor, contact, event)
        case facts.SpreadNoted():
            contact.spread, contact.spread_at = event.spread, event.spread_at
        case facts.PrioritySet():
            contact.raised, contact.manual = event.raised, event.manual
    partition.touch(floor, contact)


def on_agent(
    partition: Partition, floor: Floor, desk: Desk, event: routing.AgentDecision | facts.OfAgent
) -> None:
    match event:
        case routing.AgentPresenceChanged():
            apply_agents.on_presence_changed(partition, floor, desk, event)
        case facts.AgentFilled():
            desk.agent.to_fill = False
        case facts.AgentReleased():
            desk.agent.release_at = None
    partition.touch_agent(floor, desk)


# -- configuration ----------------------------------------------------------------------------------------------


def on_configuration(partition: Partition, floor: Floor, event: Event) -> None:
    match event:
        case rules.QueueUpdated():
            on_queue(partition, floor, event)
            return
        case facts.DrainSet():
            on_drain_set(partition, floor, floor.queues[event.queue_id], event)
            return
        case rules.PoolUpdated():
            floor.pool.deleted = event.deleted
            floor.pool.sequence += 1
        case rules.PolicyUpdated():
            floor.policy.version, floor.policy.weights = event.policy_version, event.weights
            floor.pool.sequence += 1
            floor.pool.reweigh_after = ""
            floor.reweigh()
            partition.reweigh(floor)
            partition.mark("policy", floor, floor.pool.id, floor.policy)
        case facts.DeadEndsChecked():
            floor.pool.recheck_after = event.after
        case facts.WeightsApplied():
            apply_priority.on_weights_applied(partition, floor, event)
    partition.mark("pool", floor, floor.pool.id, floor.pool)


def on_queue(partition: Partition, floor: Floor, event: rules.QueueUpdated) -> None:
    queue = floor.queues.setdefault(event.queue_id, Queue(id=event.queue_id))
    queue.sequence += 1
    queue.version = event.config_version
    queue.deleted, queue.successor = event.deleted, event.successor
    for name in QueueRules.__struct_fields__:
        setattr(queue, name, getattr(event.rules, name))
    floor.order_queues()
    partition.mark("queue", floor, queue.id, queue)
    partition.recheck_dead_ends(floor)


def on_drain_set(partition: Partition, floor: Floor, queue: Queue, event: facts.DrainSet) -> None:
    if event.to is None:
        floor.draining.pop(queue.id, None)
    elif not event.after:
        floor.draining[queue.id] = floor.waiting_in(queue.id)
    queue.drain_to, queue.drain_after, queue.drain_at = event.to, event.after, event.next_at
    partition.timers.of_queue(floor, queue)
    partition.mark("queue", floor, queue.id, queue)


def on_target(partition: Partition, event: facts.TargetKept) -> None:
    targets = partition.targets.setdefault(event.workspace, {})
    key = f"target|{event.workspace}/*|{event.target_id}"
    if event.match is None:
        targets.pop(event.target_id, None)
        partition.changes[key] = None
        return
    target = Target(event.target_id, event.target_version, event.match, event.metric, event.seconds)
    targets[event.target_id] = partition.changes[key] = target


# -- sequences --------------------------------------------------------------------------------------------------


def sequence(partition: Partition, event: Event) -> int:
    """The number of a public event that was just applied: gapless, from 1, for its subject."""
    floor = partition.floor(event.key)
    match event:
        case ContactDecision():
            contact = floor.contacts.get(event.contact_id)
            if contact is not None:
                return contact.sequence
            return floor.closed[base_and_generation(event.contact_id)[0]].sequence
        case routing.AgentDecision():
            return floor.desks[event.agent_id].agent.sequence
        case rules.QueueUpdated():
            return floor.queues[event.queue_id].sequence
        case rules.PoolUpdated() | rules.PolicyUpdated():
            return floor.pool.sequence
        case _:
            return 1
