"""What an overflow and an opening change about a contact that waits."""

from __future__ import annotations

from libs.common.events.routing import ContactOverflowed
from services.router.core.facts import QueueOpened
from services.router.core.floor import Floor
from services.router.core.state import Contact


def on_overflowed(floor: Floor, contact: Contact, event: ContactOverflowed) -> None:
    """It leaves the queue. `ContactQueued` follows."""
    floor.leave(contact)
    contact.been = (*contact.been, event.from_queue)
    contact.state = "parked"


def on_nowhere_to_overflow(contact: Contact) -> None:
    """It counts as having been where it would have gone."""
    assert contact.rules.overflow is not None, "only what overflows has that timer"
    contact.been = (*contact.been, contact.rules.overflow.queue)


def on_queue_opened(floor: Floor, contact: Contact, event: QueueOpened) -> None:
    """It waits like everybody from now on."""
    contact.opens_at = None
    contact.entered_at = contact.relaxed_at = event.at
    if contact.state == "waiting":
        floor.enter(contact)
        floor.seek(contact)
