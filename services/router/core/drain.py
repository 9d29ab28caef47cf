"""A queue is drained: everything that waits there goes to another queue, 500 with a commit, the lowest ids first.

What is on offer or with an agent stays where it is. Who comes while it goes on is moved too, as long as it does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from libs.common.events.commands import DrainQueue
from libs.common.events.routing import ContactTransferred
from services.router.core.admission import open_queue, rules_of
from services.router.core.facts import DrainDue, DrainSet
from services.router.core.floor import Floor
from services.router.core.limits import DRAIN_STEP_MICROSECONDS, DRAINED_A_STEP
from services.router.core.outcomes import Events, done, refused
from services.router.core.state import Contact, Queue
from services.router.core.transitions import flag_ended, queued


def on_drain(floor: Floor, drain: DrainQueue, now: int) -> Events:
    """It begins with the next step; asked for again, it begins anew. A deleted queue may be drained."""
    queue, to = floor.queues.get(drain.queue_id), open_queue(floor, drain.to_queue)
    state = {"queue_id": drain.queue_id, "to": drain.to_queue}
    if queue is None:
        return refused(drain, now, 404, "not_found")
    if to is None or to.id == queue.id:
        return refused(drain, now, 422, "unknown_queue" if to is None else "invalid", state)
    begun = DrainSet(key=floor.key, at=now, queue_id=queue.id, to=to.id, next_at=now + DRAIN_STEP_MICROSECONDS)
    return (begun, done(drain, now, state | {"waiting": len(floor.waiting_in(queue.id))}))


def on_drain_due(floor: Floor, due: DrainDue, now: int) -> Events:
    queue = floor.queues.get(due.queue_id)
    if queue is None or queue.drain_to is None or queue.drain_at > now:
        return ()  # It was begun anew meanwhile.
    to = open_queue(floor, queue.drain_to)
    if to is None:  # It was deleted meanwhile: what still waits stays.
        return (DrainSet(key=floor.key, at=now, queue_id=queue.id, to=None),)
    moving = list(islice(waiting(floor, queue), DRAINED_A_STEP))
    goes_on = len(moving) == DRAINED_A_STEP
    step = DrainSet(
        key=floor.key, at=now, queue_id=queue.id, to=to.id if goes_on else None,
        after=moving[-1].id if goes_on else "", next_at=now + DRAIN_STEP_MICROSECONDS if goes_on else 0,
    )  # fmt: skip
    return (*(event for contact in moving for event in moved(floor, contact, to, now)), step)


def waiting(floor: Floor, queue: Queue) -> Iterator[Contact]:
    """Who still waits in the queue and hasn't been moved, by id."""
    ids = floor.draining[queue.id]
    for contact_id in islice(ids, bisect_right(ids, queue.drain_after), None):
        contact = floor.contacts.get(contact_id)
        if contact is not None and contact.state == "waiting" and contact.rules.queue == queue.id:
            yield contact


def moved(floor: Floor, contact: Contact, to: Queue, now: int) -> Events:
    there = replace(contact, rules=rules_of(to, contact.visibility, contact.medium))
    transferred = ContactTransferred(
        key=floor.key, at=now, contact_id=contact.id, from_queue=contact.rules.queue, to_queue=to.id,
        reason="drained", waiting_since=contact.waiting_since,
    )  # fmt: skip
    return (
        *flag_ended(floor, now, contact, "transferred"),
        transferred,
        queued(floor, now, there, "transferred"),
    )
