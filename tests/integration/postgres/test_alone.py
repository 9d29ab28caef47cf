"""One program at a time works on a database that holds the log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from libs.common.alone import alone_on
from libs.common.postgres import Database, open_database
from libs.common.settings import Settings, SettingsError
from services.all.foundation import founded
from tests.contract.log.worlds import PATIENCE_SECONDS
from tests.integration.postgres.cut import Cut

WATCH_SECONDS = 0.01
HOLDER = """
    SELECT l.pid FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()
"""


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Callable[[bool], AbstractAsyncContextManager[None]]:
    settings = Settings(database_url=database_url, data_dir=tmp_path, partitions=2)

    @asynccontextmanager
    async def run(set_up: bool) -> AsyncIterator[None]:
        async with founded(settings, set_up=set_up):
            yield

    return run


async def test_a_second_program_on_a_database_is_refused(
    program: Callable[[bool], AbstractAsyncContextManager[None]],
) -> None:
    async with program(True):
        with pytest.raises(SettingsError, match="another program works on this database"):
            async with program(True):
                pytest.fail("two programs on one database")
        async with program(False):
            pass  # Who only reads is welcome.
    async with program(True):
        pass


async def test_a_lost_lock_is_taken_again(cut: Cut, database_url: str) -> None:
    async with open_database(database_url) as database, alone_on(cut.url, watch_seconds=WATCH_SECONDS):
        first = await holder(database)
        cut.down()
        await cut.refused.wait()
        cut.up()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await holder(database) in {None, first}:
                pass
        with pytest.raises(SettingsError):
            async with alone_on(database_url):
                pytest.fail("two programs on one database")


async def holder(database: Database) -> int | None:
    """The server process that keeps the lock."""
    pid: int | None = await database.pool.fetchval(HOLDER)
    return pid


async def test_who_cannot_have_a_lost_lock_back_ends(cut: Cut, database_url: str) -> None:
    with pytest.raises(SettingsError, match="another program works on this database"):
        await be_replaced(cut, database_url)


async def be_replaced(cut: Cut, database_url: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), alone_on(cut.url, watch_seconds=WATCH_SECONDS):
        cut.down()
        await cut.refused.wait()
        async with alone_on(database_url):
            cut.up()
            await asyncio.Event().wait()
