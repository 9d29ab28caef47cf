"""Changes of a queue that concern what is in it, and what refers to it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec.structs import replace

from libs.common.events.commands import CompileQueueHours, DeleteQueue
from libs.common.events.rules import QueueUpdated
from libs.common.events.values import QueueRules
from services.router.core.admission import open_queue
from services.router.core.floor import EVERYONE, Floor
from services.router.core.limits import MIGRATED_AT_ONCE_MAX
from services.router.core.outcomes import Events, done, refused
from services.router.core.soundness import is_sound_table
from services.router.core.state import Queue, line_of
from services.router.core.transitions import overflowed


def on_compile_queue_hours(floor: Floor, compiled: CompileQueueHours, now: int) -> Events:
    """The same hours reach further; whoever changed the queue meanwhile has the last word."""
    queue = floor.queues.get(compiled.queue_id)
    if queue is None or queue.deleted or queue.hours is None or queue.version != compiled.replaces:
        return (done(compiled, now, {"queue_id": compiled.queue_id}),)
    if not is_sound_table(compiled.open):
        return refused(compiled, now, 422, "invalid", {"queue_id": queue.id})
    hours = replace(queue.hours, open=compiled.open)
    return (changed(floor, replace(queue, hours=hours), now), done(compiled, now, {"queue_id": queue.id}))


def changed(floor: Floor, queue: Queue, now: int) -> QueueUpdated:
    """The next version of a queue, as it shall be."""
    rules = QueueRules(**{name: getattr(queue, name) for name in QueueRules.__struct_fields__})
    return QueueUpdated(key=floor.key, at=now, queue_id=queue.id, config_version=queue.version + 1, rules=rules)


# -- deletion ---------------------------------------------------------------------------------------------------


def on_delete_queue(floor: Floor, delete: DeleteQueue, now: int) -> Events:
    known = floor.queues.get(delete.queue_id)
    if known is None or known.deleted:
        return refused(delete, now, 404, "not_found")
    if delete.queue_id == EVERYONE:
        return refused(delete, now, 409, "default_queue", {"queue_id": EVERYONE})
    if delete.migrate_to is not None:
        return migrated(floor, known, delete, delete.migrate_to, now)
    if delete.unused and (uses := uses_of(floor, known)):
        return refused(delete, now, 409, "queue_in_use", {"queue_id": known.id, **uses})
    return (deleted(floor, known, now), done(delete, now, {"queue_id": known.id, "deleted": True}))


def deleted(floor: Floor, queue: Queue, now: int, successor: str | None = None) -> QueueUpdated:
    return QueueUpdated(
        key=floor.key, at=now, queue_id=queue.id, config_version=queue.version + 1, deleted=True, successor=successor
    )


def uses_of(floor: Floor, queue: Queue) -> dict[str, Any]:
    """What a deletion would touch: open contacts by state, and the queues that lead into it; empty for nothing."""
    contacts = Counter(one.state for one in floor.contacts.values() if one.rules.queue == queue.id)
    leading = leading_into(floor, queue)
    found = {
        "contacts": dict(sorted(contacts.items())),
        "overflow_of": [one.id for one in leading if overflows_into(one, queue.id)],
        "fallback_of": [one.id for one in leading if one.fallback_queue == queue.id],
    }
    return {name: using for name, using in found.items() if using}


def leading_into(floor: Floor, queue: Queue) -> list[Queue]:
    """Queues whose overflow or fallback it is, by id."""
    others = (one for _, one in sorted(floor.queues.items()) if not one.deleted)
    return [one for one in others if overflows_into(one, queue.id) or one.fallback_queue == queue.id]


def overflows_into(queue: Queue, goal_id: str) -> bool:
    return queue.overflow is not None and queue.overflow.queue == goal_id


def migrated(floor: Floor, queue: Queue, delete: DeleteQueue, goal_id: str, now: int) -> Events:
    """Whoever waits in it moves to the other queue, with its age; what comes back to it later goes there as well."""
    goal = open_queue(floor, goal_id)
    if goal is None or goal.id == queue.id:
        return refused(delete, now, 422, "unknown_queue", {"queue_id": queue.id, "migrate_to": goal_id})
    line = [one for _, one in sorted(floor.contacts.items()) if line_of(one) == queue.id]
    if len(line) > MIGRATED_AT_ONCE_MAX:
        bounds = {"waiting": len(line), "waiting_max": MIGRATED_AT_ONCE_MAX}
        return refused(delete, now, 409, "too_many_contacts", {"queue_id": queue.id, **bounds})
    users = [changed(floor, led_to(one, queue.id, goal.id), now) for one in leading_into(floor, queue)]
    state = {"queue_id": queue.id, "deleted": True, "migrated_to": goal.id, "contacts": len(line)}
    return (
        *users,
        deleted(floor, queue, now, successor=goal.id),
        *(event for one in line for event in overflowed(floor, now, one, goal, "queue_deleted")),
        done(delete, now, state),
    )


def led_to(queue: Queue, gone: str, goal: str) -> Queue:
    """The same queue, leading to the goal instead of what is gone; it can't lead into itself."""
    if queue.fallback_queue == gone:
        queue = replace(queue, fallback_queue=None if goal == queue.id else goal)
    if queue.overflow is None or queue.overflow.queue != gone:
        return queue
    if goal == queue.id:
        return replace(queue, overflow=None, closed="wait" if queue.closed == "overflow" else queue.closed)
    return replace(queue, overflow=replace(queue.overflow, queue=goal))
