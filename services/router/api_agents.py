"""Agents: what they can do, whether they are there, what is offered to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from libs.common.commands import Commands
from libs.common.errors import FieldError, Invalid, NotFound
from libs.common.events import SECOND
from libs.common.events.codec import Envelope, encode_value
from libs.common.events.commands import CompleteWrapUp, DeleteAgent, ExtendWrapUp, PutAgent, SetPresence
from libs.common.http import ApiRouter, Id, Page, Paging, from_app, page_of
from services.router.api_models import AgentBody, PresenceBody, WrapUpExtensionBody, WrapUpGiven
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
    offer_views,
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
    capacity = body.capacity.value()
    await check_pool(shell, pools, by.workspace, body.pool)
    await shell.names.claim(by.workspace, "agent", agent_id, body.pool, body.name)
    rules: dict[str, Any] = {"capacity": capacity, "missed_offers_max": body.missed_offers_max}
    preferred = tuple(body.preferred_queues)
    await ask(PutAgent, by, body.pool, agent_id=agent_id, skills=body.skills, preferred_queues=preferred, **rules)
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
    """Say whether the agent is there; repeated before `lease_until`, it keeps the agent there.

    `when_free` lets the agent finish first; `until` is the end of the shift. Each call says all of it: what it leaves
    out is wanted no longer.
    """
    check_own(by, agent_id)
    row = await shell.reads.entity(by.workspace, "agent", agent_id)
    now, until = shell.clock.now(), body.until_instant()
    if until is not None and until <= now:
        raise Invalid("the shift is over", errors=[FieldError("/until", "must be later than now")])
    agent = row.entity(Agent)
    if is_heartbeat(agent, body, now):
        commands.renew_lease(by.workspace, row.pool, agent_id, body.lease_seconds)
        agent.lease_until = now + body.lease_seconds * SECOND
        return presence_view(agent)
    wish = body.model_dump() | {"until": until}
    await ask(SetPresence, by, row.pool, agent_id=agent_id, **wish)
    return presence_view((await shell.reads.entity(by.workspace, "agent", agent_id)).entity(Agent))


def is_heartbeat(agent: Agent, body: PresenceBody, now: int) -> bool:
    """Whether nothing but the lease changes."""
    alive = agent.lease_until is not None and agent.lease_until > now and agent.status != "offline"
    same = body.status == (agent.next_status or agent.status) and (body.when_free or agent.next_status is None)
    return alive and same and (body.reason, body.until_instant()) == (agent.reason, agent.until)


@router.post("/v1/agents/{agent_id}/wrap-up/complete")
async def complete_wrap_up(
    agent_id: Id, by: Worker, shell: Shelled, ask: Asking, body: WrapUpGiven
) -> dict[str, Any]:
    """The agent has wrapped up one contact, or all: the capacity is free."""
    check_own(by, agent_id)
    row = await shell.reads.entity(by.workspace, "agent", agent_id)
    return await ask(CompleteWrapUp, by, row.pool, agent_id=agent_id, contact_id=body.contact_id)


@router.post("/v1/agents/{agent_id}/wrap-up/extend")
async def extend_wrap_up(
    agent_id: Id, by: Worker, shell: Shelled, ask: Asking, body: WrapUpExtensionBody
) -> dict[str, Any]:
    """More time for a contact that the agent is wrapping up: in all at most three times its queue's
    `wrap_up_seconds`, else 422 `wrap_up_too_long` with the `extendable_seconds` that are left."""
    check_own(by, agent_id)
    row = await shell.reads.entity(by.workspace, "agent", agent_id)
    fields: dict[str, Any] = {"contact_id": body.contact_id, "seconds": body.seconds}
    return await ask(ExtendWrapUp, by, row.pool, agent_id=agent_id, **fields)


@router.get("/v1/agents/{agent_id}/offers")
async def list_offers(agent_id: Id, by: ReaderOrAgent, shell: Shelled) -> Page[OfferView]:
    """The agent's live offers, the oldest contact first; an agent has few, so they come on one page."""
    check_own(by, agent_id)
    await shell.reads.entity(by.workspace, "agent", agent_id)
    return Page(items=offers(await shell.reads.held_by(by.workspace, agent_id), agent_id))


def offers(held: list[Row], agent_id: str) -> list[OfferView]:
    return [offer for row in held for offer in offer_views(row, agent_id)]


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
