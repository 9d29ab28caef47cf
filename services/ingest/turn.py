"""One transaction of ingest: what every step of it needs, and what is tried again when it loses a race."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import asyncpg

from libs.common.errors import Unavailable
from libs.common.postgres import Database
from services.ingest.limits import RACES_MAX

T = TypeVar("T")


class Raced(Exception):
    """What this transaction had read is no longer so: from the beginning, everything is seen as it is now."""


LOST_RACES: Final = (Raced, asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A transaction in a workspace. Locks are taken in one order: conversation, customer, contact."""

    connection: Any
    workspace: str
    now: int
    partitions: set[int] = field(default_factory=set)
    """Those into which it puts facts: their relays are woken once it is committed."""


async def in_turn(
    database: Database, wake: Callable[[int], None], workspace: str, now: int, work: Callable[[Turn], Awaitable[T]]
) -> T:
    """Run `work` in a transaction, again if another one came first, and wake the relays of what it put.

    Raises what `work` raises, and Unavailable when others always came first.
    """
    for _ in range(RACES_MAX):
        with suppress(*LOST_RACES):
            async with database.transaction() as connection:
                turn = Turn(connection=connection, workspace=workspace, now=now)
                result = await work(turn)
            for partition in turn.partitions:
                wake(partition)
            return result
    raise Unavailable("too much happens at once in one place")
