"""What the last hour's decisions tell of a pool: how long work takes, who arrives, how soon offers are accepted.

Work counts from its assignment until its agent is free of it. What is still held counts with the seconds that it has
been held, or long work would be missing from the mean.

An arrival is a piece of work that comes to wait, for that is what takes room from who waits: a contact that opens, and
one that needs an agent again after it had one (it was given back, transferred, or its customer wrote). Each of these
ends as a piece of its own as well. What is moved while it waits (it overflowed, fell back, was transferred out of the
line) is the same piece still, and counts by what it asks for last; an offer that nobody took changes nothing. What
comes again is older than what opens, so an arrival says how long it is until its promise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from statistics import fmean
from typing import Any, Final

import msgspec

from libs.common.events import SECOND
from libs.common.events.codec import instant
from libs.common.events.values import Medium, Requirement
from services.router.core.floor import Floor
from services.router.core.queues import Kind, due_of
from services.router.core.relaxation import step_now
from services.router.core.requirements import speaking
from services.router.core.state import Contact
from services.router.expected_wait import Arrivals, Asked, Group, Pace, Work

GONE: Final = ("contact.assigned", "contact.parked", "contact.closed", "contact.abandoned")
"""What ends a contact's waiting."""
FREED_BY: Final = (
    "contact.closed", "contact.abandoned", "contact.parked", "contact.released", "contact.transferred",
    "contact.wrap_up_ended",
)  # fmt: skip
TYPES: Final = ("contact.queued", "contact.offered", "contact.assigned", *FREED_BY)
"""The decisions that are looked at."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What matters of a decision; each type has some of it."""

    reason: str = ""
    queue: str = ""
    channel: str = ""
    medium: Medium = "async"
    target_seconds: int = 0
    requirement: Requirement | None = None
    own_requirement: Requirement | None = None
    language: str | None = None
    language_level: int = 0
    waiting_since: int | str = 0
    """In microseconds, or as it was published."""
    boost: int = 0


class Seen(msgspec.Struct, frozen=True):
    at: int
    type: str
    contact_id: str
    said: Said


class Arrival(msgspec.Struct, frozen=True):
    """Contacts that arrive alike."""

    own: Requirement | None
    requirement: Requirement
    kind: Kind
    target_seconds: int


def pace_of(floor: Floor, decisions: Collection[Seen], since: int, now: int) -> Pace:
    """`decisions` in order, all of those from `since` to `now`."""
    pace = Pace()
    offered: dict[str, int] = {}
    held: dict[str, tuple[int, str]] = {}
    for one in decisions:
        match one.type:
            case "contact.offered":
                offered[one.contact_id] = one.at
            case "contact.assigned":
                held[one.contact_id] = one.at, one.said.medium
                _count_acceptance(pace, offered.pop(one.contact_id, None), one.at)
            case _ if one.contact_id in held:
                begin, medium = held.pop(one.contact_id)
                _count_work(pace, medium, one.at - begin, finished=1)
    for begin, medium in held.values():
        _count_work(pace, medium, now - begin, finished=0)
    pace.arrivals = arrivals_of(floor, decisions, max(1, now - since) / SECOND)
    return pace


def arrivals_of(floor: Floor, decisions: Iterable[Seen], span_seconds: float) -> list[Arrivals]:
    alike: dict[Arrival, list[float]] = {}
    for one in came_to_wait(decisions):
        alike.setdefault(arrival_of(one.said), []).append(lead_seconds(one))
    return [
        Arrivals(
            floor.need(one.own, one.requirement), one.kind, one.target_seconds, fmean(leads), len(leads) / span_seconds
        )
        for one, leads in alike.items()
    ]


def came_to_wait(decisions: Iterable[Seen]) -> list[Seen]:
    """The `contact.queued` of every arrival, the last one where it was moved while it waited."""
    came: list[Seen] = []
    waiting: dict[str, int] = {}
    for one in decisions:
        if one.type in GONE:
            waiting.pop(one.contact_id, None)
        elif one.type == "contact.queued" and one.contact_id in waiting:
            came[waiting[one.contact_id]] = one
        elif one.type == "contact.queued":
            waiting[one.contact_id] = len(came)
            came.append(one)
    return came


def lead_seconds(queued: Seen) -> float:
    """From then until its promise."""
    said = queued.said
    since = instant(said.waiting_since) if isinstance(said.waiting_since, str) else said.waiting_since
    return (since - queued.at) / SECOND + said.target_seconds * (1 - said.boost / 1_000)


def arrival_of(said: Said) -> Arrival:
    spoken = speaking(said.requirement or Requirement(), said.language, said.language_level)
    return Arrival(said.own_requirement, spoken, (said.channel, said.medium), said.target_seconds)


def _count_acceptance(pace: Pace, offered_at: int | None, at: int) -> None:
    if offered_at is not None:
        pace.accepted += 1
        pace.accepting_seconds += (at - offered_at) / SECOND


def _count_work(pace: Pace, medium: str, held: int, *, finished: int) -> None:
    work = pace.work.setdefault(medium, Work())
    work.finished += finished
    work.seconds += held / SECOND


def asked_by(floor: Floor, contact: Contact) -> Asked:
    kind, target = (contact.channel, contact.medium), contact.target_seconds * SECOND
    need = floor.need_at(contact, step_now(floor, contact))
    return Asked(need, kind, due_of(contact), target)


def asked_now(floor: Floor, arrival: Arrival, now: int) -> Asked:
    """By somebody who comes now and is like those who came."""
    target = arrival.target_seconds * SECOND
    return Asked(floor.need(arrival.own, arrival.requirement), arrival.kind, now + target, target)


def grouped(contacts: Iterable[Asked]) -> list[Group]:
    """Those who wait, by what they need."""
    found: dict[Any, Group] = {}
    for one in contacts:
        group = found.setdefault((one.need, one.kind, one.target), Group(one.need, one.kind, one.target, []))
        group.promises.append(one.promise)
    for group in found.values():
        group.promises.sort()
    return list(found.values())
