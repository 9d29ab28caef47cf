"""Queues, pools and the weights of their scores."""

from __future__ import annotations

import asyncio

from fastapi import Response

from libs.common.auth import Caller
from libs.common.errors import Conflict
from libs.common.events.commands import DeletePool, DeleteQueue, PutPolicy, PutPool, PutQueue
from libs.common.http import ApiRouter, Id, Page, Paging, page_of
from services.router.api_models import PolicyBody, PoolGiven, QueueBody
from services.router.api_parts import (
    Admin,
    Asking,
    Pooled,
    Reader,
    ReaderOrAgent,
    Shell,
    Shelled,
    check_in_pool,
    check_pool,
)
from services.router.api_views import PolicyView, PoolView, QueueView, policy_view, queue_view
from services.router.core.floor import EVERYONE

router = ApiRouter(tags=["rules"])


@router.put("/v1/queues/{queue_id}")
async def put_queue(
    queue_id: Id, body: QueueBody, by: Admin, shell: Shelled, pools: Pooled, ask: Asking
) -> QueueView:
    """Create a queue or replace its rules; contacts that wait already keep those that they entered by."""
    await check_pool(shell, pools, by.workspace, body.pool)
    body.refuse_what_is_not_built()
    rules = await asyncio.to_thread(body.rules, queue_id, shell.clock.now())
    if body.overflow is not None:
        await check_in_pool(shell, by.workspace, body.pool, "queue", body.overflow.queue, "/overflow/queue")
    if body.fallback_queue is not None:
        await check_in_pool(shell, by.workspace, body.pool, "queue", body.fallback_queue, "/fallback_queue")
    await shell.names.claim(by.workspace, "queue", queue_id, body.pool, body.name)
    await ask(PutQueue, by, body.pool, queue_id=queue_id, rules=rules)
    return await shown_queue(shell, by.workspace, queue_id)


@router.get("/v1/queues")
async def list_queues(by: ReaderOrAgent, shell: Shelled, page: Paging, pool: Id | None = None) -> Page[QueueView]:
    (after,) = page.keys(str) or ("",)
    rows = await shell.reads.entities(by.workspace, "queue", after, page.fetch, pool=pool)
    names = await shell.names.of(by.workspace, "queue", [row.id for row in rows])
    return page_of(rows, page, lambda row: queue_view(row, names.get(row.id)), lambda row: (row.id,))


@router.get("/v1/queues/{queue_id}")
async def get_queue(queue_id: Id, by: ReaderOrAgent, shell: Shelled) -> QueueView:
    return await shown_queue(shell, by.workspace, queue_id)


async def shown_queue(shell: Shell, workspace: str, queue_id: str) -> QueueView:
    row = await shell.reads.entity(workspace, "queue", queue_id)
    return queue_view(row, (await shell.names.of(workspace, "queue", [queue_id])).get(queue_id))


@router.delete("/v1/queues/{queue_id}", status_code=204)
async def delete_queue(
    queue_id: Id, by: Admin, shell: Shelled, ask: Asking, migrate_to: Id | None = None
) -> Response:
    """Refused with 409 `queue_in_use` while contacts are in it or queues overflow or fall back into it; `state` says
    which.

    With `migrate_to` they go to that queue of the pool: at most 500 that wait, with their age; what an agent has, or is
    parked, when it comes back.
    """
    row = await shell.reads.entity(by.workspace, "queue", queue_id)
    if migrate_to is not None:
        await check_in_pool(shell, by.workspace, row.pool, "queue", migrate_to, "/migrate_to")
    await ask(DeleteQueue, by, row.pool, queue_id=queue_id, unused=True, migrate_to=migrate_to)
    await shell.names.forget(by.workspace, "queue", queue_id)
    return Response(status_code=204)


# -- pools ------------------------------------------------------------------------------------------------------


@router.put("/v1/pools/{pool_id}")
async def put_pool(
    pool_id: Id, by: Admin, shell: Shelled, pools: Pooled, ask: Asking, body: PoolGiven
) -> PoolView:
    """Create a pool: agents and contacts of different pools are never matched."""
    await pools.create(by.workspace, pool_id)
    await ask(PutPool, by, pool_id)
    await shell.names.claim(by.workspace, "pool", pool_id, pool_id, body.name)
    return await shown_pool(shell, by, pool_id)


@router.get("/v1/pools")
async def list_pools(by: ReaderOrAgent, shell: Shelled, page: Paging) -> Page[PoolView]:
    (after,) = page.keys(str) or ("",)
    rows = await shell.reads.entities(by.workspace, "pool", after, page.fetch)
    names = await shell.names.of(by.workspace, "pool", [row.id for row in rows])
    return page_of(
        rows, page, lambda row: PoolView(pool_id=row.id, name=names.get(row.id)), lambda row: (row.id,)
    )


@router.get("/v1/pools/{pool_id}")
async def get_pool(pool_id: Id, by: ReaderOrAgent, shell: Shelled) -> PoolView:
    return await shown_pool(shell, by, pool_id)


async def shown_pool(shell: Shell, by: Caller, pool_id: str) -> PoolView:
    await shell.reads.entity(by.workspace, "pool", pool_id)
    names = await shell.names.of(by.workspace, "pool", [pool_id])
    return PoolView(pool_id=pool_id, name=names.get(pool_id))


@router.delete("/v1/pools/{pool_id}", status_code=204)
async def delete_pool(pool_id: Id, by: Admin, shell: Shelled, pools: Pooled, ask: Asking) -> Response:
    """Only a pool without contacts, agents and queues of its own can be deleted."""
    await shell.reads.entity(by.workspace, "pool", pool_id)
    queues = await shell.reads.entities(by.workspace, "queue", "", 2, pool=pool_id)
    if any(row.id != EVERYONE for row in queues):
        raise Conflict("the pool still has queues", code="pool_in_use")
    await ask(DeletePool, by, pool_id)
    await pools.remove(by.workspace, pool_id)
    await shell.names.forget_pool(by.workspace, pool_id)
    return Response(status_code=204)


@router.put("/v1/pools/{pool_id}/policy")
async def put_policy(pool_id: Id, body: PolicyBody, by: Admin, shell: Shelled, ask: Asking) -> PolicyView:
    """The weights of the score's terms: in force for those who come at once, for all who wait within seconds."""
    await shell.reads.entity(by.workspace, "pool", pool_id)
    await ask(PutPolicy, by, pool_id, weights=body.weights.value())
    return policy_view(pool_id, await shell.reads.policy(by.workspace, pool_id))


@router.get("/v1/pools/{pool_id}/policy")
async def get_policy(pool_id: Id, by: Reader, shell: Shelled) -> PolicyView:
    await shell.reads.entity(by.workspace, "pool", pool_id)
    return policy_view(pool_id, await shell.reads.policy(by.workspace, pool_id))
