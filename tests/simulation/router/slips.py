"""Cores that follow the policy but for one slip each, which breaks no promise: the plain policy must see every one."""

from __future__ import annotations

from libs.common.events import Event, routing
from services.router.core.apply_contacts import end_hold, re_enter
from services.router.core.core import RouterCore
from services.router.core.desks import Desk
from services.router.core.floor import Floor
from services.router.core.partition import Partition
from services.router.core.state import Contact


class Slip(RouterCore):
    """After each event about a contact or an agent something small is wrong."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        floor = state.floor(event.key)
        contact = floor.contacts.get(getattr(event, "contact_id", ""))
        desk = floor.desks.get(getattr(event, "agent_id", None) or "")
        if contact is not None:
            self.on_contact(floor, contact, event)
        if desk is not None:
            self.on_desk(floor, desk, event)

    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None: ...

    def on_desk(self, floor: Floor, desk: Desk, event: Event) -> None: ...


class ExpressIsFree(Slip):
    def on_desk(self, floor: Floor, desk: Desk, event: Event) -> None:
        if isinstance(event, routing.ContactOffered) and event.lane == "express":
            desk.agent.express_credit += 1_000


class AgeingIsFree(Slip):
    def on_desk(self, floor: Floor, desk: Desk, event: Event) -> None:
        if isinstance(event, routing.ContactOffered) and event.lane == "ageing":
            desk.agent.ageing_credit += 1_000


class AgeingServesOneChannel(Slip):
    def on_desk(self, floor: Floor, desk: Desk, event: Event) -> None:
        desk.agent.ageing_channel = ""


class ForgetsWhoWasAsked(Slip):
    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None:
        if isinstance(event, routing.OfferDeclined | routing.OfferExpired):
            contact.asked = ()
            re_enter(floor, contact)


class AsksWhoWentAndCameAgain(Slip):
    """Who has declined in an earlier shift counts as asked for ever."""

    def on_desk(self, floor: Floor, desk: Desk, event: Event) -> None:
        desk.agent.shift = 1


class NobodyIsAskedInVain(Slip):
    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None:
        contact.bounces = 0


class ReleaseCostsItsAge(Slip):
    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None:
        if isinstance(event, routing.ContactQueued) and event.reason == "released":
            contact.waiting_since = event.at
            re_enter(floor, contact)


class BoostsNobody(Slip):
    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None:
        if isinstance(event, routing.ContactQueued):
            contact.boost = 0
            re_enter(floor, contact)


class NobodyIsSeen(Slip):
    """Reach counts for the boost and not for the express lane."""

    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None:
        if isinstance(event, routing.ContactQueued):
            contact.reach = 1
            re_enter(floor, contact)


class HoldsForNobody(Slip):
    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None:
        if isinstance(event, routing.ContactQueued):
            end_hold(floor, contact)


class EverybodyIsAsBusy(Slip):
    """Nobody's last assignment is remembered."""

    def on_desk(self, floor: Floor, desk: Desk, event: Event) -> None:
        if isinstance(event, routing.ContactAssigned):
            desk.stand_up()
            desk.agent.last_assigned_at = 0
            desk.sit_down()


class CallReadinessIsFree(Slip):
    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None:
        for profile in floor.profiles.values():
            profile.takes_calls = False


class NobodyIsVersatile(Slip):
    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None:
        for profile in floor.profiles.values():
            profile.versatility = 0


class RelaxesInVain(Slip):
    """A step that makes somebody able seeks nobody."""

    def on_contact(self, floor: Floor, contact: Contact, event: Event) -> None:
        if isinstance(event, routing.ContactRelaxed):
            contact.to_place = False


SLIPS = Slip.__subclasses__()
