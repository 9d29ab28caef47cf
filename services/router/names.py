"""Records beside the log: the names of agents, queues and pools, and the pool that each belongs to for life."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from libs.common.errors import FieldError, Invalid
from libs.common.postgres import Database

Named = Literal["agent", "queue", "pool"]


class PoolIsForLife(Invalid):
    """An agent or queue stays in the pool it was created in."""

    code = "pool_is_for_life"


class Names:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, workspace: str, kind: Named, id_: str, pool: str, name: str | None) -> None:
        """Note the name; the first caller's pool stands. Raises PoolIsForLife for another one."""
        stands = await self._database.pool.fetchval(
            "INSERT INTO router_names (workspace, kind, id, pool, name) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (workspace, kind, id) DO UPDATE SET name = EXCLUDED.name"
            " WHERE router_names.pool = EXCLUDED.pool RETURNING pool",
            workspace,
            kind,
            id_,
            pool,
            name,
        )
        if stands is None:
            raise PoolIsForLife(
                f"this {kind} belongs to another pool",
                errors=[FieldError(pointer="/pool", detail=f"the pool of a {kind} can't be changed")],
            )

    async def of(self, workspace: str, kind: Named, ids: Iterable[str]) -> dict[str, str | None]:
        rows = await self._database.pool.fetch(
            "SELECT id, name FROM router_names WHERE workspace = $1 AND kind = $2 AND id = ANY($3::text[])",
            workspace,
            kind,
            list(ids),
        )
        return {row["id"]: row["name"] for row in rows}

    async def forget(self, workspace: str, kind: Named, id_: str) -> None:
        await self._database.pool.execute(
            "DELETE FROM router_names WHERE workspace = $1 AND kind = $2 AND id = $3", workspace, kind, id_
        )

    async def forget_pool(self, workspace: str, pool: str) -> None:
        """The pool and what was in it: their ids are free again."""
        statement = "DELETE FROM router_names WHERE workspace = $1 AND pool = $2"
        await self._database.pool.execute(statement, workspace, pool)
