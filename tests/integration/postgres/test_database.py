"""The pool, the sessions and the migrations."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
from sqlalchemy import text

from libs.common.log.tables import LogOwner
from libs.common.postgres import Database, migrate, open_database


async def owners(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT service FROM log_owners ORDER BY service")
    return [row["service"] for row in rows]


async def test_a_transaction_is_whole_or_nothing(database_url: str) -> None:
    async with open_database(database_url) as database:
        with pytest.raises(asyncpg.UniqueViolationError):
            await insert_owners(database, "router", "sla", "router")
        assert await owners(database) == []
        await insert_owners(database, "router", "sla")
        assert await owners(database) == ["router", "sla"]


async def insert_owners(database: Database, *services: str) -> None:
    async with database.transaction() as connection:
        for service in services:
            await connection.execute("INSERT INTO log_owners VALUES ($1, 0, 1)", service)


async def test_a_session_commits_at_its_end(database_url: str) -> None:
    async with open_database(database_url) as database:
        async with database.session() as session:
            session.add(LogOwner(service="sla", partition=0, epoch=1))
        assert await owners(database) == ["sla"]


async def test_a_statement_has_a_time_limit(database_url: str) -> None:
    async with open_database(database_url, statement_seconds=0.05) as database:
        with pytest.raises(asyncpg.QueryCanceledError):
            await database.pool.execute("SELECT pg_sleep(30)")


async def test_connections_say_whose_they_are(database_url: str) -> None:
    async with open_database(database_url, application="omniroute-router") as database:
        assert await database.pool.fetchval("SHOW application_name") == "omniroute-router"


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("the short scheme", lambda url: url.replace("postgresql://", "postgres://")),
        ("whether to encrypt", lambda url: url + "&sslmode=prefer"),
    ],
)
async def test_an_address_as_providers_write_it_is_good_everywhere(
    database_url: str, rule: str, changed: Callable[[str], str]
) -> None:
    url = changed(database_url)
    await migrate(url)
    async with open_database(url) as database, database.session() as session:
        assert await database.pool.fetchval("SELECT 42") == await session.scalar(text("SELECT 42")), rule


async def test_two_migrations_at_once_are_one(database_url: str) -> None:
    await asyncio.gather(*(migrate(database_url) for _ in range(3)))
