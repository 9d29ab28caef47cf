"""Workspaces: the tenants, and what the first start makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from libs.common.caller import Caller
from libs.common.clock import Clock
from libs.common.errors import Conflict, NotFound
from libs.common.keys import Keys
from libs.common.postgres import Database

DEFAULT_WORKSPACE: Final = "default"
ADMIN_KEY_ID: Final = "admin"


@dataclass(frozen=True, slots=True)
class OnWorkspaceCreated:
    """What a workspace begins with (pool `main`, queue `everyone`): the composition root says how it is made."""

    make: Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Workspace:
    workspace: str
    name: str
    created_at: int


class Workspaces:
    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock

    async def put(self, workspace: str, name: str, created: OnWorkspaceCreated) -> str | None:
        """Create it and return its admin key, or rename it (None).

        A creation that fails half way is begun anew by the next call. Raises Conflict for an id that was deleted:
        what belonged to it must not come to another.
        """
        row = await self._database.pool.fetchrow(PUT, workspace, name, self._clock.now())
        if row["deleted_at"] is not None:
            raise Conflict("this workspace was deleted, its id can't be used again")
        if row["ready"]:
            return None
        key = await self._keys.put(workspace, ADMIN_KEY_ID, "admin")
        await created.make(workspace)
        await self._database.pool.execute(READY, workspace)
        return key

    async def get(self, workspace: str) -> Workspace:
        """Raises NotFound."""
        row = await self._database.pool.fetchrow(GET, workspace)
        if row is None:
            raise NotFound("there is no such workspace")
        return Workspace(**row)

    async def page(self, after: str, count: int) -> list[Workspace]:
        """Workspaces in the order of their ids, after the given one."""
        rows = await self._database.pool.fetch(LIST, after, count)
        return [Workspace(**row) for row in rows]

    async def delete(self, workspace: str, *, by: Caller) -> None:
        """None of its keys opens anything any more. Raises NotFound, Conflict (the caller's own)."""
        await self.get(workspace)
        if workspace == by.workspace:
            raise Conflict("a key can't delete its own workspace")
        await self._database.pool.execute(DELETE, workspace, self._clock.now())
        self._keys.forget()

    async def ensure_first_start(self, admin_key: str | None) -> str | None:
        """Make workspace `default` and its admin key, root too, when there is none yet.

        Returns the key that was created (the given one, if one was), None when this is not the first start; then a
        given key that differs replaces the present one, so that a lost key can be set anew.
        """
        await self._database.pool.execute(FIRST, DEFAULT_WORKSPACE, self._clock.now())
        present = await self._database.pool.fetchval(HAS_ROOT, DEFAULT_WORKSPACE)
        if present and (admin_key is None or await self._keys.authenticate(admin_key)):
            return None
        key = await self._keys.put(DEFAULT_WORKSPACE, ADMIN_KEY_ID, "root", key=admin_key)
        return None if present else key


_SHOWN: Final = "workspace, name, created_at"
_LIVE: Final = "deleted_at IS NULL AND ready"
PUT: Final = """
    INSERT INTO platform_workspaces (workspace, name, ready, created_at) VALUES ($1, $2, false, $3)
    ON CONFLICT (workspace) DO UPDATE SET name = $2 RETURNING ready, deleted_at
"""
FIRST: Final = """
    INSERT INTO platform_workspaces (workspace, name, ready, created_at) VALUES ($1, $1, true, $2)
    ON CONFLICT (workspace) DO NOTHING
"""
READY: Final = "UPDATE platform_workspaces SET ready = true WHERE workspace = $1"
GET: Final = f"SELECT {_SHOWN} FROM platform_workspaces WHERE workspace = $1 AND {_LIVE}"  # noqa: S608
LIST: Final = f"""
    SELECT {_SHOWN} FROM platform_workspaces WHERE workspace > $1 AND {_LIVE} ORDER BY workspace LIMIT $2
"""  # noqa: S608
DELETE: Final = "UPDATE platform_workspaces SET deleted_at = $2 WHERE workspace = $1"
HAS_ROOT: Final = """
    SELECT EXISTS (SELECT FROM platform_keys WHERE workspace = $1 AND role = 'root' AND revoked_at IS NULL)
"""
