"""Work beside a body: it ends with the body, and the body ends should it fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Runs `work` as long as the body runs. What fails first comes out as it is: the work's failure, which cancels the
    body, or the body's own."""
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(work)
            try:
                yield working
            finally:
                working.cancel()
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    if failure is not None:
        raise failure
