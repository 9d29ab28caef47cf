"""Which queue takes a contact: the first that matches, and where what it doesn't take goes.

A queue turns a contact away when it is closed and says so (`closed: overflow`), when it is full (`max_length` wait), or
when more would wait than its overflow allows (`longer_than`). What is turned away goes to the overflow's queue, where
the same is asked again; it enters no queue twice. Where there is nowhere to go it stays, and is refused: flagged, so
that whoever brought it can tell the customer, and kept, since nobody can take back a post. Business hours decide about
what comes: what waits already when a queue closes is still served.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from libs.common.events.contacts import Message
from libs.common.events.values import BusinessHours, Medium, OverflowReason, Requirement, Visibility
from libs.common.promises import MATCH_FIELDS, Traits, matches
from services.router.core import predicates
from services.router.core.floor import EVERYONE, Floor
from services.router.core.policy import Kept, promise_of
from services.router.core.requirements import PUBLIC
from services.router.core.state import Contact, Queue, Rules
from services.router.core.traits import MessageTraits, traits_of

QUEUE_FULL: Final = "queue_full"
QUEUE_CLOSED: Final = "queue_closed"


class Verdict(NamedTuple):
    """Whether a queue matches; if not, the pointer in its configuration to what doesn't hold."""

    queue: Queue
    failed: str | None


class Hop(NamedTuple):
    """A contact goes on to a queue, because of something about the queue before."""

    queue: Queue
    reason: OverflowReason


class Rehearsal(NamedTuple):
    """What would become of a contact if it came now."""

    asked: bool
    """Its message names the queue."""
    verdicts: tuple[Verdict, ...]
    """Of every queue in order; nobody is asked when the message names one."""
    entered: Queue
    hops: tuple[Hop, ...]
    refused: str | None
    opens_at: int | None
    rules: Rules
    promise: Kept


# -- the first that matches -------------------------------------------------------------------------------------


def queue_for(floor: Floor, message: Message, strikes: int) -> Queue:
    """The one that was asked for, else the first that matches, else everyone's."""
    asked = asked_for(floor, message)
    if asked is not None:
        return asked
    matching = (one.queue for one in verdicts(floor, traits_of(message, "", strikes)) if one.failed is None)
    return next(matching, None) or standing(floor, EVERYONE)


def asked_for(floor: Floor, message: Message) -> Queue | None:
    """The queue that the message names, if it is there, or what it was migrated to."""
    asked = floor.queues.get(message.queue or "")
    if asked is None or (asked.deleted and asked.successor is None):
        return None
    return standing(floor, asked.id)


def standing(floor: Floor, queue_id: str) -> Queue:
    """The queue, or where its contacts go since it was deleted: its successor, else everyone's."""
    queue = floor.queues.get(queue_id)
    while queue is not None and queue.deleted and queue.successor is not None:
        queue = floor.queues.get(queue.successor)
    if queue is None or queue.deleted:
        queue = floor.queues.get(EVERYONE)
    return queue if queue is not None else Queue(id=EVERYONE)


def open_queue(floor: Floor, queue_id: str) -> Queue | None:
    """The queue itself, if it takes contacts; everyone's is always there."""
    queue = floor.queues.get(queue_id) or (Queue(id=EVERYONE) if queue_id == EVERYONE else None)
    return None if queue is None or queue.deleted else queue


def verdicts(floor: Floor, traits: MessageTraits) -> Iterable[Verdict]:
    """About each queue in the order in which they are asked."""
    return (Verdict(queue, unmet(queue, traits)) for queue in floor.queue_order)


def unmet(queue: Queue, traits: MessageTraits) -> str | None:
    """The pointer to the first thing that doesn't hold, `/match/channel` or `/when/all/0`; None when it matches."""
    if not matches(queue.match, traits):
        return f"/match/{first_unmet(queue, traits)}"
    return None if queue.when is None else predicates.failing(queue.when, traits, "/when")


def first_unmet(queue: Queue, traits: Traits) -> str:
    """The first field of a flat match that doesn't hold."""
    names = (name for name in (*MATCH_FIELDS, "topic") if getattr(queue.match, name) is not None)
    alone = ((name, type(queue.match)(**{name: getattr(queue.match, name)})) for name in names)
    return next(name for name, match in alone if not matches(match, traits))


def rules_of(queue: Queue, visibility: Visibility, medium: Medium) -> Rules:
    """A queue without a requirement asks `public` of whoever takes a public contact."""
    unset = PUBLIC if visibility == "public" else Requirement()
    return Rules(
        queue=queue.id,
        requirement=unset if queue.requirement is None else queue.requirement,
        relax=queue.relax,
        offer_seconds=queue.offer_seconds_by_medium.get(medium, queue.offer_seconds),
        offers_max=queue.offers_max,
        wrap_up_seconds=queue.wrap_up_seconds,
        parallel_offers=queue.parallel_offers,
        auto_accept=medium in queue.auto_accept,
        overflow=queue.overflow,
        version=queue.version,
        language_level=queue.language_level if queue.language_skill else 0,
        group_max=queue.group_max if queue.group_by_incident else 0,
    )


def rehearse(floor: Floor, message: Message, now: int) -> Rehearsal:
    """Where a contact would go and why. Changes nothing."""
    asked, traits = asked_for(floor, message) is not None, traits_of(message, "", message.strikes)
    entered = queue_for(floor, message, message.strikes)
    gone = hops(floor, entered, (), now)
    last = gone[-1].queue if gone else entered
    return Rehearsal(
        asked=asked,
        verdicts=() if asked else tuple(verdicts(floor, traits)),
        entered=entered,
        hops=tuple(gone),
        refused=refusal(floor, last, now),
        opens_at=opening(last, now),
        rules=rules_of(last, message.visibility, message.medium),
        promise=promise_of(floor, traits._replace(queue=entered.id)),
    )


# -- what it doesn't take ---------------------------------------------------------------------------------------


def hops(floor: Floor, queue: Queue, been: Iterable[str], now: int) -> list[Hop]:
    """Where a contact goes on to when it comes to a queue: from one to the next, until one takes it."""
    seen = [*been, queue.id]
    found: list[Hop] = []
    while (reason := turned_away(floor, queue, now)) is not None:
        goal = None if queue.overflow is None else standing(floor, queue.overflow.queue)
        if goal is None or goal.id in seen:
            break
        found.append(Hop(goal, reason))
        seen.append(goal.id)
        queue = goal
    return found


def turned_away(floor: Floor, queue: Queue, now: int) -> OverflowReason | None:
    """Why a queue would rather not take another contact; None when it would."""
    if queue.closed == "overflow" and opening(queue, now) is not None:
        return "closed"
    waiting = floor.lengths.get(queue.id, 0)
    if queue.max_length is not None and waiting >= queue.max_length:
        return "full"
    longer_than = None if queue.overflow is None else queue.overflow.longer_than
    return "length" if longer_than is not None and waiting >= longer_than else None


def refusal(floor: Floor, queue: Queue, now: int) -> str | None:
    """The flag of a contact that has come to stay in a queue that doesn't want it."""
    if queue.closed == "refuse" and opening(queue, now) is not None:
        return QUEUE_CLOSED
    full = queue.max_length is not None and floor.lengths.get(queue.id, 0) >= queue.max_length
    return QUEUE_FULL if full else None


def takes(floor: Floor, queue: Queue, now: int) -> bool:
    """Whether a contact that comes just stays."""
    return turned_away(floor, queue, now) is None and refusal(floor, queue, now) is None


def overflow_goal(floor: Floor, contact: Contact) -> Queue | None:
    """Where the contact goes when it has waited for too long; None when it has been there."""
    overflow = contact.rules.overflow
    goal = None if overflow is None else standing(floor, overflow.queue)
    return None if goal is None or goal.id in (*contact.been, contact.rules.queue) else goal


def opening(queue: Queue, now: int) -> int | None:
    """When a queue that is closed opens; None while it is open, and beyond what its hours were compiled for."""
    return None if queue.hours is None else next_opening(queue.hours, now)


def next_opening(hours: BusinessHours, now: int) -> int | None:
    place = bisect_right(hours.open, now, key=lambda interval: interval[1])
    if place == len(hours.open):
        return None
    opens = hours.open[place][0]
    return opens if opens > now else None
