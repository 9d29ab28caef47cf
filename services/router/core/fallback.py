"""Where a contact goes that nobody on the roster can ever take in its queue."""

from __future__ import annotations

from dataclasses import replace

from services.router.core.admission import open_queue, rules_of
from services.router.core.choice import is_dead_end
from services.router.core.floor import Floor
from services.router.core.outcomes import Events
from services.router.core.state import Contact, Queue
from services.router.core.transitions import flag_ended, lined_up


def fallen_back(floor: Floor, contact: Contact, now: int) -> Events:
    """The dead end waits in the first queue along its line of fallbacks where it is none; nothing when there is none.

    It keeps its age and its promise. The line is that of now, not of the entry: whoever sees contacts stuck can set it.
    """
    seen = [contact.rules.queue]
    queue = _next(floor, seen[-1])
    while queue is not None and queue.id not in seen:
        moved = replace(contact, rules=rules_of(queue, contact.visibility, contact.medium), relaxed=0)
        if not is_dead_end(floor, moved):
            ended = flag_ended(floor, now, contact, "fallback")
            return (*ended, *lined_up(floor, now, moved, "fallback", last_agent=contact.last_agent))
        seen.append(queue.id)
        queue = _next(floor, queue.id)
    return ()


def _next(floor: Floor, queue_id: str) -> Queue | None:
    """The queue's fallback; None when it has none, or that was deleted."""
    queue = floor.queues.get(queue_id)
    return None if queue is None or queue.fallback_queue is None else open_queue(floor, queue.fallback_queue)
