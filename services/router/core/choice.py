"""Which agent, when several could take a contact that arrives, comes back or may now ask for less.

In this order: the wanted proficiency is met; the lowest regret, in half points; the work held (for a call the least
that is interruptible, for a chat the most chats, otherwise the least of all); who prefers its queue; the fewest
requirements they can serve; the longest since their last assignment; the id. The customer's last agent goes first while
the contact is held.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from services.router.core.desks import Desk, Kind, Peers, can_ever_hold
from services.router.core.floor import Floor
from services.router.core.limits import CALL_READY_HALF_POINTS, REGRET_HALF_POINTS_MIN, RUNNERS_UP_MAX
from services.router.core.queues import Asked, Bucket, Need
from services.router.core.requirements import lacks
from services.router.core.state import Contact

NOBODY: frozenset[str] = frozenset()


class Choice(NamedTuple):
    desk: Desk
    runners_up: tuple[str, ...] = ()
    passed_over: dict[str, int] = {}
    asked_again: bool = False


class Candidate(NamedTuple):
    peers: Peers
    last_assigned_at: int
    agent_id: str


def choose(floor: Floor, contact: Contact, now: int) -> Choice | None:
    """The agent to offer it to now; None when nobody has room, or while it is held for the last agent.

    Decliners are asked again when everybody able was, and nobody is being asked any more.
    """
    if contact.opens_at is not None:
        return None  # Its queue is closed.
    if contact.last_agent_until is not None:
        desk = last_agent(floor, contact)
        return Choice(desk) if desk is not None else None
    need = floor.need_of(contact)
    kind = (contact.channel, contact.medium)
    asked = still_asked(floor, contact.asked)
    asking = frozenset(offer.agent_id for offer in contact.offers)
    able = candidates(need, kind, asked | asking)
    again = bool(asked) and not asking and not able and everyone_was_asked(floor, need, kind, asked)
    if again:
        able = candidates(need, kind, NOBODY)
    if not able:
        return None
    ranked = rank(floor, contact, able, now)
    best, *others = ranked
    return Choice(
        desk=floor.desks[best.agent_id],
        runners_up=tuple(other.agent_id for other in others[:RUNNERS_UP_MAX]),
        passed_over=passed_over(floor, need, kind, asked | asking),
        asked_again=again,
    )


def last_agent(floor: Floor, contact: Contact) -> Desk | None:
    """The agent it is held for, when they have room now."""
    desk = floor.desks.get(contact.last_agent or "")
    if desk is None or desk.profile is None or not desk.has_room((contact.channel, contact.medium)):
        return None
    return desk if floor.need_of(contact).met_by(desk.profile.skills) else None


def candidates(need: Need, kind: Kind, without: frozenset[str]) -> list[Candidate]:
    """Of each group of able peers with room, the one who was given work longest ago."""
    return [
        Candidate(peers, *member)
        for profile in need.profiles
        for peers in profile.peers.values()
        if peers.has_room(kind) and (member := peers.first(without)) is not None
    ]


def still_asked(floor: Floor, asked: Asked) -> frozenset[str]:
    """Who was asked in vain and is still in the same shift."""
    return frozenset(agent for agent, shift in asked if _is_here(floor.desks.get(agent), shift))


def _is_here(desk: Desk | None, shift: int) -> bool:
    return desk is not None and desk.peers is not None and desk.agent.shift == shift


def everyone_was_asked(floor: Floor, need: Need, kind: Kind, asked: frozenset[str]) -> bool:
    """Whether every available agent who is able, and could hold it without other work, was asked in vain."""
    able = sum(
        len(peers.members)
        for profile in need.profiles
        for peers in profile.peers.values()
        if can_ever_hold(peers.capacity, kind)
    )
    return able == sum(_is_able(floor.desks[agent], need, kind) for agent in sorted(asked))


def _is_able(desk: Desk, need: Need, kind: Kind) -> bool:
    return desk.profile in need.profiles and can_ever_hold(desk.agent.capacity, kind)


def rank(floor: Floor, contact: Contact, able: list[Candidate], now: int) -> list[Candidate]:
    if len(able) == 1:
        return able
    wanted = floor.need(contact.own, contact.rules.requirement).profiles if contact.relaxed else None
    tops = floor.tops(now)
    own = floor.places.get(contact.id)

    def order(one: Candidate) -> tuple[int, int, int, int, int, int, str]:
        met = wanted is None or one.peers.profile in wanted
        return (
            0 if met else 1,
            regret(one.peers, contact, tops, own),
            held(one.peers, contact),
            0 if contact.rules.queue in one.peers.preferred else 1,
            one.peers.profile.versatility,
            one.last_assigned_at,
            one.agent_id,
        )

    return sorted(able, key=order)


def regret(peers: Peers, contact: Contact, tops: Iterable[tuple[int, Bucket]], own: Bucket | None) -> int:
    """The highest score, in half points, of what already waits and these agents could serve.

    Calls don't count for who is in a chat. Being free for a call has a price: as if a call due in 500 s wanted
    them, unless the contact is a call itself.
    """
    highest = REGRET_HALF_POINTS_MIN
    for half_points, bucket in tops:
        if bucket is not own and peers.serves(bucket) and not (peers.chats and bucket.medium == "voice"):
            highest = max(highest, half_points)
            break
    if contact.medium != "voice" and highest < CALL_READY_HALF_POINTS and peers.is_call_ready:
        return CALL_READY_HALF_POINTS
    return highest


def held(peers: Peers, contact: Contact) -> int:
    match contact.medium:
        case "voice":
            return peers.interruptible
        case "live":
            return -peers.chats
        case "async":
            return peers.used


def passed_over(floor: Floor, need: Need, kind: Kind, asked: frozenset[str]) -> dict[str, int]:
    """How many agents could not be chosen, by reason."""
    roster = sum(len(profile) for profile in floor.profiles.values())
    able = sum(len(profile) for profile in need.profiles)
    here = room = 0
    for profile in need.profiles:
        for peers in profile.peers.values():
            here += len(peers.members)
            room += len(peers.members) if peers.has_room(kind) else 0
    counts = {"skill": roster - able, "not_available": able - here, "at_capacity": here - room, "asked": len(asked)}
    return {reason: count for reason, count in counts.items() if count}


# -- dead ends ----------------------------------------------------------------------------------------------------


def is_dead_end(floor: Floor, contact: Contact) -> bool:
    """Nobody on the roster could ever take it, even fully relaxed."""
    kind = (contact.channel, contact.medium)
    steps = [contact.rules.requirement, *(step.requirement for step in contact.rules.relax)]
    needs = (floor.need(contact.own, step) for step in steps)
    return not any(profile.can_ever_hold(kind) for need in needs for profile in need.profiles)


def missing(floor: Floor, contact: Contact) -> tuple[str, ...]:
    """The skills that the nearest profile lacks for the last relaxation step; all of them without any agent."""
    relax = contact.rules.relax
    last = relax[-1].requirement if relax else contact.rules.requirement
    skills = [profile.skills for profile in floor.profiles.values()] or [{}]
    gaps = ({*lacks(one, last), *lacks(one, contact.own)} for one in skills)
    return min((tuple(sorted(gap)) for gap in gaps), key=lambda gap: (len(gap), gap))
