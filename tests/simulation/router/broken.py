"""Cores that break one promise each, as a slip of the hand would: the days must find every one of them."""

from __future__ import annotations

from dataclasses import replace

from libs.common.events import SECOND, Event, routing
from services.router.core.core import RouterCore
from services.router.core.facts import AgentFilled
from services.router.core.partition import Partition
from services.router.core.pauses import paused_for
from services.router.core.state import set_offers


class OffersTwice(RouterCore):
    """P3: an offer leaves the contact waiting, so it is offered again to somebody else."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, routing.ContactOffered):
            floor = state.floor(event.key)
            contact = floor.contacts[event.contact_id]
            if contact.offers_made % 5 == 1:
                contact.state = "waiting"
                floor.enter(contact)
                floor.seek(contact)
                state.has_work(floor)


class KeepsTheOthers(RouterCore):
    """P3: whoever was asked beside the winner goes on being asked."""

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        return tuple(one for one in decided if getattr(one, "reason", None) != "accepted_by_another")


class AsksTooMany(RouterCore):
    """P3: one agent more is asked at once than the queue wants."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, routing.ContactQueued) and event.parallel_offers > 1:
            contact = state.floor(event.key).contacts[event.contact_id]
            contact.rules = replace(contact.rules, parallel_offers=event.parallel_offers + 1)


class LetsBothWin(RouterCore):
    """P7: each who is asked may accept."""

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        lost = [one for one in decided if getattr(one, "reason", None) == "accepted_by_another"]
        wins = (
            routing.OfferAccepted(
                key=one.key, at=one.at, contact_id=one.contact_id, offer_id=one.offer_id, agent_id=one.agent_id
            )
            for one in lost
            if isinstance(one, routing.OfferWithdrawn)
        )
        return (*decided[:1], *wins, *decided[1:]) if lost else decided


class ForgetsTheSlot(RouterCore):
    """P4: an accepted contact no longer counts for its agent."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, routing.ContactAssigned):
            floor = state.floor(event.key)
            desk = floor.desks[event.agent_id]
            desk.stand_up()
            desk.drop(floor.contacts[event.contact_id])
            desk.sit_down()
            floor.feed(desk)
            state.touch_agent(floor, desk)


class KeepsWhatWasTransferred(RouterCore):
    """P3: who gives a contact away keeps it, and whoever gets it has it too."""

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        return tuple(one for one in decided if not isinstance(one, routing.ContactTransferred))


class AsksTheAbsent(RouterCore):
    """P5: who goes away stays among those who can be asked."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, routing.AgentPresenceChanged) and event.status == "away":
            desk = state.floor(event.key).desks[event.agent_id]
            desk.agent.status = "available"
            desk.sit_down()
            desk.agent.status = "away"


class LosesTimers(RouterCore):
    """P6: some offers never time out."""

    def pop_timer(self, state: Partition, until: int) -> Event | None:
        timer = super().pop_timer(state, until)
        if timer is not None and timer.type == "timer.offer" and timer.at // SECOND % 3 == 0:
            return super().pop_timer(state, until)
        return timer


class TimersComeEarly(RouterCore):
    """P6: an offer ends before its time-out."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, routing.ContactOffered):
            contact = state.floor(event.key).contacts[event.contact_id]
            early = (replace(offer, expires_at=event.at + SECOND) for offer in contact.offers)
            set_offers(contact, tuple(early))
            state.timers.of_contact(state.floor(event.key), contact)


class AcceptsTwice(RouterCore):
    """P7: an accept that came too late wins all the same."""

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        expired = next((one for one in decided if isinstance(one, routing.OfferExpired)), None)
        if expired is None or expired.at // SECOND % 2:
            return decided
        late = routing.OfferAccepted(
            key=expired.key,
            at=expired.at,
            contact_id=expired.contact_id,
            offer_id=expired.offer_id,
            agent_id=expired.agent_id,
        )
        return (*decided, late)


class ClosesTwice(RouterCore):
    """P7: what is closed is closed again."""

    def evolve(self, state: Partition, event: Event) -> None:
        if isinstance(event, routing.ContactClosed) and event.contact_id not in state.floor(event.key).contacts:
            return
        super().evolve(state, event)

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        closed = tuple(one for one in decided if isinstance(one, routing.ContactClosed))
        return (*decided, *closed)


class LosesContacts(RouterCore):
    """P9: a contact that nobody could take at once drops out of its queue."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if event.type == "contact.placed":
            floor = state.floor(event.key)
            floor.leave(floor.contacts[event.subject])


class SkipsNumbers(RouterCore):
    """P10: an expired offer takes two numbers."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, routing.OfferExpired):
            state.floor(event.key).contacts[event.contact_id].sequence += 1


class PausesForGood(RouterCore):
    """P4: what was paused never goes on, and its agent does other things."""

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        goes_on = next((one for one in decided if isinstance(one, routing.ContactResumed) and is_unpaused(one)), None)
        if goes_on is None:
            return decided
        return (AgentFilled(key=goes_on.key, at=goes_on.at, agent_id=goes_on.agent_id or ""),)


class PausesTooEarly(RouterCore):
    """P4: an offer pauses what its acceptance would have to, and when it isn't accepted that was for nothing."""

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        offer = decided[-1] if decided else None
        if not isinstance(offer, routing.ContactOffered):
            return decided
        floor = state.floor(offer.key)
        desk, contact = floor.desks[offer.agent_id], floor.contacts[offer.contact_id]
        return (*decided, *paused_for(floor, offer.at, contact, desk, offer.units))


class SparesTheBudget(RouterCore):
    """P4: pauses that have ended count for nothing, so a contact is paused again and again."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if is_unpaused(event) or event.type == "timer.pause":
            contact = state.floor(event.key).contacts[event.subject]
            desk = state.floor(event.key).desks[contact.agent_id or ""]
            desk.stand_up()
            contact.paused_total = 0
            desk.sit_down()


class ForgetsThePause(RouterCore):
    """P4: an accept pauses nothing, and its agent does both."""

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        return tuple(one for one in super().decide(state, event) if not isinstance(one, routing.ContactPaused))


def is_unpaused(event: Event) -> bool:
    return isinstance(event, routing.ContactResumed) and event.reason == "unpaused"


BROKEN = {
    "P3": (OffersTwice, KeepsTheOthers, AsksTooMany, KeepsWhatWasTransferred),
    "P4": (ForgetsTheSlot,),
    "P5": (AsksTheAbsent,),
    "P6": (LosesTimers, TimersComeEarly),
    "P7": (AcceptsTwice, ClosesTwice, LetsBothWin),
    "P9": (LosesContacts,),
    "P10": (SkipsNumbers,),
}
