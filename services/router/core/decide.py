"""What follows from an event: chooses everything, changes nothing.

Inputs are facts about contacts, commands, and the SLA service's targets and escalations. A command is answered by
exactly one CommandDecided; what is for others is ignored. Offers are made by `Settle` alone, at most one a call.
"""

from __future__ import annotations

from libs.common.events import Event, Settle, commands, contacts, escalations
from services.router.core import (
    arrivals,
    configuration,
    consults,
    drain,
    facts,
    groups,
    in_private,
    load,
    moves,
    offers,
    overflow,
    presence,
    queue_changes,
    relaxation,
    skill_changes,
    work,
)
from services.router.core.floor import Floor
from services.router.core.outcomes import Events, refused
from services.router.core.partition import Partition
from services.router.core.settle import settle
from services.router.core.weights import reweighed


def decide(partition: Partition, event: Event) -> Events:
    return consults.ended_with(partition, groups.handed_on(partition, decided(partition, event)))


def decided(partition: Partition, event: Event) -> Events:
    match event:
        case Settle():
            return settle(partition)
        case escalations.TargetUpdated():
            return configuration.on_target_updated(event)
        case commands.RenewLeases():
            return presence.on_renew(partition.floors_of(event.key), event, partition.now)
        case commands.PutTarget() | commands.DeleteTarget() | commands.PutCalendar() | commands.DeleteCalendar():
            return ()  # The SLA service's.
    floor, now = partition.floor(event.key), partition.now
    match event:
        case contacts.ContactFact():
            return on_fact(floor, event, now)
        case commands.Command():
            return on_command(floor, event, now)
        case escalations.EscalationRaised():
            return work.on_escalation(floor, event, now)
        case facts.ReweighDue():
            return reweighed(floor, now)
        case facts.OfContact() | facts.OfAgent() | facts.DrainDue():
            return on_timer(floor, event, now)
        case _:
            return ()


def on_fact(floor: Floor, event: contacts.ContactFact, now: int) -> Events:
    match event:
        case contacts.ContactOpened(): return arrivals.on_opened(floor, event, now)
        case contacts.MessageAdded(): return arrivals.on_message_added(floor, event, now)
        case contacts.ContactEnriched(): return arrivals.on_enriched(floor, event, now)
        case contacts.ReachChanged(): return arrivals.on_reach_changed(floor, event, now)
        case contacts.ResponseObserved(): return arrivals.on_response(floor, event, now)
        case contacts.CustomerLeft(): return arrivals.on_customer_left(floor, event, now)
        case contacts.ContactWithdrawn(): return arrivals.on_withdrawn(floor, event, now)
        case _: return ()


def on_command(floor: Floor, event: commands.Command, now: int) -> Events:
    match event:
        case commands.AcceptOffer(): return offers.on_accept(floor, event, now)
        case commands.DeclineOffer(): return offers.on_decline(floor, event, now)
        case commands.ContactCommand(): return work.on_contact_command(floor, event, now)
        case commands.CompleteWrapUp(): return work.on_complete_wrap_up(floor, event, now)
        case commands.ExtendWrapUp(): return work.on_extend_wrap_up(floor, event, now)
        case commands.SetPresence(): return presence.on_set_presence(floor, event, now)
        case commands.PutAgent(): return configuration.on_put_agent(floor, event, now)
        case commands.DeleteAgent(): return configuration.on_delete_agent(floor, event, now)
        case commands.DeleteSkill(): return skill_changes.on_delete_skill(floor, event, now)
        case commands.PutQueue(): return configuration.on_put_queue(floor, event, now)
        case commands.CompileQueueHours(): return queue_changes.on_compile_queue_hours(floor, event, now)
        case commands.DeleteQueue(): return queue_changes.on_delete_queue(floor, event, now)
        case commands.RequeueAgent(): return moves.on_requeue(floor, event, now)
        case commands.DrainQueue(): return drain.on_drain(floor, event, now)
        case commands.PutPolicy(): return configuration.on_put_policy(floor, event, now)
        case commands.PutPool(): return configuration.on_put_pool(floor, event, now)
        case commands.DeletePool(): return configuration.on_delete_pool(floor, event, now)
        case _: return refused(event, now, 422, "not_supported")


def on_timer(floor: Floor, event: facts.OfContact | facts.OfAgent | facts.DrainDue, now: int) -> Events:
    match event:
        case facts.OfferTimedOut(): return offers.on_timed_out(floor, event, now)
        case facts.OverflowDue(): return overflow.on_overflow_due(floor, event, now)
        case facts.LoadDue(): return load.on_load_due(floor, event, now)
        case facts.QueueOpened(): return overflow.on_queue_opened(floor, event, now)
        case facts.RelaxDue(): return relaxation.on_relax_due(floor, event, now)
        case facts.ParkEnded(): return work.on_park_ended(floor, event, now)
        case facts.PrivateDue(): return in_private.on_due(floor, event, now)
        case facts.WrapUpDue(): return work.on_wrap_up_due(floor, event, now)
        case facts.LeaseEnded(): return presence.on_lease_ended(floor, event, now)
        case facts.ShiftEnded(): return presence.on_shift_ended(floor, event, now)
        case facts.ReleaseDue(): return presence.on_release_due(floor, event, now)
        case facts.DrainDue(): return drain.on_drain_due(floor, event, now)
        case facts.HoldEnded() | facts.PauseSpent() | facts.MemoryEnded(): return (event,)
        case _: return ()
