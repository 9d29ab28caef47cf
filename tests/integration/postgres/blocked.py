"""Telling that somebody waits for a lock."""

import asyncio

from libs.common.postgres import Database


async def until_blocked(database: Database) -> None:
    async with asyncio.timeout(10):
        while not await database.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            pass
