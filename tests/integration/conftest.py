"""What every room's tests stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from libs.common.postgres import Database, open_database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database
