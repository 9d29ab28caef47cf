"""What an offer and its end change: the contact, whoever is asked beside, and the room that the agent has."""

from __future__ import annotations

from typing import Final

from libs.common.events.routing import (
    ContactOffered,
    OfferAccepted,
    OfferDecision,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
)
from services.router.core.apply_contacts import leave_desk, remember_asked
from services.router.core.apply_groups import wait_apart, wait_together
from services.router.core.floor import Floor
from services.router.core.limits import DECLINES_KEPT
from services.router.core.partition import Partition
from services.router.core.state import Contact, Offer, is_sought_for, offer_number, set_offers

TO_SOMEBODY_ELSE: Final = ("reassigned", "requeued")
"""Why an offer is withdrawn so that another agent is asked."""


def on_offered(partition: Partition, floor: Floor, contact: Contact, event: ContactOffered) -> None:
    floor.leave(contact)
    contact.state = "offered"
    contact.to_place = False
    contact.offers_made += 1
    offer = Offer(contact.offers_made, event.agent_id, event.expires_at, event.units)
    set_offers(contact, (*contact.offers, offer))
    contact.units = event.units
    contact.companions = len(event.group)
    if contact.rules.parallel_offers == 1:
        contact.last_agent_until = None  # Where several are asked at once the others come when the hold ends.
    contact.asked = () if event.asked_again else contact.asked
    desk = floor.desks[event.agent_id]
    desk.agent.ageing_credit, desk.agent.express_credit = event.ageing_credit, event.express_credit
    desk.agent.ageing_channel = event.ageing_channel or ""
    desk.stand_up()
    desk.take(contact)
    desk.sit_down()
    partition.touch_agent(floor, desk)
    wait_together(partition, floor, contact, event)
    if is_sought_for(contact):
        floor.enter(contact)
        floor.seek(contact)


def on_accepted(partition: Partition, floor: Floor, contact: Contact, event: OfferAccepted) -> None:
    """Nobody else is sought; the offers beside it are withdrawn next."""
    if is_sought_for(contact):
        floor.leave(contact)
    contact.to_place = False
    contact.accepted = offer_number(event.offer_id)
    if not event.automatic:
        has_answered(partition, floor, event.agent_id)


def on_declined(partition: Partition, floor: Floor, contact: Contact, event: OfferDeclined) -> None:
    declined = (*contact.declined, (offer_number(event.offer_id), event.agent_id))
    contact.declined = declined[-DECLINES_KEPT:]
    has_answered(partition, floor, event.agent_id)
    offer_ended(partition, floor, contact, event, in_vain=True)


def on_expired(partition: Partition, floor: Floor, contact: Contact, event: OfferExpired) -> None:
    floor.desks[event.agent_id].agent.missed += 1
    offer_ended(partition, floor, contact, event, in_vain=True)


def has_answered(partition: Partition, floor: Floor, agent_id: str) -> None:
    """Offers are missed in a row no longer."""
    desk = floor.desks[agent_id]
    if desk.agent.missed:
        desk.agent.missed = 0
        partition.touch_agent(floor, desk)


def on_offer_withdrawn(partition: Partition, floor: Floor, contact: Contact, event: OfferWithdrawn) -> None:
    """The agent is not to blame, except when somebody else shall have it."""
    if event.reason in TO_SOMEBODY_ELSE:
        remember_asked(floor, contact, event.agent_id)
    offer_ended(partition, floor, contact, event, in_vain=False)


def offer_ended(
    partition: Partition, floor: Floor, contact: Contact, event: OfferDecision, *, in_vain: bool
) -> None:
    """The agent has room again; after the last live offer the contact waits."""
    if is_sought_for(contact):
        floor.leave(contact)
    leave_desk(partition, floor, contact, event.agent_id)
    ended = offer_number(event.offer_id)
    set_offers(contact, tuple(offer for offer in contact.offers if offer.number != ended))
    if in_vain:
        contact.bounces += 1
        remember_asked(floor, contact, event.agent_id)
    if not contact.offers:
        contact.state = "waiting"
        contact.last_agent_until = None
        wait_apart(partition, floor, contact)
    if is_sought_for(contact):
        floor.enter(contact)
        floor.seek(contact)
