"""Why a contact stands where it stands, computed from the state when somebody asks.

A floor that holds the contact, the pool's agents and what they hold is enough for everything but `ahead`, which counts
over all who wait unless the caller has counted already. Times are microseconds, scores and boosts plain numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from libs.common.events import SECOND
from libs.common.events.values import Requirement
from services.router.core.choice import still_asked
from services.router.core.desks import Desk
from services.router.core.floor import Floor, holders_of
from services.router.core.interruption import is_protected, margin, pause_left
from services.router.core.limits import AGEING_SHARE_PERCENT
from services.router.core.policy import named
from services.router.core.queues import Score, is_higher, score_of, thousandths
from services.router.core.requirements import why_not
from services.router.core.state import Contact, requirement_now
from services.router.core.timers import contact_due


@dataclass(frozen=True, slots=True)
class Candidate:
    agent: str
    chosen: bool
    why: str | None = None
    """Why not; None for who was chosen."""


@dataclass(frozen=True, slots=True)
class Explanation:
    contact_id: str
    state: str
    score: float
    """Slack in units of 1,000 s while early, lateness in targets from then on."""
    promise_seconds: float
    target_seconds: int
    boost: float
    terms: dict[str, float]
    policy_version: int
    target: str | None
    requirement: Requirement
    """The queue's part after the relaxation that has passed."""
    own_requirement: Requirement | None
    relaxed: int
    candidates: tuple[Candidate, ...]
    ahead: int
    queue_version: int
    """Of the rules that are pinned to it, as the target's version is; the weights are the pool's of now."""
    target_version: int
    next_change_at: int | None
    """When something changes by itself: a relaxation, an end of waiting for somebody, lateness."""
    text: str


def explain(floor: Floor, contact: Contact, now: int, ahead: int | None = None) -> Explanation:
    score = score_of(contact, now)
    return Explanation(
        contact_id=contact.id,
        state=contact.state,
        score=thousandths(score) / 1_000,
        promise_seconds=contact.target_seconds * (1_000 - contact.boost) / 1_000,
        target_seconds=contact.target_seconds,
        boost=contact.boost / 1_000,
        terms={name: value / 1_000 for name, value in named(contact.terms).items()},
        policy_version=contact.policy_version,
        target=contact.target,
        requirement=requirement_now(contact),
        own_requirement=contact.own,
        relaxed=contact.relaxed,
        candidates=tuple(candidates(floor, contact)),
        ahead=count_ahead(floor, contact, score, now) if ahead is None else ahead,
        queue_version=contact.rules.version,
        target_version=contact.target_version,
        next_change_at=next_change_at(contact, now),
        text=in_words(contact, now),
    )


def candidates(floor: Floor, contact: Contact) -> Iterator[Candidate]:
    """Every agent of the pool by id: chosen, or the first reason why not."""
    chosen = holders_of(contact)
    asked = still_asked(floor, contact.asked)
    for agent_id, desk in sorted(floor.desks.items()):
        if desk.agent.deleted:
            continue
        if agent_id in chosen:
            yield Candidate(agent_id, chosen=True)
        else:
            yield Candidate(agent_id, chosen=False, why=reason_against(desk, contact, asked, chosen))


def reason_against(desk: Desk, contact: Contact, asked: frozenset[str], chosen: tuple[str, ...]) -> str:
    agent = desk.agent
    lacking = why_not(agent.skills, requirement_now(contact)) or why_not(agent.skills, contact.own)
    if lacking is not None:
        return lacking
    if agent.status != "available":
        status = agent.status if agent.reason is None else f"{agent.status}: {agent.reason}"
        return status if agent.next_status is None else f"{status}, then {agent.next_status}"
    if agent.id in asked:
        return "was asked and did not take it"
    if not desk.fits((contact.channel, contact.medium), desk.margins()):
        return at_capacity(desk, contact)
    if contact.opens_at is not None:
        return f"queue {contact.rules.queue} is closed"
    if contact.last_agent_until is not None and contact.last_agent != agent.id:
        return f"held for {contact.last_agent}"
    if chosen:
        return f"{', '.join(chosen)} went before"
    return contact.unroutable or "not waiting" if contact.state != "waiting" or contact.unroutable else "next"


def at_capacity(desk: Desk, contact: Contact) -> str:
    kept = margin(desk.margins(), contact.medium).kept
    used = f"at capacity {desk.used}/{desk.agent.capacity.units}"
    return f"{used}, {kept} kept for paused and parked work" if kept else used


def count_ahead(floor: Floor, contact: Contact, score: Score, now: int) -> int:
    """Who waits with a higher score, or as high and a lower id, for the same agents; 0 when it doesn't wait."""
    if contact.state != "waiting":
        return 0
    able = floor.need_of(contact).profiles
    return sum(
        _goes_before(one, contact, score, now)
        for one in floor.contacts.values()
        if one.state == "waiting" and any(profile in able for profile in floor.need_of(one).profiles)
    )


def _goes_before(one: Contact, contact: Contact, score: Score, now: int) -> bool:
    other = score_of(one, now)
    if is_higher(other, score):
        return True
    return not is_higher(score, other) and one.id < contact.id


def next_change_at(contact: Contact, now: int) -> int | None:
    target = contact.target_seconds * SECOND
    moments = [contact_due(contact)]
    if contact.state == "waiting":
        promise = contact.waiting_since + target - contact.boost * contact.target_seconds * (SECOND // 1_000)
        moments += [promise, contact.waiting_since + target * AGEING_SHARE_PERCENT // 100]
    return min((moment for moment in moments if moment > now), default=None)


# -- in words ---------------------------------------------------------------------------------------------------


def in_words(contact: Contact, now: int) -> str:
    """`promise of 240:00; paused for con_x, 7:30 of its budget left`."""
    return "; ".join(part for part in (_promise(contact), _pauses(contact, now)) if part)


def _pauses(contact: Contact, now: int) -> str:
    if contact.paused_for is not None:
        return f"paused for {contact.paused_for}, {minutes(pause_left(contact, now) // SECOND)} of its budget left"
    return "was paused as long as it may be" if is_protected(contact) else ""


def _promise(contact: Contact) -> str:
    """`promise moved from 15:00 to 12:30 because 40,000 can see it and it failed twice before`."""
    whole = minutes(contact.target_seconds)
    reasons = [reason for reason in _reasons(contact) if reason]
    if not contact.boost or not reasons:
        return f"promise of {whole}"
    moved = minutes(contact.target_seconds * (1_000 - contact.boost) // 1_000)
    return f"promise moved from {whole} to {moved} because {' and '.join(reasons)}"


def minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"


def _reasons(contact: Contact) -> Iterator[str]:
    if contact.reach > 1:
        yield f"{contact.reach:,} can see it"
    if contact.sentiment < 0:
        yield "the customer is upset"
    if contact.tier != "standard":
        yield f"the customer's tier is {contact.tier}"
    if contact.strikes > 0:
        yield "it failed before" if contact.strikes == 1 else f"it failed {times(contact.strikes)} before"
    if contact.velocity and "velocity" in named(contact.terms):
        yield f"it is shared and liked {contact.velocity:,} times an hour"
    if contact.urgency and "urgency" in named(contact.terms):
        yield "it is urgent"
    if contact.raised:
        yield "its priority was raised"


def times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"
