"""Versions of the configuration, the newest first: what it said, since when, and who wanted it so."""

from __future__ import annotations

from typing import Final

from libs.common.errors import NotFound
from libs.common.http import ApiRouter, Id, Page, PageRequest, Paging, page_of
from services.router.api_parts import Reader, Shell, Shelled
from services.router.versions import Kind, VersionView, version_view

router = ApiRouter(tags=["rules"])
NEWEST: Final = 2**31 - 1


@router.get("/v1/queues/{queue_id}/versions")
async def list_queue_versions(queue_id: Id, by: Reader, shell: Shelled, page: Paging) -> Page[VersionView]:
    """Also of a queue that was deleted."""
    return await versions(shell, by.workspace, "queue", queue_id, page)


@router.get("/v1/agents/{agent_id}/versions")
async def list_agent_versions(agent_id: Id, by: Reader, shell: Shelled, page: Paging) -> Page[VersionView]:
    """Also of an agent who was deleted."""
    return await versions(shell, by.workspace, "agent", agent_id, page)


@router.get("/v1/pools/{pool_id}/policy/versions")
async def list_policy_versions(pool_id: Id, by: Reader, shell: Shelled, page: Paging) -> Page[VersionView]:
    """Empty for a pool that has the usual weights."""
    await shell.reads.entity(by.workspace, "pool", pool_id)
    return await versions(shell, by.workspace, "policy", pool_id, page, needed=False)


async def versions(
    shell: Shell, workspace: str, kind: Kind, id_: str, page: PageRequest, *, needed: bool = True
) -> Page[VersionView]:
    """Raises NotFound for what never had one."""
    (before,) = page.keys(int) or (NEWEST,)
    rows = await shell.versions.of(workspace, kind, id_, before, page.fetch)
    if needed and not rows and before == NEWEST:
        raise NotFound(f"there is no such {kind}")
    return page_of(rows, page, version_view, lambda row: (row["version"],))
