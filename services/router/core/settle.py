"""One piece of the work that events have left: an offer at most, or the finding that there is none to make.

Agents who leave when free go when they are. Then agents who have room, each until nothing more fits; then contacts that
nobody has been sought for; then dead ends, when the roster has changed. What was looked at leaves its list by an event,
so the lists survive a restore and every `Settle` comes nearer to the end.
"""

from __future__ import annotations

from bisect import bisect_right

from libs.common.events.routing import ContactUnroutable
from services.router.core.choice import choose, is_dead_end, missing
from services.router.core.desks import Desk
from services.router.core.facts import AgentFilled, ContactPlaced, DeadEndsChecked
from services.router.core.fallback import fallen_back
from services.router.core.floor import NO_AGENT, NOBODY_ANSWERS, Floor
from services.router.core.limits import DEAD_ENDS_A_LOOK
from services.router.core.offers import of_choice, offered
from services.router.core.outcomes import Events
from services.router.core.partition import Partition
from services.router.core.pauses import going_on
from services.router.core.picks import pick
from services.router.core.presence import when_free
from services.router.core.state import Contact
from services.router.core.transitions import flag_ended


def settle(partition: Partition) -> Events:
    floor = partition.working_floor()
    if floor is None:
        return ()
    leaver = floor.first_leaver()
    if leaver is not None:
        return when_free(floor, leaver, partition.now)
    desk = floor.first_hungry()
    if desk is not None:
        return fill(floor, desk, partition.now)
    contact = floor.first_arrival()
    if contact is not None:
        return place(floor, contact, partition.now)
    return look_again(floor, partition.now)


def fill(floor: Floor, desk: Desk, now: int) -> Events:
    """Paused work goes on, then the agent picks; when nothing fits there is no more to do for them."""
    goes_on = going_on(floor, now, desk) if desk.paused else ()
    if goes_on:
        return goes_on
    picked = pick(floor, desk, now)
    if picked is None:
        return (AgentFilled(key=floor.key, at=now, agent_id=desk.agent.id),)
    return offered(floor, desk, picked, now, {})


def place(floor: Floor, contact: Contact, now: int) -> Events:
    """The contact goes to the best agent with room; without one it waits to be picked, or is a dead end."""
    choice = choose(floor, contact, now)
    if choice is not None:
        return of_choice(floor, contact, choice, now)
    placed = ContactPlaced(key=floor.key, at=now, contact_id=contact.id)
    if contact.offers or contact.unroutable == NOBODY_ANSWERS:
        return (placed,)
    if not is_dead_end(floor, contact):
        was_one = contact.unroutable == NO_AGENT
        return (placed, *(flag_ended(floor, now, contact, "needs_changed") if was_one else ()))
    elsewhere = fallen_back(floor, contact, now)
    if elsewhere or contact.unroutable is not None:
        return elsewhere or (placed,)
    lacking = missing(floor, contact)
    flag = ContactUnroutable(key=floor.key, at=now, contact_id=contact.id, reason=NO_AGENT, missing=lacking)
    return (placed, flag)


def look_again(floor: Floor, now: int) -> Events:
    """Some of the dead ends, from where the last look ended: somebody may be able to take them by now, or elsewhere."""
    after = floor.pool.recheck_after
    assert after is not None, "only a floor with work is settled"
    start = bisect_right(floor.dead_ends, after)
    looked_at = floor.dead_ends[start : start + DEAD_ENDS_A_LOOK]
    moves = [event for one in looked_at for event in no_dead_end_now(floor, floor.contacts[one], now)]
    done = len(looked_at) < DEAD_ENDS_A_LOOK
    return (*moves, DeadEndsChecked(key=floor.key, at=now, after=None if done else looked_at[-1]))


def no_dead_end_now(floor: Floor, contact: Contact, now: int) -> Events:
    if is_dead_end(floor, contact):
        return fallen_back(floor, contact, now)
    return flag_ended(floor, now, contact, "agent_appeared")
