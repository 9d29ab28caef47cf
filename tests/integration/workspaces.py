"""Workspaces as they stand in the table, for tests that need no more of them."""

from __future__ import annotations

from libs.common.postgres import Database


async def begin_workspaces(database: Database, *workspaces: str) -> None:
    for workspace in workspaces:
        await database.pool.execute(
            "INSERT INTO platform_workspaces (workspace, name, ready, created_at) VALUES ($1, $1, true, 0)"
            " ON CONFLICT DO NOTHING",
            workspace,
        )
