"""Idempotency-Key: a POST that is repeated within 24 hours is answered from the table, never run again.

Before it runs, the key, a hash of the body and the command id are stored; after it, the answer. A process that dies
between leaves the row unanswered: the repeat runs again *with the same command id*, which the machine answers from
its memory of outcomes. What was refused before anything ran (a wrong body) leaves no row.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response

from libs.common.beside import beside
from libs.common.clock import Clock
from libs.common.errors import Conflict, IdempotencyKeyReused, Invalid
from libs.common.postgres import DATABASE_TROUBLE, Database
from libs.common.secrets import derive
from libs.common.telemetry import log

HOUR: Final = 3_600_000_000
KEPT_MICROSECONDS: Final = 24 * HOUR
RUN_MICROSECONDS_MAX: Final = 15_000_000
"""So long after it last said that it is at it, another process may take over what one began."""
RENEW_MICROSECONDS: Final = RUN_MICROSECONDS_MAX // 3
WAIT_SECONDS_MAX: Final = 10
SWEEP_ROWS_MAX: Final = 10_000
KEPT_HEADERS: Final = ("content-type", "location")
REPLAYED_HEADER: Final = "Idempotency-Replayed"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_current: ContextVar[Run | None] = ContextVar("idempotent_run", default=None)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose key it is and for what: equal keys of others have nothing to do with it."""

    workspace: str
    key_id: str
    path: str
    idempotency_key: str


@dataclass(slots=True)
class Run:
    """A request that is being run under an Idempotency-Key."""

    scope: Scope
    command_id: str
    customer_id: str | None = None
    commands: int = field(default=0)

    def next_command_id(self) -> str:
        """The same ids in the same order, each time this request is run."""
        self.commands += 1
        return self.command_id if self.commands == 1 else f"{self.command_id}.{self.commands}"


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer that was given."""

    status: int
    headers: dict[str, str]
    body: bytes

    def response(self) -> Response:
        return Response(self.body, self.status, {**self.headers, REPLAYED_HEADER: "true"})


def drawn_command_id() -> str:
    """A new command id, or the one that belongs to the Idempotency-Key of the request being answered."""
    run = _current.get()
    return run.next_command_id() if run else f"cmd_{secrets.token_urlsafe(16)}"


def about_customer(customer_id: str) -> None:
    """Says whose data the answer holds, so that erasing the customer erases it too."""
    run = _current.get()
    if run:
        run.customer_id = customer_id


async def forget_customer(connection: Any, workspace: str, customer_id: str) -> None:
    """Erase the stored answers about a customer, within the caller's transaction."""
    await connection.execute(
        "DELETE FROM platform_idempotency WHERE workspace = $1 AND customer_id = $2", workspace, customer_id
    )


def checked_key(key: str) -> str:
    """Raises Invalid for a header that is empty, too long or not visible ASCII."""
    if not _KEY.fullmatch(key):
        raise Invalid("Idempotency-Key must be 1 to 255 visible ASCII characters")
    return key


class Idempotency:
    def __init__(self, database: Database, clock: Clock, master_key: bytes, *, alone: bool) -> None:
        """`alone`: no other process uses the database, so what an earlier one left running runs no more."""
        self._database = database
        self._clock = clock
        self._hash_key = derive(master_key, "idempotency")
        self._alone = alone
        self._runner = secrets.token_hex(8)
        self._running: dict[Scope, asyncio.Event] = {}

    async def answer(self, scope: Scope, body: bytes, run: Callable[[], Awaitable[Response]]) -> Response:
        """Run the request, or answer it as it was answered before.

        Raises IdempotencyKeyReused, or Conflict `in_progress` when it is still being run.
        """
        digest = hashlib.blake2b(body, key=self._hash_key, digest_size=32).digest()
        async with self._only_one(scope):
            begun = await self._begin(scope, digest)
            if isinstance(begun, Stored):
                return begun.response()
            return await self._run(begun, run)

    async def sweep(self) -> int:
        """Delete what is older than 24 hours; how many rows went."""
        done: str = await self._database.pool.execute(SWEEP, self._clock.now() - KEPT_MICROSECONDS, SWEEP_ROWS_MAX)
        return int(done.rsplit(maxsplit=1)[-1])

    async def _run(self, begun: Run, run: Callable[[], Awaitable[Response]]) -> Response:
        kept = False
        try:
            async with beside(self._stay_at(begun.scope)):
                with _running_as(begun):
                    response = await run()
            kept = await self._keep(begun, response)
        finally:
            if not kept:
                await asyncio.shield(self._release(begun))
        return response

    async def _stay_at(self, scope: Scope) -> None:
        """Say, as long as it runs, that it still does: a large batch may take minutes."""
        while True:
            await self._clock.sleep_until(self._clock.now() + RENEW_MICROSECONDS)
            try:
                until = self._clock.now() + RUN_MICROSECONDS_MAX
                await self._database.pool.execute(RENEW, *_key(scope), self._runner, until)
            except DATABASE_TROUBLE as failure:
                log.warning("idempotency_not_renewed", error=failure)

    async def _keep(self, begun: Run, response: Response) -> bool:
        unsettled = response.status_code >= 500 or response.status_code == 429
        if unsettled or not isinstance(response.body, bytes):
            return False  # Nobody knows what becomes of it: a repeat runs again, with the same command id.
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        await self._database.pool.execute(
            KEEP, *_key(begun.scope), response.status_code, json.dumps(headers), response.body, begun.customer_id
        )
        return True

    async def _release(self, begun: Run) -> None:
        """Nothing was done under this key, so it is free; else only the next run may go on."""
        statement = RELEASE if begun.commands else FORGET
        await self._database.pool.execute(statement, *_key(begun.scope))

    @asynccontextmanager
    async def _only_one(self, scope: Scope) -> AsyncIterator[None]:
        """Within this process a repeat waits for the first to be answered."""
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                while other := self._running.get(scope):
                    await other.wait()
        except TimeoutError:
            raise _in_progress() from None
        self._running[scope] = asyncio.Event()
        try:
            yield
        finally:
            self._running.pop(scope).set()

    async def _begin(self, scope: Scope, digest: bytes) -> Run | Stored:
        now = self._clock.now()
        command_id = f"cmd_{secrets.token_urlsafe(16)}"
        runs = (self._runner, now + RUN_MICROSECONDS_MAX)
        row = await self._database.pool.fetchrow(
            RESERVE, *_key(scope), digest, command_id, *runs, now, now - KEPT_MICROSECONDS
        )
        if row is not None:
            return Run(scope, command_id)
        present = await self._database.pool.fetchrow(PRESENT, *_key(scope))
        if present is None:
            raise _in_progress()  # Released by another process in between.
        if present["body_hash"] != digest:
            raise IdempotencyKeyReused("this Idempotency-Key was used with another body")
        if present["status"] is not None:
            return Stored(present["status"], json.loads(present["headers"]), present["body"])
        return await self._take_over(scope, present, runs)

    async def _take_over(self, scope: Scope, present: Any, runs: tuple[str, int]) -> Run:
        """Nobody answered it and nobody is at it any more: run it again under its command id."""
        at_work = present["runner"] not in (None, self._runner) and not self._alone
        if at_work and present["runs_until"] > self._clock.now():
            raise _in_progress()
        taken = await self._database.pool.fetchrow(TAKE, *_key(scope), *runs, present["runs_until"])
        if taken is None:
            raise _in_progress()
        return Run(scope, present["command_id"])


@contextmanager
def _running_as(run: Run) -> Iterator[None]:
    token = _current.set(run)
    try:
        yield
    finally:
        _current.reset(token)


def _in_progress() -> Conflict:
    return Conflict("the same request is still being answered", code="in_progress", retry_after=1)


def _key(scope: Scope) -> tuple[str, str, str, str]:
    return scope.workspace, scope.key_id, scope.path, scope.idempotency_key


_ROW: Final = "workspace = $1 AND key_id = $2 AND path = $3 AND idempotency_key = $4"
RESERVE: Final = """
    INSERT INTO platform_idempotency AS old (workspace, key_id, path, idempotency_key, body_hash, command_id,
        runner, runs_until, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (workspace, key_id, path, idempotency_key) DO UPDATE SET body_hash = $5, command_id = $6,
        runner = $7, runs_until = $8, started_at = $9, status = NULL, headers = NULL, body = NULL,
        customer_id = NULL
        WHERE old.started_at < $10
    RETURNING command_id
"""
PRESENT: Final = f"""
    SELECT body_hash, command_id, runner, runs_until, status, headers::text, body
    FROM platform_idempotency WHERE {_ROW}
"""  # noqa: S608
TAKE: Final = f"""
    UPDATE platform_idempotency SET runner = $5, runs_until = $6
    WHERE {_ROW} AND status IS NULL AND runs_until = $7 RETURNING command_id
"""  # noqa: S608
RENEW: Final = f"""
    UPDATE platform_idempotency SET runs_until = $6 WHERE {_ROW} AND status IS NULL AND runner = $5
"""  # noqa: S608
KEEP: Final = f"""
    UPDATE platform_idempotency SET status = $5, headers = $6::text::jsonb, body = $7, customer_id = $8, runner = NULL
    WHERE {_ROW}
"""  # noqa: S608
RELEASE: Final = f"UPDATE platform_idempotency SET runner = NULL WHERE {_ROW} AND status IS NULL"  # noqa: S608
FORGET: Final = f"DELETE FROM platform_idempotency WHERE {_ROW} AND status IS NULL"  # noqa: S608
SWEEP: Final = """
    DELETE FROM platform_idempotency WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM platform_idempotency WHERE started_at < $1 LIMIT $2))
"""
