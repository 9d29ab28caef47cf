"""Agents: what they can do, whether they are there, what is offered to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from libs.common.commands import Commands
from libs.common.errors import NotFound
from libs.common.events import SECOND
from libs.common.events.codec import Envelope, encode_value
from libs.common.events.commands import CompleteWrapUp, DeleteAgent, PutAgent, SetPresence
from libs.common.http import ApiRouter, Id, Page, Paging, from_app, page_of
from services.router.api_models import AgentBody, PresenceBody, WrapUpGiven
from services.router.api_parts import (
    Admin,
    Asking,
    Pooled,
    Reader,
    ReaderOrAgent,
    Shell,
    Shelled,
    Worker,
    check_own,
    check_pool,
)
from services.router.api_views import (
    AgentView,
    ContactView,
    OfferView,
    PresenceView,
    agent_view,
    contact_view,
    offer_view,
    presence_view,
)
from services.router.core.state import Agent
from services.router.reads import Row

router = ApiRouter(tags=["agents"])


@router.put("/v1/agents/{agent_id}")
async def put_agent(
    agent_id: Id, body: AgentBody, by: Admin, shell: Shelled, pools: Pooled, ask: Asking
) -> AgentView:
    """Create an agent or replace its configuration; its pool is for life."""
    body.refuse_what_is_not_built()
    capacity = body.capacity.value()
    await check_pool(shell, pools, by.workspace, body.pool)
    await shell.names.claim(by.workspace, "agent", agent_id, body.pool, body.name)
    await ask(PutAgent, by, body.pool, agent_id=agent_id, skills=body.skills, capacity=capacity)
    return await shown(shell, by.workspace, agent_id)


@router.get("/v1/agents")
async def list_agents(by: Reader, shell: Shelled, page: Paging, pool: Id | None = None) -> Page[AgentView]:
    (after,) = page.keys(str) or ("",)
    rows = await shell.reads.entities(by.workspace, "agent", after, page.fetch, pool=pool)
    ids = [row.id for row in rows]
    names = await shell.names.of(by.workspace, "agent", ids)
    used = await shell.reads.used_units(by.workspace, ids)
    return page_of(
        rows, page, lambda row: agent_view(row, names.get(row.id), used.get(row.id, 0)), lambda row: (row.id,)
    )


@router.get("/v1/agents/{agent_id}")
async def get_agent(agent_id: Id, by: ReaderOrAgent, shell: Shelled) -> AgentView:
    check_own(by, agent_id)
    return await shown(shell, by.workspace, agent_id)


async def shown(shell: Shell, workspace: str, agent_id: str) -> AgentView:
    row = await shell.reads.entity(workspace, "agent", agent_id)
    names = await shell.names.of(workspace, "agent", [agent_id])
    used = await shell.reads.used_units(workspace, [agent_id])
    return agent_view(row, names.get(agent_id), used.get(agent_id, 0))


@router.delete("/v1/agents/{agent_id}", status_code=204)
async def delete_agent(agent_id: Id, by: Admin, shell: Shelled, ask: Asking) -> Response:
    """Take an agent out of the pool; what the agent held goes back to its queues."""
    row = await shell.reads.entity(by.workspace, "agent", agent_id)
    await ask(DeleteAgent, by, row.pool, agent_id=agent_id)
    await shell.names.forget(by.workspace, "agent", agent_id)
    return Response(status_code=204)


@router.put("/v1/agents/{agent_id}/presence")
async def put_presence(
    agent_id: Id,
    body: PresenceBody,
    by: Worker,
    shell: Shelled,
    ask: Asking,
    commands: Annotated[Commands, Depends(from_app(Commands))],
) -> PresenceView:
    """Say whether the agent is there; repeated before `lease_until`, it keeps the agent there."""
    check_own(by, agent_id)
    row = await shell.reads.entity(by.workspace, "agent", agent_id)
    now = shell.clock.now()
    if is_heartbeat(row.entity(Agent), body, now):
        commands.renew_lease(by.workspace, row.pool, agent_id, body.lease_seconds)
        agent = row.entity(Agent)
        agent.lease_until = now + body.lease_seconds * SECOND
        return presence_view(agent)
    await ask(SetPresence, by, row.pool, agent_id=agent_id, **body.model_dump())
    return presence_view((await shell.reads.entity(by.workspace, "agent", agent_id)).entity(Agent))


def is_heartbeat(agent: Agent, body: PresenceBody, now: int) -> bool:
    """Whether nothing but the lease changes."""
    alive = agent.lease_until is not None and agent.lease_until > now
    return alive and body.status == agent.status != "offline" and body.reason == agent.reason


@router.post("/v1/agents/{agent_id}/wrap-up/complete")
async def complete_wrap_up(
    agent_id: Id, by: Worker, shell: Shelled, ask: Asking, body: WrapUpGiven
) -> dict[str, Any]:
    check_own(by, agent_id)
    row = await shell.reads.entity(by.workspace, "agent", agent_id)
    return await ask(CompleteWrapUp, by, row.pool, agent_id=agent_id, contact_id=body.contact_id)


@router.get("/v1/agents/{agent_id}/offers")
async def list_offers(agent_id: Id, by: ReaderOrAgent, shell: Shelled) -> Page[OfferView]:
    """The agent's live offers, the oldest contact first; an agent has few, so they come on one page."""
    check_own(by, agent_id)
    await shell.reads.entity(by.workspace, "agent", agent_id)
    return Page(items=offers(await shell.reads.held_by(by.workspace, agent_id), agent_id))


def offers(held: list[Row], agent_id: str) -> list[OfferView]:
    return [offer_view(row) for row in held if row.offered_to == agent_id]


# -- the desk's stream ------------------------------------------------------------------------------------------


async def watched(agent_id: Id, by: ReaderOrAgent, shell: Shelled) -> AsyncIterator[str]:
    """Refuses before the stream begins: afterwards it's too late for a status."""
    check_own(by, agent_id)
    await shell.reads.entity(by.workspace, "agent", agent_id)
    with shell.streams.opened():
        yield agent_id


@router.get("/v1/agents/{agent_id}/stream", response_class=EventSourceResponse)
async def stream_agent(
    agent_id: Annotated[str, Depends(watched)], by: ReaderOrAgent, shell: Shelled
) -> AsyncIterator[ServerSentEvent]:
    """`snapshot` first: the agent, its live offers, its contacts. Then every routing event that names the agent,
    under its own type. A reader who is too slow gets another `snapshot` instead of what it missed."""
    with shell.streams.watch(by.workspace, agent_id) as stream:
        while True:
            if stream.look_again:
                stream.look_again = False
                yield ServerSentEvent(event="snapshot", data=await snapshot(shell, by.workspace, agent_id))
            for envelope in await stream.next():
                yield event_of(envelope)


def event_of(envelope: Envelope) -> ServerSentEvent:
    value = encode_value(envelope.event, sequence=envelope.sequence, cause=envelope.cause)
    return ServerSentEvent(event=envelope.event.type, id=envelope.id, raw_data=value.decode())


async def snapshot(shell: Shell, workspace: str, agent_id: str) -> dict[str, Any]:
    held = await shell.reads.held_by(workspace, agent_id)
    now = shell.clock.now()
    mine: list[ContactView] = [contact_view(row, now) for row in held if row.agent == agent_id]
    try:
        agent = (await shown(shell, workspace, agent_id)).model_dump(mode="json")
    except NotFound:
        agent = None  # Deleted while somebody watches.
    return {
        "agent": agent,
        "offers": [offer.model_dump(mode="json") for offer in offers(held, agent_id)],
        "contacts": [contact.model_dump(mode="json") for contact in mine],
    }
