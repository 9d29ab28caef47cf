"""Which commands were asked for and what became of them, for 24 hours.

Written without waiting for the disk (`synchronous_commit` off): the log is what holds a command; these rows only find
it again after this process has gone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from libs.common.clock import Clock
from libs.common.errors import NotFound
from libs.common.events.commands import Command, CommandDecided
from libs.common.postgres import Database

KEPT_MICROSECONDS: Final = 24 * 3_600_000_000
SWEEP_ROWS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """`status` None: no outcome is known; it may be found in `partition` from `position` on."""

    command_id: str
    partition: int
    position: int
    status: int | None
    code: str | None
    state: dict[str, Any] | None


class CommandRecords:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._turn = asyncio.Lock()

    async def ask(self, command: Command, partition: int, position: int) -> bool:
        """Note a command before it is appended; False when it was asked for before."""
        row = (command.workspace, command.command_id, partition, position, self._clock.now())
        return await self._database.pool.fetchval(ASK, *row) is not None

    async def answer(self, workspace: str, outcome: CommandDecided) -> None:
        """Note what became of it."""
        state = json.dumps(outcome.state)
        await self._database.pool.execute(ANSWER, workspace, outcome.command_id, outcome.status, outcome.code, state)

    async def get(self, workspace: str, command_id: str) -> CommandRecord:
        """Raises NotFound, also for another workspace's."""
        row = await self._database.pool.fetchrow(GET, workspace, command_id)
        if row is None:
            raise NotFound("there is no such command")
        return CommandRecord(**{**row, "state": json.loads(row["state"]) if row["state"] else None})

    @asynccontextmanager
    async def in_turn(self, workspace: str) -> AsyncIterator[None]:
        """What concerns every partition of a workspace is asked one after another, whoever asks and wherever: each
        partition must see the same last word. One turn waits at a time in a process, so the pool has room for what
        is done in it."""
        async with self._turn, self._database.transaction() as connection:
            await connection.execute(TAKE_TURN, workspace)
            yield

    async def sweep(self) -> int:
        """Delete what is older than 24 hours; how many rows went."""
        before = self._clock.now() - KEPT_MICROSECONDS
        done: str = await self._database.pool.execute(SWEEP, before, SWEEP_ROWS_MAX)
        return int(done.rsplit(maxsplit=1)[-1])


TAKE_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended('broadcast ' || $1, 0))"
ASK: Final = """
    WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO platform_commands (workspace, command_id, partition, position, asked_at)
    SELECT $1, $2, $3::int, $4::bigint, $5::bigint FROM unhurried
    ON CONFLICT DO NOTHING RETURNING command_id
"""
ANSWER: Final = """
    WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true))
    UPDATE platform_commands SET status = $3, code = $4, state = $5::text::jsonb FROM unhurried
    WHERE workspace = $1 AND command_id = $2
"""
GET: Final = """
    SELECT command_id, partition, position, status, code, state::text FROM platform_commands
    WHERE workspace = $1 AND command_id = $2
"""
SWEEP: Final = """
    DELETE FROM platform_commands WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM platform_commands WHERE asked_at < $1 LIMIT $2))
"""
