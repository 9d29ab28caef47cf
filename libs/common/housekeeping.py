"""What comes round by itself, for as long as the process lives; what is only kept for a day is swept so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from libs.common.beside import beside
from libs.common.errors import Problem
from libs.common.postgres import DATABASE_TROUBLE
from libs.common.telemetry import log

SWEEP_EACH_SECONDS: Final = 600
Sweep = Callable[[], Awaitable[int]]
"""Deletes a bounded number of rows that are too old; answers how many."""


@asynccontextmanager
async def keeping_house(
    sweeps: Mapping[str, Sweep], *, each_seconds: float = SWEEP_EACH_SECONDS
) -> AsyncIterator[None]:
    """Runs the sweeps in the background: `{"idempotency": idempotency.sweep, "commands": commands.sweep}`."""
    async with beside(_sweep_for_ever(sweeps, each_seconds)):
        yield


async def _sweep_for_ever(sweeps: Mapping[str, Sweep], each_seconds: float) -> None:
    while True:
        for name, sweep in sweeps.items():
            await _sweep_all(name, sweep)
        await asyncio.sleep(each_seconds)


async def _sweep_all(name: str, sweep: Sweep) -> None:
    """Until nothing old is left; a database that doesn't answer now is asked again next time."""
    try:
        while await sweep():
            pass
    except DATABASE_TROUBLE as failure:
        log.warning("nothing was swept", kind=name, error=failure)


async def repeat(once: Callable[[], Awaitable[None]], seconds: int) -> None:
    """For ever; what the database or the log can't do now is tried again the next time."""
    while True:
        try:
            await once()
        except (Problem, *DATABASE_TROUBLE) as error:
            log.warning("upkeep_delayed", error=type(error).__name__)
        await asyncio.sleep(seconds)
