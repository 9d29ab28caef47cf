"""Which work may be paused for which, for how long, and what an agent's room is then.

A live contact may pause what its agent's capacity lets it interrupt, as long as all pauses of a piece are shorter than
half its target; from then on it is protected. What has most of this budget left is paused first, of equals what has
waited least.

An offer holds the room that it needs and pauses nothing: its acceptance does, so that an offer which is declined has
stopped nobody's work. Only one live offer of an agent relies on a pause, so that every accept finds its room.

What is paused takes no units, and keeps its room from all that couldn't have paused it; once its budget is spent, from
everything. It goes on as soon as there is room, whoever has least of its budget left first: of equal promises the
longest paused, of others the most urgent. A strict order: what is small doesn't overtake what is large.

Parked work keeps the agent's wake-up reserve from what couldn't pause it when it wakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from libs.common.events import SECOND
from libs.common.events.values import Capacity, Medium
from services.router.core.limits import PAUSE_SHARE_DIVISOR
from services.router.core.state import Agent, Contact, units_held

MEDIA: Final[tuple[Medium, ...]] = ("voice", "live", "async")
"""From the most immediate on: each can be interrupted only by those before it."""


class Margin(NamedTuple):
    """In units, for something new of one medium."""

    pausable: int = 0
    """What it may pause."""
    kept: int = 0
    """The room that is kept from it."""
    yielding: int = 0
    """What it may interrupt, though some of that may be protected just now."""


Margins = tuple[Margin, ...]
"""In the order of `MEDIA`; empty when there is nothing to pause and nothing is kept."""
NO_MARGIN: Final = Margin()


def may_pause(capacity: Capacity, medium: Medium, by: Medium) -> bool:
    return by in capacity.interrupted_by.get(medium, ())


def pause_budget(contact: Contact) -> int:
    """Microseconds that it may be paused in all."""
    return contact.target_seconds * SECOND // PAUSE_SHARE_DIVISOR


def pause_left(contact: Contact, now: int) -> int:
    """Microseconds of its budget that are left; 0 when it's spent."""
    running = 0 if contact.paused_at is None else now - contact.paused_at
    return max(0, pause_budget(contact) - contact.paused_total - running)


def is_protected(contact: Contact) -> bool:
    """Whether its budget is spent: it isn't paused again."""
    return contact.paused_total >= pause_budget(contact)


def pause_spent_at(contact: Contact) -> int:
    """When a paused contact's budget is spent; the same moment however long the pause has lasted."""
    assert contact.paused_at is not None
    return contact.paused_at + pause_budget(contact) - contact.paused_total


def is_pausable(capacity: Capacity, contact: Contact, by: Medium) -> bool:
    """Whether it is being worked on and may stop for that: an offer and a wrap-up may not."""
    works = contact.state == "assigned" and contact.paused_at is None and contact.units > 0
    return works and may_pause(capacity, contact.medium, by) and not is_protected(contact)


def margins(agent: Agent, held: Iterable[Contact], parked: Iterable[Medium], reserve: int) -> Margins:
    """Of an agent who holds these contacts and has parked ones of these media."""
    contacts, media = list(held), list(parked)
    return tuple(_margin(agent, contacts, media, reserve, by) for by in MEDIA)


def _margin(agent: Agent, held: list[Contact], parked: list[Medium], reserve: int, by: Medium) -> Margin:
    capacity = agent.capacity
    yields = [one for one in held if one.paused_at is None and may_pause(capacity, one.medium, by)]
    return Margin(
        pausable=sum(one.units for one in yields if is_pausable(capacity, one, by)),
        kept=sum(one.units for one in held if _keeps_its_room(capacity, one, by))
        + (0 if all(may_pause(capacity, medium, by) for medium in parked) else reserve),
        yielding=sum(units_held(one, agent.id) for one in yields),
    )


def margin(margins: Margins, by: Medium) -> Margin:
    return margins[MEDIA.index(by)] if margins else NO_MARGIN


def _keeps_its_room(capacity: Capacity, contact: Contact, by: Medium) -> bool:
    paused = contact.paused_at is not None
    return paused and (is_protected(contact) or not may_pause(capacity, contact.medium, by))


def is_sound(capacity: Capacity) -> bool:
    """Whether only what is more immediate interrupts, and the reserve leaves room for something new."""
    return 0 <= capacity.wake_up_reserve < capacity.units and all(
        medium in MEDIA and {*by} <= {*MEDIA[: MEDIA.index(medium)]} for medium, by in capacity.interrupted_by.items()
    )
