"""What moves a contact among those who wait: its own signals, a move to private and back, new weights of its pool."""

from __future__ import annotations

from libs.common.events.in_private import ContactMovedToPrivate, ContactReturnedToPublic
from libs.common.events.routing import ContactPriorityChanged
from services.router.core.apply_contacts import re_enter, terms_of
from services.router.core.facts import WeightsApplied
from services.router.core.floor import Floor
from services.router.core.partition import Partition
from services.router.core.state import Contact


def on_changed(floor: Floor, contact: Contact, event: ContactPriorityChanged) -> None:
    contact.reach = event.reach
    take_boost(floor, contact, event)


def on_moved_to_private(floor: Floor, contact: Contact, event: ContactMovedToPrivate) -> None:
    contact.moved_to_private_at, contact.private_acknowledged_at = event.at, None
    contact.moved_from, contact.public_reach = contact.visibility, contact.reach
    contact.visibility, contact.reach = "private", 1
    take_boost(floor, contact, event)


def on_returned_to_public(floor: Floor, contact: Contact, event: ContactReturnedToPublic) -> None:
    contact.moved_to_private_at = contact.private_acknowledged_at = contact.moved_from = None
    contact.visibility, contact.reach, contact.public_reach = event.visibility, event.reach, 1
    take_boost(floor, contact, event)


def take_boost(
    floor: Floor, contact: Contact, event: ContactPriorityChanged | ContactMovedToPrivate | ContactReturnedToPublic
) -> None:
    contact.boost, contact.terms = event.boost, floor.share(terms_of(event.terms))
    contact.policy_version = event.policy_version
    re_enter(floor, contact)


def on_weights_applied(partition: Partition, floor: Floor, event: WeightsApplied) -> None:
    for contact_id in event.unmoved:
        contact = floor.contacts[contact_id]
        contact.policy_version = event.policy_version
        partition.mark("contact", floor, contact_id, contact)
    floor.pool.reweigh_after = event.after
    floor.to_reweigh = floor.to_reweigh if event.after is not None else []
