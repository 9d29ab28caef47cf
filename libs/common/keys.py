"""API keys in their table, with a short memory in front of it.

A key is 256 random bits. What is stored is its HMAC-SHA256 under a key that isn't in the database, so a copy of the
table opens nothing; the lookup goes by that hash, which a caller can't steer, so its timing tells nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

from libs.common.caller import Caller, Role
from libs.common.clock import Clock
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound
from libs.common.postgres import Database
from libs.common.secrets import derive

KEY_PREFIX: Final = "omni_"
KEY_BYTES: Final = 32
BEARER_CHARACTERS_MAX: Final = 512
CACHE_MICROSECONDS: Final = 3_000_000
"""How long a key that another process revoked may still be let in here."""
CACHE_KEYS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Key:
    """What may be told of a key."""

    id: str
    role: Role
    agent: str | None
    expires_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    expires_at: int | None
    looked_up_at: int


class Keys:
    def __init__(self, database: Database, clock: Clock, master_key: bytes) -> None:
        self._database = database
        self._clock = clock
        self._pepper = derive(master_key, "api keys")
        self._known: dict[bytes, _Known] = {}
        self._changes = 0

    async def authenticate(self, bearer: str) -> Caller | None:
        """Whose key this is; None when it is nobody's, revoked, expired, or its workspace is gone."""
        if len(bearer) > BEARER_CHARACTERS_MAX:
            return None
        digest, now = self.digest(bearer), self._clock.now()
        known = self._known.get(digest)
        if known is None or not 0 <= now - known.looked_up_at <= CACHE_MICROSECONDS:
            known = await self._look_up(digest, now)
        if known is None or (known.expires_at is not None and known.expires_at <= now):
            return None
        return known.caller

    async def put(
        self,
        workspace: str,
        key_id: str,
        role: Role,
        *,
        by: Caller | None = None,
        agent: str | None = None,
        expires_at: int | None = None,
        key: str | None = None,
    ) -> str:
        """Create a key, or replace the one of this id, and return it: it can't be read again.

        Raises Invalid, Forbidden (only root gives or takes root), Conflict (a key can't change its own role).
        """
        if (role == "agent") != (agent is not None):
            raise Invalid("a key of role agent, and only that, names its agent")
        await self._guard(workspace, key_id, role, by)
        secret = key or KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        await self._database.pool.execute(
            PUT, workspace, key_id, role, agent, self.digest(secret), expires_at, self._clock.now()
        )
        self.forget()
        return secret

    async def delete(self, workspace: str, key_id: str, *, by: Caller | None = None) -> None:
        """Revoke. Raises NotFound, Forbidden, Conflict (a key can't revoke itself, so one always remains)."""
        await self._guard(workspace, key_id, None, by)
        await self._database.pool.execute(REVOKE, workspace, key_id, self._clock.now())
        self.forget()

    async def get(self, workspace: str, key_id: str) -> Key:
        """Raises NotFound."""
        row = await self._database.pool.fetchrow(GET, workspace, key_id)
        if row is None:
            raise NotFound("there is no such key")
        return Key(**row)

    async def page(self, workspace: str, after: str, count: int) -> list[Key]:
        """Keys in the order of their ids, after the given one."""
        rows = await self._database.pool.fetch(LIST, workspace, after, count)
        return [Key(**row) for row in rows]

    def digest(self, bearer: str) -> bytes:
        """What is stored of a key."""
        return hmac.digest(self._pepper, bearer.encode("utf-8", "surrogateescape"), hashlib.sha256)

    def forget(self) -> None:
        """After a change: look every key up again."""
        self._known.clear()
        self._changes += 1

    async def _guard(self, workspace: str, key_id: str, role: Role | None, by: Caller | None) -> None:
        present = await self._database.pool.fetchrow(GET, workspace, key_id)
        if role is None and present is None:
            raise NotFound("there is no such key")
        if by is None:
            return
        if "root" in (role, present and present["role"]) and not by.may("root"):
            raise Forbidden("only root gives or takes the role root")
        if (by.workspace, by.key_id) == (workspace, key_id) and role != by.role:
            raise Conflict("a key can't revoke itself or change its own role")

    async def _look_up(self, digest: bytes, now: int) -> _Known | None:
        self._known.pop(digest, None)
        changes = self._changes
        row: Any = await self._database.pool.fetchrow(LOOK_UP, digest)
        if row is None:
            return None
        caller = Caller(row["id"], row["workspace"], row["role"], row["agent"])
        known = _Known(caller, row["expires_at"], now)
        if changes == self._changes:  # Else the row may be older than a change: true now, not to be kept.
            self._keep(digest, known)
        return known

    def _keep(self, digest: bytes, known: _Known) -> None:
        if len(self._known) >= CACHE_KEYS_MAX:
            self._known.pop(next(iter(self._known)))
        self._known[digest] = known


_SHOWN: Final = "id, role, agent, expires_at, created_at"
PUT: Final = """
    INSERT INTO platform_keys (workspace, id, role, agent, hash, expires_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (workspace, id) DO UPDATE SET role = $3, agent = $4, hash = $5, expires_at = $6, created_at = $7,
        revoked_at = NULL
"""
REVOKE: Final = "UPDATE platform_keys SET revoked_at = $3 WHERE workspace = $1 AND id = $2 AND revoked_at IS NULL"
GET: Final = f"SELECT {_SHOWN} FROM platform_keys WHERE workspace = $1 AND id = $2 AND revoked_at IS NULL"  # noqa: S608
LIST: Final = f"""
    SELECT {_SHOWN} FROM platform_keys WHERE workspace = $1 AND id > $2 AND revoked_at IS NULL ORDER BY id LIMIT $3
"""  # noqa: S608
LOOK_UP: Final = """
    SELECT k.id, k.workspace, k.role, k.agent, k.expires_at
    FROM platform_keys k JOIN platform_workspaces w USING (workspace)
    WHERE k.hash = $1 AND k.revoked_at IS NULL AND w.deleted_at IS NULL
"""
