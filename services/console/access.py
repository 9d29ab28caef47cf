"""Who may come in: API keys of a workspace, and the workspaces of the installation."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import Depends, Response
from pydantic import model_validator

from libs.common.auth import Caller, Key, Keys, OnWorkspaceCreated, Workspace, Workspaces, caller
from libs.common.events.codec import instant_of, rfc3339
from libs.common.http import ApiRouter, Id, Name, Page, Paging, StrictModel, Time, from_app, page_of

router = ApiRouter(tags=["operations"])

Admin = Annotated[Caller, Depends(caller("admin"))]
Root = Annotated[Caller, Depends(caller("root"))]
Anyone = Annotated[Caller, Depends(caller())]
KeysPart = Annotated[Keys, Depends(from_app(Keys))]
WorkspacesPart = Annotated[Workspaces, Depends(from_app(Workspaces))]
CreatedPart = Annotated[OnWorkspaceCreated, Depends(from_app(OnWorkspaceCreated))]


class KeyWanted(StrictModel):
    role: Literal["root", "admin", "supervisor", "agent", "integration", "viewer"]
    agent: Id | None = None
    expires_at: Time | None = None

    @model_validator(mode="after")
    def _agents_only(self) -> Self:
        if (self.role == "agent") != (self.agent is not None):
            raise ValueError("a key of role agent, and only that, names its agent")
        return self


class KeyShown(StrictModel):
    id: str
    role: str
    agent: str | None
    expires_at: str | None
    created_at: str

    @classmethod
    def of(cls, key: Key) -> KeyShown:
        expires = None if key.expires_at is None else rfc3339(key.expires_at)
        return cls(id=key.id, role=key.role, agent=key.agent, expires_at=expires, created_at=rfc3339(key.created_at))


class KeyMade(StrictModel):
    """Shown once."""

    key: str


class Me(StrictModel):
    """Whose key the request carries; `agent` for a key of role `agent`."""

    key_id: str
    workspace: str
    role: str
    agent: str | None


class WorkspaceWanted(StrictModel):
    name: Name


class WorkspaceShown(StrictModel):
    id: str
    name: str
    created_at: str

    @classmethod
    def of(cls, workspace: Workspace) -> WorkspaceShown:
        return cls(id=workspace.workspace, name=workspace.name, created_at=rfc3339(workspace.created_at))


class WorkspaceMade(StrictModel):
    """The key of its first admin, shown once; null when the workspace was there."""

    admin_key: str | None


@router.get("/v1/me")
async def get_me(me: Anyone) -> Me:
    """What this key may do: any key may ask."""
    return Me(key_id=me.key_id, workspace=me.workspace, role=me.role, agent=me.agent_id)


@router.get("/v1/keys")
async def list_keys(admin: Admin, keys: KeysPart, paging: Paging) -> Page[KeyShown]:
    (after,) = paging.keys(str) or ("",)
    return page_of(await keys.page(admin.workspace, after, paging.fetch), paging, KeyShown.of, lambda key: (key.id,))


@router.put("/v1/keys/{key_id}")
async def put_key(key_id: Id, wanted: KeyWanted, admin: Admin, keys: KeysPart) -> KeyMade:
    """Create a key, or replace it: the old one stops working."""
    expires = instant_of(wanted.expires_at)
    made = await keys.put(admin.workspace, key_id, wanted.role, by=admin, agent=wanted.agent, expires_at=expires)
    return KeyMade(key=made)


@router.get("/v1/keys/{key_id}")
async def get_key(key_id: Id, admin: Admin, keys: KeysPart) -> KeyShown:
    return KeyShown.of(await keys.get(admin.workspace, key_id))


@router.delete("/v1/keys/{key_id}", status_code=204)
async def delete_key(key_id: Id, admin: Admin, keys: KeysPart) -> None:
    await keys.delete(admin.workspace, key_id, by=admin)


@router.get("/v1/workspaces")
async def list_workspaces(_root: Root, workspaces: WorkspacesPart, paging: Paging) -> Page[WorkspaceShown]:
    (after,) = paging.keys(str) or ("",)
    rows = await workspaces.page(after, paging.fetch)
    return page_of(rows, paging, WorkspaceShown.of, lambda workspace: (workspace.workspace,))


@router.put("/v1/workspaces/{workspace_id}", responses={201: {"model": WorkspaceMade}})
async def put_workspace(
    workspace_id: Id,
    wanted: WorkspaceWanted,
    _root: Root,
    workspaces: WorkspacesPart,
    created: CreatedPart,
    response: Response,
) -> WorkspaceMade:
    """Create a workspace with its admin key, pool `main` and queue `everyone`; or give it another name."""
    key = await workspaces.put(workspace_id, wanted.name, created)
    response.status_code = 201 if key else 200
    return WorkspaceMade(admin_key=key)


@router.get("/v1/workspaces/{workspace_id}")
async def get_workspace(workspace_id: Id, _root: Root, workspaces: WorkspacesPart) -> WorkspaceShown:
    return WorkspaceShown.of(await workspaces.get(workspace_id))


@router.delete("/v1/workspaces/{workspace_id}", status_code=204)
async def delete_workspace(workspace_id: Id, root: Root, workspaces: WorkspacesPart) -> None:
    """Its keys stop working; its id is never given again."""
    await workspaces.delete(workspace_id, by=root)
