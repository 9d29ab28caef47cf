"""The one-process default, as a process that tests kill."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.killed.company import KEY, PARTITIONS
from tests.integration.killed.processes import Slot


@asynccontextmanager
async def one_process(home: Path) -> AsyncIterator[Slot]:
    """Started and ready; at the end it stops as it was told to."""
    env = {
        "OMNIROUTE_ADMIN_KEY": KEY, "OMNIROUTE_PARTITIONS": str(PARTITIONS), "OMNIROUTE_DATA_DIR": str(home / "data"),
    }  # fmt: skip
    slot = Slot(name="omniroute", command=("up",), env=env, home=home)
    await slot.start()
    await slot.ready()
    try:
        yield slot
    finally:
        status = await slot.stop()
    assert status == 0, slot.last_words()
