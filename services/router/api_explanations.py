"""Why an agent is idle, and why a queue isn't moving: the core's words on the pool as the projection has it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Final

from libs.common.events.codec import moment
from libs.common.http import ApiRouter, Id, ViewModel
from services.router.api_parts import Reader, ReaderOrAgent, Shelled, check_own
from services.router.core.explain_agent import AgentExplanation, explain_agent
from services.router.core.explain_queue import QueueExplanation, explain_queue
from services.router.core.state import Queue
from services.router.explanation import Explanation, shown
from services.router.floors import agents_floor

LOOKED_AT_MAX: Final = 1_000
"""Contacts that wait, the most urgent of the pool, that an agent's explanation looks at."""

router = ApiRouter()


class HeldView(ViewModel):
    contact_id: str
    state: str
    units: int
    """That it takes now: none while it is paused."""
    paused: bool


class ReasonView(ViewModel):
    """Why some of those who wait aren't the agent's, in the words of the contact's own explanation."""

    why: str
    contacts: int
    first: str
    """The most urgent of these contacts."""


class AgentExplanationView(ViewModel):
    agent_id: str
    status: str
    reason: str | None
    lease_until: datetime | None
    used_units: int
    units: int
    holds: list[HeldView]
    waiting: int
    """Contacts that wait in the agent's pool."""
    looked_at: int
    """Of them the most urgent ones, which `reasons` counts."""
    reasons: list[ReasonView]
    next_change_at: datetime | None
    text: str
    """The same in a sentence."""


class KeptView(ViewModel):
    """Why the queue's most urgent contact isn't theirs."""

    why: str
    agents: int
    first: str
    """One of these agents, the lowest id."""


class QueueExplanationView(ViewModel):
    queue_id: str
    draining_to: str | None
    waiting: int
    first: Explanation | None
    """The most urgent contact of those who wait, explained."""
    agents: list[KeptView]
    """The pool's agents by what keeps them from it, what most share first."""
    text: str
    """The same in a sentence."""


@router.get("/v1/agents/{agent_id}/explanation", tags=["agents"])
async def explain_an_agent(agent_id: Id, by: ReaderOrAgent, shell: Shelled) -> AgentExplanationView:
    """Why the agent is idle: presence and lease, capacity, and what keeps each waiting contact from them."""
    check_own(by, agent_id)
    row = await shell.reads.entity(by.workspace, "agent", agent_id)
    now, there = shell.clock.now(), {"pool": row.pool}
    urgent = await shell.reads.most_urgent(by.workspace, there, now, LOOKED_AT_MAX)
    floor = await agents_floor(shell.reads, by.workspace, row.pool, row.partition, urgent)
    waiting = await shell.reads.waiting(by.workspace, there)
    desk = floor.desks[agent_id]
    return agent_explanation(explain_agent(floor, desk, now), waiting, desk.agent.lease_until)


def agent_explanation(explained: AgentExplanation, waiting: int, lease_until: int | None) -> AgentExplanationView:
    return AgentExplanationView(
        agent_id=explained.agent_id,
        status=explained.status,
        reason=explained.reason,
        lease_until=moment(lease_until),
        used_units=explained.used_units,
        units=explained.units,
        holds=[HeldView.model_validate(asdict(one)) for one in explained.holds],
        waiting=waiting,
        looked_at=explained.looked_at,
        reasons=[ReasonView(why=one.why, contacts=one.contacts, first=one.first) for one in explained.reasons],
        next_change_at=moment(explained.next_change_at),
        text=explained.text,
    )


@router.get("/v1/queues/{queue_id}/explanation", tags=["rules"])
async def explain_a_queue(queue_id: Id, by: Reader, shell: Shelled) -> QueueExplanationView:
    """Why the queue isn't moving: how many wait, and what keeps each agent from the most urgent of them."""
    row = await shell.reads.entity(by.workspace, "queue", queue_id)
    now, there = shell.clock.now(), {"pool": row.pool, "queue": queue_id}
    urgent = await shell.reads.most_urgent(by.workspace, there, now, 1)
    floor = await agents_floor(shell.reads, by.workspace, row.pool, row.partition, urgent)
    waiting = await shell.reads.waiting(by.workspace, there)
    return queue_explanation(explain_queue(floor, row.entity(Queue), now, waiting))


def queue_explanation(explained: QueueExplanation) -> QueueExplanationView:
    first = explained.first
    return QueueExplanationView(
        queue_id=explained.queue_id,
        draining_to=explained.draining_to,
        waiting=explained.waiting,
        first=None if first is None else shown(first, state=first.state, ended=False),
        agents=[KeptView(why=one.why, agents=one.agents, first=one.first) for one in explained.agents],
        text=explained.text,
    )
