"""A folder for an embedded server, and a way to a database that can be cut."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.postgres.cut import Cut


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Short enough for a socket's name, and open to the user that the server runs as."""
    folder = Path(tempfile.mkdtemp(prefix="omniroute-embedded."))
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def cut(database_url: str) -> AsyncIterator[Cut]:
    async with Cut(database_url) as way:
        yield way
