"""Which agent, when several could take a contact that arrives, comes back or may now ask for less.

In this order: the wanted proficiency is met; the lowest regret, in half points; the work held (for a call the least
that is interruptible, for a chat the most chats and then the least that is interruptible, otherwise the least of all);
who prefers its queue; the fewest requirements they can serve; the longest since their last assignment; the id. Whom the
contact prefers goes first while it is early, and so does the customer's last agent while it is held for them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from services.router.core.desks import Desk, Peers, Profile, can_ever_hold
from services.router.core.floor import NOBODY_ANSWERS, Floor
from services.router.core.limits import CALL_READY_HALF_POINTS, REGRET_HALF_POINTS_MIN, RUNNERS_UP_MAX
from services.router.core.policy import is_early
from services.router.core.queues import MAIN, Asked, Bucket, Kind, Need, half_points, score_at, steps_open
from services.router.core.requirements import lacks
from services.router.core.state import Contact, first_choices, requirement_at

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
    """The agent to offer it to now; None when nobody has room, or while it is held for somebody.

    Decliners are asked again when everybody able was, and nobody is being asked any more.
    """
    if contact.opens_at is not None:
        return None  # Its queue is closed.
    if contact.last_agent_until is not None:
        desk = first_choice(floor, contact)
        return Choice(desk) if desk is not None else None
    kind = (contact.channel, contact.medium)
    needs = floor.needs_of(contact)
    need = needs[steps_open(needs, kind)]
    asked = still_asked(floor, contact.asked)
    asking = frozenset(offer.agent_id for offer in contact.offers)
    if is_early(contact, now) and (desk := preferred(floor, contact, need, asked | asking)) is not None:
        return Choice(desk, passed_over=passed_over(floor, need, kind, asked))
    able = candidates(need, kind, asked | asking)
    over = bool(asking) or contact.unroutable == NOBODY_ANSWERS
    again = bool(asked) and not able and not over and everyone_was_asked(floor, need, kind, asked)
    if again:
        able = candidates(need, kind, NOBODY)
    if not able:
        return None
    wanted = floor.need_at(contact, 0)
    ranked = rank(floor, contact, able, None if need is wanted else wanted, now)
    best, *others = ranked
    return Choice(
        desk=floor.desks[best.agent_id],
        runners_up=tuple(other.agent_id for other in others[:RUNNERS_UP_MAX]),
        passed_over=passed_over(floor, need, kind, asked | asking),
        asked_again=again,
    )


def first_choice(floor: Floor, contact: Contact) -> Desk | None:
    """Of those it is held for, the first who has room now and wasn't asked."""
    asked = still_asked(floor, contact.asked)
    names = first_choices(contact.own, contact.last_agent)
    return with_room(floor, contact, floor.need_of(contact), names, asked)


def preferred(floor: Floor, contact: Contact, need: Need, asked: frozenset[str]) -> Desk | None:
    """Of those it prefers, the first who has room now and wasn't asked."""
    return with_room(floor, contact, need, first_choices(contact.own, None), asked)


def with_room(
    floor: Floor, contact: Contact, need: Need, names: tuple[str, ...], asked: frozenset[str]
) -> Desk | None:  # fmt: skip
    kind = (contact.channel, contact.medium)
    desks = (floor.desks.get(name) for name in names if name not in asked)
    return next((desk for desk in desks if desk is not None and desk.has_room(kind) and need.allows(desk.agent)), None)


def candidates(need: Need, kind: Kind, asked: frozenset[str]) -> list[Candidate]:
    """Of each group of able peers with room, the one who was given work longest ago."""
    without = asked | need.excluded
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
    """Whether every available agent who is able, and could hold it without other work, was asked or is excluded."""
    able = sum(
        len(peers.members)
        for profile in need.profiles
        for peers in profile.peers.values()
        if peers.can_ever_hold(kind)
    )
    out = (floor.desks.get(agent) for agent in sorted(asked | need.excluded))
    return able == sum(_is_able(desk, need, kind) for desk in out)


def _is_able(desk: Desk | None, need: Need, kind: Kind) -> bool:
    if desk is None or desk.peers is None:
        return False
    return desk.profile in need.profiles and can_ever_hold(desk.agent.capacity, kind)


def rank(
    floor: Floor, contact: Contact, able: list[Candidate], wanted: Need | None, now: int
) -> list[Candidate]:  # fmt: skip
    """The best first; `wanted` is the proficiency that goes before, where able agents may lack it."""
    if len(able) == 1:
        return able
    own = floor.places.get(contact.id)
    wanted_by = cache(lambda profile, calls: most_wanted(floor, profile, own, now, calls=calls))

    def order(one: Candidate) -> tuple[int, int, tuple[int, int], int, int, int, str]:
        peers, profile = one.peers, one.peers.profile
        return (
            0 if wanted is None or profile in wanted.profiles else 1,
            regret(peers, contact, wanted_by(profile, not peers.chats)),
            held(peers, contact),
            0 if contact.rules.queue in peers.preferred else 1,
            profile.versatility,
            one.last_assigned_at,
            one.agent_id,
        )

    return sorted(able, key=order)


def most_wanted(floor: Floor, profile: Profile, own: Bucket | None, now: int, *, calls: bool) -> int:
    """The highest score, in half points, of what already waits and these agents could serve, perhaps without calls."""
    highest = REGRET_HALF_POINTS_MIN
    for line in floor.fronts.lines(MAIN):
        served = profile.buckets.get(line.kind)
        if not served or not line.buckets or (line.kind[1] == "voice" and not calls):
            continue
        along = line.along(served)
        first = next(along, None)
        if first is own:
            first = next(along, None)
        if first is not None and (place := first.firsts[MAIN]) is not None:
            highest = max(highest, half_points(score_at(place[0] + line.target, line.target, now)))
    return highest


def regret(peers: Peers, contact: Contact, highest: int) -> int:
    """What already waits and wants these agents most; calls don't count for who is in a chat.

    Being free for a call has a price: as if a call due in 500 s wanted them, unless the contact is a call itself.
    """
    if contact.medium != "voice" and highest < CALL_READY_HALF_POINTS and peers.is_call_ready:
        return CALL_READY_HALF_POINTS
    return highest


def held(peers: Peers, contact: Contact) -> tuple[int, int]:
    """Chats that pause what calls could have paused use its budget up: calls then find nobody."""
    match contact.medium:
        case "voice":
            return peers.interruptible, 0
        case "live":
            return -peers.chats, peers.interruptible
        case "async":
            return peers.used, 0


def passed_over(floor: Floor, need: Need, kind: Kind, asked: frozenset[str]) -> dict[str, int]:
    """How many agents could not be chosen, by reason."""
    able = sum(profile.size for profile in need.profiles)
    here = sum(profile.here for profile in need.profiles)
    groups = (peers for profile in need.profiles for peers in profile.peers.values())
    room = sum(len(peers.members) for peers in groups if peers.has_room(kind))
    out = (floor.desks.get(agent) for agent in sorted(need.excluded))
    excluded = sum(desk is not None and desk.has_room(kind) and desk.profile in need.profiles for desk in out)
    counts = {
        "skill": floor.roster - able, "not_available": able - here, "at_capacity": here - room, "asked": len(asked),
        "excluded": excluded,
    }  # fmt: skip
    return {reason: count for reason, count in counts.items() if count}


# -- dead ends ----------------------------------------------------------------------------------------------------


def is_dead_end(floor: Floor, contact: Contact) -> bool:
    """Nobody on the roster could ever take it, even fully relaxed."""
    kind = (contact.channel, contact.medium)
    needs = (floor.need_at(contact, step) for step in range(len(contact.rules.relax) + 1))
    return not any(need.has_on_roster(kind) for need in needs)


def missing(floor: Floor, contact: Contact) -> tuple[str, ...]:
    """The skills that the nearest profile lacks for the last relaxation step; all of them without any agent."""
    last = requirement_at(contact, len(contact.rules.relax))
    skills = [profile.skills for profile in floor.profiles.values()] or [{}]
    gaps = ({*lacks(one, last), *lacks(one, contact.own)} for one in skills)
    return min((tuple(sorted(gap)) for gap in gaps), key=lambda gap: (len(gap), gap))


def stranded(floor: Floor) -> list[Contact]:
    """Waiting contacts for whose present need nobody is on the roster, not flagged; the cost is theirs."""
    buckets = (one for one in floor.buckets.values() if one.live and not one.need.has_on_roster(one.kind))
    waiting = {entry[1]: None for bucket in buckets for entry in bucket.living(floor.contacts)}
    held = (one for kept in floor.held.values() for one in kept.values())
    waiting |= {one.id: None for one in held if not floor.need_of(one).has_on_roster((one.channel, one.medium))}
    contacts = (floor.contacts[one] for one in waiting)
    return [contact for contact in contacts if contact.state == "waiting" and contact.unroutable is None]
