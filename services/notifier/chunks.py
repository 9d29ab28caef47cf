"""However much it is, it is changed in small transactions: one statement for all would take longer than it may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.notifier.limits import FORGET_ROWS_MAX

ChangeSome = Callable[[int], Awaitable[int]]
"""Changes up to so many rows, and says how many it changed."""


async def all_of(change: ChangeSome) -> None:
    changed = FORGET_ROWS_MAX
    while changed == FORGET_ROWS_MAX:
        changed = await change(FORGET_ROWS_MAX)


def rows_of(done: str) -> int:
    """How many rows a statement changed, from what PostgreSQL says of it."""
    return int(done.rsplit(" ", 1)[1])
