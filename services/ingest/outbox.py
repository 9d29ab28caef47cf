"""Facts on their way to the log: stored with what they are about, appended by one relay a partition.

The order. A fact takes its row's id while its contact's row is locked, so for each contact ids ascend in the order
of commit. The relay sees only what is committed and gives every row a position, ascending and without gaps, in a
transaction of its own *before* it appends: whatever dies, a row that is appended again carries the same position,
and readers drop it. A row of a slower transaction with a smaller id gets a later position, which hurts nobody: it
concerns another contact. So ingest's transactions never wait for each other, and no position is skipped.

Rows are removed once their append is known. A relay that works beside another (a lost lock) only appends what
readers drop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from libs.common.events import CONTACTS
from libs.common.events.codec import encode_headers, encode_value
from libs.common.events.contacts import ContactFact
from libs.common.log import Draft, Log, LogError
from libs.common.outbox import OUTBOX_HEADER
from libs.common.postgres import DATABASE_TROUBLE, Database
from libs.common.telemetry import current_traceparent, log
from services.ingest.leader import Leadership
from services.ingest.limits import RELAY_GATHER_SECONDS, RELAY_POLL_SECONDS, RELAY_RECORDS_MAX, RELAY_RETRY_SECONDS
from services.ingest.metrics import OUTBOX_FAILURES, OUTBOX_RELAYED, OUTBOX_WAITING
from services.ingest.turn import Turn

PUT: Final = """
    INSERT INTO ingest_outbox (partition, key, value, headers)
    SELECT partition, $3::text, $4::bytea, $5::json FROM platform_pools WHERE workspace = $1 AND pool = $2
    RETURNING partition
"""
FIRST: Final = "INSERT INTO ingest_relays (partition, position) VALUES ($1, 0) ON CONFLICT DO NOTHING"
LOCK: Final = "SELECT position FROM ingest_relays WHERE partition = $1 FOR UPDATE"
REMOVE: Final = "DELETE FROM ingest_outbox WHERE partition = $1 AND position <= $2"
NUMBER: Final = """
    WITH new AS (SELECT id, row_number() OVER (ORDER BY id) AS nth FROM
                 (SELECT id FROM ingest_outbox WHERE partition = $1 AND position IS NULL ORDER BY id LIMIT $3) AS old),
         numbered AS (UPDATE ingest_outbox AS row SET position = $2 + new.nth FROM new WHERE row.id = new.id
                      RETURNING row.position)
    UPDATE ingest_relays SET position = greatest(position, (SELECT max(position) FROM numbered)) WHERE partition = $1
"""
NEXT: Final = """
    SELECT position, key, value, headers FROM ingest_outbox
    WHERE partition = $1 AND position IS NOT NULL ORDER BY position LIMIT $2
"""
FILLED: Final = """
    SELECT partition FROM generate_series(0, $1::int - 1) AS partition
    WHERE EXISTS (SELECT FROM ingest_outbox AS o WHERE o.partition = partition.partition)
"""
WAITING: Final = "SELECT count(*) FROM (SELECT FROM ingest_outbox LIMIT 10000) AS rows"
_DICT: Final = msgspec.json.Decoder(dict[str, str])


async def put(turn: Turn, event: ContactFact, *, sequence: int, cause: str) -> bool:
    """Put a fact into the outbox of its own pool's partition, in the transaction that makes it one.

    False when that pool is gone, and with it whoever could be told.
    """
    value = encode_value(event, sequence=sequence, cause=cause)
    headers = encode_headers(event, sequence=sequence, traceparent=current_traceparent())
    place = event.workspace, event.pool, event.key
    partition = await turn.connection.fetchval(PUT, *place, value, msgspec.json.encode(headers).decode())
    if partition is None:
        return False
    turn.partitions.add(partition)
    return True


@dataclass(frozen=True, kw_only=True)
class Batch:
    drafts: tuple[Draft, ...]
    last: int
    """The outbox position of the last of them."""


class Outbox:
    """The relays of all partitions. `wake` tells one that something was put in; a poll finds what others put in."""

    def __init__(self, database: Database, port: Log, leadership: Leadership) -> None:
        self._database = database
        self._log = port
        self._leadership = leadership
        self._wakes = [asyncio.Event() for _ in range(port.partitions)]

    def wake(self, partition: int) -> None:
        self._wakes[partition].set()

    async def empty(self) -> bool:
        """Whether everything that was stored is on the log."""
        return not await self._database.pool.fetchval(WAITING)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Relay for as long as the block lasts."""
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(self._relay(partition)) for partition in range(self._log.partitions)]
            started += [tasks.create_task(self._poll()), tasks.create_task(self._measure())]
            try:
                yield
            finally:
                for task in started:
                    task.cancel()

    async def _poll(self) -> None:
        while True:
            await self._leadership.leading()
            with suppress(*DATABASE_TROUBLE):
                for row in await self._database.pool.fetch(FILLED, self._log.partitions):
                    self.wake(row["partition"])
            await asyncio.sleep(RELAY_POLL_SECONDS)

    async def _measure(self) -> None:
        """Whoever leads, and when nobody does: then it matters most."""
        while True:
            with suppress(*DATABASE_TROUBLE):
                OUTBOX_WAITING.set(await self._database.pool.fetchval(WAITING))
            await asyncio.sleep(RELAY_POLL_SECONDS)

    async def _relay(self, partition: int) -> None:
        while True:
            await self._wakes[partition].wait()
            await self._leadership.leading()
            await asyncio.sleep(RELAY_GATHER_SECONDS)
            self._wakes[partition].clear()
            try:
                await self.drain(partition)
            except (LogError, *DATABASE_TROUBLE) as failure:
                OUTBOX_FAILURES.inc()
                log.warning("relay_failed", partition=partition, error=type(failure).__name__)
                await asyncio.sleep(RELAY_RETRY_SECONDS)
                self.wake(partition)

    async def drain(self, partition: int) -> None:
        """Append everything that is committed now. Raises LogError, or what PostgreSQL raises: nothing is lost."""
        batch = await self.take(partition, appended=0)
        while batch.drafts:
            await self._log.append(partition, batch.drafts)
            OUTBOX_RELAYED.inc(len(batch.drafts))
            batch = await self.take(partition, appended=batch.last)

    async def take(self, partition: int, *, appended: int) -> Batch:
        """Forget what is on the log up to `appended`, and give positions to what comes next: durable before it goes."""
        async with self._database.transaction() as connection:
            last = await connection.fetchval(LOCK, partition)
            if last is None:
                await connection.execute(FIRST, partition)
                last = await connection.fetchval(LOCK, partition)
            if appended:
                await connection.execute(REMOVE, partition, appended)
            await connection.execute(NUMBER, partition, last, RELAY_RECORDS_MAX)
            rows = await connection.fetch(NEXT, partition, RELAY_RECORDS_MAX)
        return Batch(drafts=tuple(map(_draft, rows)), last=rows[-1]["position"] if rows else appended)


def _draft(row: Any) -> Draft:
    headers = _DICT.decode(row["headers"]) | {OUTBOX_HEADER: str(row["position"])}
    return Draft(topic=CONTACTS, key=row["key"], value=row["value"], headers=headers)
