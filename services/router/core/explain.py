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
from services.router.core.floor import Floor
from services.router.core.interruption import is_protected, margin, pause_left
from services.router.core.limits import AGEING_SHARE_PERCENT
from services.router.core.policy import named
from services.router.core.queues import Score, due_of, is_higher, score_of, thousandths
from services.router.core.relaxation import step_now
from services.router.core.requirements import why_not
from services.router.core.state import Contact, first_choices, holders_of, requirement_at
from services.router.core.timers import contact_due, relax_due


@dataclass(frozen=True, slots=True)
class Candidate:
    agent: str
    chosen: bool
    why: str | None = None
    """Why not; None for who was chosen."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """How far the queue's part of what the contact needs has loosened."""

    step: int
    steps: int
    why: str
    next_at: int | None
    """When the next step counts at the latest; None after the last, and for what waits no longer."""


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
    """The queue's part at the relaxation step that counts now."""
    own_requirement: Requirement | None
    relaxation: Relaxation
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
    step = step_now(floor, contact) if contact.state == "waiting" else contact.relaxed
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
        requirement=requirement_at(contact, step),
        own_requirement=contact.own,
        relaxation=relaxation(contact, step),
        candidates=tuple(candidates(floor, contact, step)),
        ahead=count_ahead(floor, contact, score, now) if ahead is None else ahead,
        queue_version=contact.rules.version,
        target_version=contact.target_version,
        next_change_at=next_change_at(contact, now),
        text=in_words(contact, now),
    )


def relaxation(contact: Contact, step: int) -> Relaxation:
    due = relax_due(contact) if contact.state in {"waiting", "offered"} else 0
    steps = len(contact.rules.relax)
    return Relaxation(step, steps, why_relaxed(contact, step), due or None)


def why_relaxed(contact: Contact, step: int) -> str:
    """`waited 60 s at the step before`."""
    if step > contact.relaxed:
        return "nobody who could take it before this step is available"
    match contact.relaxed_by:
        case "waited" | None if step:
            return f"waited {contact.rules.relax[step - 1].after_seconds} s at the step before"
        case "expected_wait":
            bound = contact.rules.relax[step - 1].wait_over_seconds
            return f"was expected to wait more than {bound} s at the step before"
        case "nobody_available":
            return "nobody who could take it before this step was available"
        case "escalated":
            return "its promise was about to break"
        case _:
            return "no step has passed" if contact.rules.relax else "its queue has no steps"


def candidates(floor: Floor, contact: Contact, step: int | None = None) -> Iterator[Candidate]:
    """Every agent of the pool by id: chosen, or the first reason why not."""
    chosen = holders_of(contact)
    asked = still_asked(floor, contact.asked)
    for agent_id, desk in sorted(floor.desks.items()):
        if desk.agent.deleted:
            continue
        if agent_id in chosen:
            yield Candidate(agent_id, chosen=True)
        else:
            yield Candidate(agent_id, chosen=False, why=reason_against(desk, contact, asked, chosen, step))


def reason_against(
    desk: Desk, contact: Contact, asked: frozenset[str], chosen: tuple[str, ...], step: int | None = None
) -> str:  # fmt: skip
    """Why it isn't this agent's, at the step that has passed or at the one given."""
    agent = desk.agent
    needed = requirement_at(contact, contact.relaxed if step is None else step)
    lacking = why_not(agent.skills, needed) or why_not(agent.skills, contact.own)
    if lacking is not None:
        return lacking
    if contact.own is not None and agent.id in contact.own.exclude_agents:
        return "excluded by the contact"
    if agent.status != "available":
        status = agent.status if agent.reason is None else f"{agent.status}: {agent.reason}"
        return status if agent.next_status is None else f"{status}, then {agent.next_status}"
    if agent.id in asked:
        return "was asked and did not take it"
    if not desk.fits((contact.channel, contact.medium), desk.margins()):
        return at_capacity(desk, contact)
    if contact.opens_at is not None:
        return f"queue {contact.rules.queue} is closed"
    first = first_choices(contact.own, contact.last_agent)
    if contact.last_agent_until is not None and agent.id not in first:
        return f"held for {', '.join(first)}"
    if contact.state == "waiting" and contact.group is not None:
        return f"offered together with {contact.group}"
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
        moments += [due_of(contact), contact.waiting_since + target * AGEING_SHARE_PERCENT // 100]
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
