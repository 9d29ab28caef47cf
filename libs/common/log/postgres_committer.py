"""The committer: takes all that waits, writes it in one transaction, answers all, and begins again at once.

While a transaction is under way the next one gathers, so that a busy log writes in large batches and an idle one
without delay. When the server is away, what waits is tried again until its deadline: nothing of it was done. Only a
connection that is lost during the commit itself leaves the outcome unknown; that is told, never guessed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import takewhile

import asyncpg
import msgspec
import structlog

from libs.common.clock import Clock
from libs.common.log.port import Aborted, Draft, Fenced, LogError, Place, Record
from libs.common.log.postgres_days import create_days, day_of
from libs.common.log.postgres_places import Places
from libs.common.log.postgres_queries import RETRY_SECONDS_MAX, RETRY_SECONDS_MIN
from libs.common.log.postgres_tick import (
    OutcomeUnknown,
    Ownership,
    Request,
    Written,
    ensure_places,
    write_tick,
)
from libs.common.postgres import DATABASE_TROUBLE, connection_settings

WRITE_SECONDS_MAX = 5.0
"""How long a request is tried again while the server is away."""
CONNECT_SECONDS_MAX = 3.0
STATEMENT_SECONDS_MAX = 10.0
TICK_RECORDS_MAX = 5_000
WAITING_RECORDS_MAX = 100_000
KEY_BYTES_MAX = 1_000

log = structlog.get_logger()


class Committer:
    def __init__(self, url: str, places: Places, clock: Clock) -> None:
        self._url = url
        self._places = places
        self._clock = clock
        self._connection: asyncpg.Connection | None = None
        self._days: frozenset[date] = frozenset()
        self._waiting: deque[Request] = deque()
        self._waiting_records = 0
        self._work = asyncio.Event()
        self._pause = RETRY_SECONDS_MIN
        self._closed = False

    async def write(self, partition: int, drafts: Sequence[Draft], ownership: Ownership | None = None) -> list[int]:
        """The positions, once the records are committed. Raises Aborted, Fenced or LogError, as the port says."""
        if not drafts:
            return []
        if self._closed or self._waiting_records + len(drafts) > WAITING_RECORDS_MAX:
            raise Aborted("the log is closed" if self._closed else "too much waits to be written")
        loop = asyncio.get_running_loop()
        request = Request(
            partition=partition,
            drafts=drafts,
            headers=[encode_headers(draft) for draft in drafts],
            ownership=ownership,
            deadline=loop.time() + WRITE_SECONDS_MAX,
            answer=loop.create_future(),
        )
        self._waiting.append(request)
        self._waiting_records += len(drafts)
        self._work.set()
        return await request.answer

    async def run(self) -> None:
        """Until it is closed and nothing waits any more; however it ends, everybody has an answer."""
        try:
            while not self._closed or self._waiting:
                await self._work.wait()
                self._work.clear()
                while self._waiting:
                    await self._attempt(self._take())
        finally:
            self._closed = True
            for request in self._waiting:
                give_up(request, Aborted("the log was closed"))
            self._drop_connection()

    def close(self) -> None:
        """What waits is still written; nothing more is taken."""
        self._closed = True
        self._work.set()

    def _take(self) -> list[Request]:
        """All that waits, or as much as one transaction should carry; whoever was cancelled wants nothing."""
        taken: list[Request] = []
        records = 0
        while self._waiting and (not taken or records + len(self._waiting[0].drafts) <= TICK_RECORDS_MAX):
            request = self._waiting.popleft()
            self._waiting_records -= len(request.drafts)
            if not request.answer.done():
                taken.append(request)
                records += len(request.drafts)
        return taken

    async def _attempt(self, requests: list[Request]) -> None:
        try:
            written = await self._write(requests)
        except OutcomeUnknown:
            log.error("log_commit_unknown", requests=len(requests))
            give_up_unknown(requests)
        except DATABASE_TROUBLE as failure:
            log.warning("log_unavailable", error=type(failure).__name__, requests=len(requests))
            await self._later(requests, failure)
        except BaseException:
            give_up_unknown(requests)  # Cancelled, or our own bug: nobody may wait for ever.
            raise
        else:
            self._pause = RETRY_SECONDS_MIN
            self._publish(written)

    async def _write(self, requests: list[Request]) -> Written:
        connection = await self._connected()
        today = day_of(self._clock)
        if today not in self._days:
            self._days = await create_days(connection, today)
        await ensure_places(connection, self._places, (place for request in requests for place in request.places()))
        return await write_tick(connection, self._places, requests, today)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS_MAX,
                command_timeout=STATEMENT_SECONDS_MAX,
                server_settings=connection_settings("omniroute-log", statement_seconds=STATEMENT_SECONDS_MAX),
            )
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _later(self, requests: list[Request], cause: Exception) -> None:
        """Nothing was done: put back what has time left, tell the others, and wait a little longer each time."""
        self._drop_connection()
        self._waiting.extendleft(reversed(requests))
        self._waiting_records += sum(len(request.drafts) for request in requests)
        now = asyncio.get_running_loop().time()
        expired = len(list(takewhile(lambda request: request.deadline <= now, self._waiting)))
        for _ in range(expired):
            request = self._waiting.popleft()
            self._waiting_records -= len(request.drafts)
            give_up(request, Aborted("the database doesn't answer"), cause)
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, RETRY_SECONDS_MAX)

    def _publish(self, written: Written) -> None:
        """Show the records to our readers and answer the callers, in one breath."""
        records: defaultdict[Place, list[Record]] = defaultdict(list)
        for request, positions in written.positions:
            for draft, position in zip(request.drafts, positions, strict=True):
                place = draft.topic, request.partition
                records[place].append(record_of(draft, request.partition, position))
        for place, batch in records.items():
            self._places[place].written(batch)
        for request, positions in written.positions:
            if not request.answer.done():
                request.answer.set_result(positions)
        for request in written.fenced:
            give_up(request, Fenced(f"partition {request.partition} was taken over"))


def record_of(draft: Draft, partition: int, position: int) -> Record:
    return Record(
        topic=draft.topic,
        partition=partition,
        position=position,
        key=draft.key,
        value=draft.value,
        headers=draft.headers,
    )


def encode_headers(draft: Draft) -> str | None:
    """Raises ValueError for what PostgreSQL wouldn't store: it must not stop the others of its transaction."""
    if "\0" in draft.key or len(draft.key.encode()) > KEY_BYTES_MAX:
        raise ValueError(f"a key has at most {KEY_BYTES_MAX} bytes, none of them zero")
    return msgspec.json.encode(draft.headers).decode() if draft.headers else None


def give_up(request: Request, failure: LogError, cause: Exception | None = None) -> None:
    if not request.answer.done():
        failure.__cause__ = cause
        request.answer.set_exception(failure)


def give_up_unknown(requests: Iterable[Request]) -> None:
    """Nobody knows whether these are committed: an owner must restore its state from what is there."""
    for request in requests:
        what = "the connection was lost during the commit"
        give_up(request, LogError(what) if request.ownership is None else Fenced(what))
