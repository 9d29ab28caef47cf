"""What time does to a contact in a queue that isn't open, or that has kept it for too long."""

from __future__ import annotations

from services.router.core.admission import QUEUE_CLOSED, overflow_goal
from services.router.core.facts import OverflowDue, QueueOpened
from services.router.core.floor import Floor
from services.router.core.outcomes import Events
from services.router.core.timers import overflow_due
from services.router.core.transitions import flag_ended, overflowed


def on_overflow_due(floor: Floor, due: OverflowDue, now: int) -> Events:
    """It has waited here for too long: it goes on, with its age. An offer in flight isn't disturbed."""
    contact = floor.contacts.get(due.contact_id)
    if contact is None or contact.state != "waiting" or not 0 < overflow_due(contact) <= now:
        return ()
    goal = overflow_goal(floor, contact)
    if goal is None:  # The queue that it would go to is gone, and it has been in the one that stands for it.
        return (OverflowDue(key=floor.key, at=now, contact_id=contact.id),)
    return overflowed(floor, now, contact, goal, "time")


def on_queue_opened(floor: Floor, opened: QueueOpened, now: int) -> Events:
    contact = floor.contacts.get(opened.contact_id)
    if contact is None or contact.opens_at is None or contact.opens_at > now:
        return ()
    ended = flag_ended(floor, now, contact, "queue_opened") if contact.unroutable == QUEUE_CLOSED else ()
    return (*ended, QueueOpened(key=floor.key, at=now, contact_id=contact.id))
