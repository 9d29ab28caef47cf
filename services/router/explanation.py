"""Why a contact stands where it stands: the core's own explanation, on the pool as the projection has it."""

from __future__ import annotations

from datetime import datetime

from libs.common.events.codec import moment
from libs.common.http import ViewModel
from services.router.api_models import OwnRequirement, Requirement
from services.router.api_views import own_requirement_view, requirement_view
from services.router.core import explain as core
from services.router.core.state import Contact
from services.router.floors import agents_floor
from services.router.reads import Reads, Row


class Term(ViewModel):
    name: str
    value: float


class Score(ViewModel):
    total: float
    """Below 0: time left in units of 1,000 s; from 0 on: lateness in units of the target."""
    promise_seconds: float
    """The target's seconds, less what the boost takes off."""
    target_seconds: int
    boost: float
    """The share of the target by which the promise is moved forward."""
    terms: list[Term]
    """What the boost is made of."""


class Pinned(ViewModel):
    """The versions of the queue's rules and of the target that it entered by: changes since don't touch it."""

    queue_version: int
    target_version: int


class CandidateView(ViewModel):
    agent: str
    chosen: bool
    why: str | None = None
    """Why not; null for who was chosen."""


class RelaxationView(ViewModel):
    """Steps of the queue's `relax` that count, of how many, why, and when the next one counts at the latest."""

    step: int
    steps: int
    why: str
    next_at: datetime | None


class Explanation(ViewModel):
    contact_id: str
    state: str
    score: Score
    policy_version: int
    pinned: Pinned
    target: str | None
    requirement: Requirement | None
    """What its queue asks now, after relaxation."""
    own_requirement: OwnRequirement | None
    """What it needs besides, always."""
    relaxed: int
    """Steps that count now; by time or load, as `relaxation` tells."""
    relaxation: RelaxationView
    candidates: list[CandidateView]
    ahead: int
    """Contacts of its queue that come first in the main order."""
    next_change_at: datetime | None
    """When something about it changes at the latest: an offer's end, a step, a hold's end."""
    text: str
    """The same in a sentence."""


async def explanation_of(reads: Reads, workspace: str, row: Row, now: int) -> Explanation:
    """Of an open contact as it stands; of one that has ended as it stood then, among the agents of now."""
    contact = row.entity(Contact)
    ahead = await reads.ahead(workspace, contact, now) if row.state == "waiting" else 0
    floor = await agents_floor(reads, workspace, row.pool, row.partition, [] if row.ended_at is not None else [row])
    explained = core.explain(floor, floor.contacts.get(contact.id, contact), row.ended_at or now, ahead)
    return shown(explained, state=row.state or contact.state, ended=row.ended_at is not None)


def relaxation_view(relaxation: core.Relaxation, *, ended: bool) -> RelaxationView:
    next_at = None if ended else moment(relaxation.next_at)
    return RelaxationView(step=relaxation.step, steps=relaxation.steps, why=relaxation.why, next_at=next_at)


def shown(explained: core.Explanation, *, state: str, ended: bool) -> Explanation:
    return Explanation(
        contact_id=explained.contact_id,
        state=state,
        score=Score(
            total=explained.score,
            promise_seconds=explained.promise_seconds,
            target_seconds=explained.target_seconds,
            boost=explained.boost,
            terms=[Term(name=name, value=value) for name, value in explained.terms.items()],
        ),
        policy_version=explained.policy_version,
        pinned=Pinned(queue_version=explained.queue_version, target_version=explained.target_version),
        target=explained.target,
        requirement=requirement_view(explained.requirement),
        own_requirement=own_requirement_view(explained.own_requirement),
        relaxed=explained.relaxation.step,
        relaxation=relaxation_view(explained.relaxation, ended=ended),
        candidates=[CandidateView(agent=one.agent, chosen=one.chosen, why=one.why) for one in explained.candidates],
        ahead=explained.ahead,
        next_change_at=None if ended else moment(explained.next_change_at),
        text=explained.text,
    )
