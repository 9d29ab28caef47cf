"""The log in PostgreSQL, for one process: every append and commit of all services goes into one transaction a tick.

Several handles on one database are correct together (positions, fencing, reading what another wrote); only their
wakes are coarse: a reader learns of another handle's records within POLL_SECONDS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import asyncpg
import structlog

from libs.common.beside import beside
from libs.common.clock import Clock, SystemClock
from libs.common.log.only_member import OnlyMember
from libs.common.log.port import Draft, Fenced, Group, LogError, Owner, PartitionsCallback, Place, Reader
from libs.common.log.postgres_committer import Committer
from libs.common.log.postgres_days import create_days, day_of, drop_days_before
from libs.common.log.postgres_places import Places
from libs.common.log.postgres_queries import QUERY_SECONDS_MAX, Queries
from libs.common.log.postgres_reader import PostgresReader
from libs.common.log.postgres_tick import Ownership
from libs.common.postgres import DATABASE_TROUBLE, close_pool, connection_settings, leave_as_it_is

READ_CONNECTIONS_MAX = 4
POLL_SECONDS = 0.2
RETAIN_EVERY_SECONDS = 3_600
RESTORE_PAGE_RECORDS = 2_000
CLOSE_SECONDS_MAX = 10.0

RETAIN_PATIENCE = "SET lock_timeout = '5s'; SET statement_timeout = '600s'"
USUAL_PATIENCE = "RESET lock_timeout; RESET statement_timeout"
TAKE_OVER = """
    INSERT INTO log_owners AS o (service, partition, epoch) VALUES ($1, $2, 1)
    ON CONFLICT (service, partition) DO UPDATE SET epoch = o.epoch + 1
    RETURNING epoch
"""
STATE_PAGE = """
    SELECT s.key, s.value FROM log_state AS s JOIN log_places AS p ON p.id = s.place
    WHERE p.topic = $1 AND p.partition = $2 AND s.key > $3 ORDER BY s.key LIMIT $4
"""

log = structlog.get_logger()


class PostgresOwner:
    def __init__(self, postgres: PostgresLog, ownership: Ownership) -> None:
        self.partition = ownership.partition
        self._postgres = postgres
        self._ownership = ownership
        self._fenced = False

    async def restore(self, topic: str) -> AsyncIterator[tuple[str, bytes]]:
        """In key order. Whoever owned the partition before can't write between two pages."""
        stored, last = self._postgres.places.stored_topic(topic), ""
        while True:
            page = await self._postgres.queries.fetch(STATE_PAGE, stored, self.partition, last, RESTORE_PAGE_RECORDS)
            for key, value in page:
                yield key, value
            if len(page) < RESTORE_PAGE_RECORDS:
                return
            last = page[-1]["key"]

    async def commit(self, drafts: Sequence[Draft]) -> None:
        if self._fenced:
            raise Fenced(f"partition {self.partition} was given up")
        try:
            await self._postgres.committer.write(self.partition, drafts, self._ownership)
        except Fenced:
            self._fenced = True
            raise

    async def close(self) -> None:
        """Nothing to give back: the next take-over's epoch is what ends this one."""
        self._fenced = True


class PostgresLog:
    commit_interval_seconds = 0.0

    def __init__(
        self, pool: asyncpg.Pool, committer: Committer, places: Places, *, partitions: int, clock: Clock
    ) -> None:
        self.partitions = partitions
        self.places = places
        self.committer = committer
        self.queries = Queries(pool, places)
        self._pool = pool
        self._clock = clock

    async def append(self, partition: int, drafts: Sequence[Draft]) -> list[int]:
        self._check(partition)
        return await self.committer.write(partition, drafts)

    async def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        await self.queries.observe_ends()
        return self.places.ends(places)

    async def stable_ends(self, places: Sequence[Place]) -> dict[Place, int]:
        return await self.ends(places)  # What isn't committed has no position yet.

    async def reader(self, start: Mapping[Place, int]) -> Reader:
        return self.read_from(start)

    def read_from(self, start: Mapping[Place, int]) -> Reader:
        for _, partition in start:
            self._check(partition)
        return PostgresReader(self.places, self.queries, start)

    async def join(
        self, service: str, topics: Sequence[str], *, assigned: PartitionsCallback, revoked: PartitionsCallback
    ) -> Group:
        del service  # Every service's member is the only one.
        return OnlyMember(self.partitions, topics, self.read_from, assigned=assigned, revoked=revoked)

    async def own(self, service: str, partition: int) -> Owner:
        self._check(partition)
        stored = self.places.stored_topic(service)
        [row] = await self.queries.fetch(TAKE_OVER, stored, partition)
        return PostgresOwner(self, Ownership(stored, partition, row["epoch"]))

    async def retain(self, days: int) -> list[str]:
        """Drop what was stored earlier than so many days before today, and name the tables that went.

        Every key's last value of a compacted topic stays. Raises LogError when the database is busy or away."""
        today = day_of(self._clock)
        try:
            async with self._pool.acquire(timeout=QUERY_SECONDS_MAX) as connection:
                await connection.execute(RETAIN_PATIENCE)
                try:
                    await create_days(connection, today)
                    return await drop_days_before(connection, today - timedelta(days=days), today)
                finally:
                    await connection.execute(USUAL_PATIENCE)
        except DATABASE_TROUBLE as failure:
            raise LogError("old days could not be dropped now") from failure

    async def keep_watch(self) -> None:
        """Tell waiting readers what other handles wrote."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self.places.is_followed():
                with suppress(LogError):
                    await self.queries.observe_ends()

    async def keep_retaining(self, days: int | None) -> None:
        while days is not None:
            try:
                dropped = await self.retain(days)
                if dropped:
                    log.info("log_days_dropped", count=len(dropped))
            except LogError as failure:
                log.warning("log_days_kept", reason=str(failure))
            await asyncio.sleep(RETAIN_EVERY_SECONDS)

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"there is no partition {partition} of {self.partitions}")


@asynccontextmanager
async def open_postgres_log(
    database_url: str,
    *,
    partitions: int,
    clock: Clock | None = None,
    namespace: str = "",
    retain_days: int | None = None,
) -> AsyncIterator[PostgresLog]:
    """Opens the log in a migrated database. Raises OSError or asyncpg.PostgresError when it can't be reached.

    `clock` is the storage's own and says on which day a record is filed; a clock that tests or an import move
    belongs elsewhere. `namespace` keeps several logs in one database apart. With `retain_days`, older days are
    dropped by the hour. Whoever works with the log is cancelled should it fail, and the failure comes out."""
    places = Places(namespace)
    clock = clock or SystemClock()
    committer = Committer(database_url, places, clock)
    pool = await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=READ_CONNECTIONS_MAX,
        timeout=QUERY_SECONDS_MAX,
        server_settings=connection_settings("omniroute-log-reader", statement_seconds=QUERY_SECONDS_MAX),
        reset=leave_as_it_is,
    )
    postgres = PostgresLog(pool, committer, places, partitions=partitions, clock=clock)
    async with running(postgres, committer, retain_days):
        try:
            await postgres.queries.observe_ends()
            yield postgres
        finally:
            await close_pool(pool)


@asynccontextmanager
async def running(postgres: PostgresLog, committer: Committer, retain_days: int | None) -> AsyncIterator[None]:
    """The log's own tasks; at the end what waits is written first."""
    async with (
        beside(postgres.keep_watch()),
        beside(postgres.keep_retaining(retain_days)),
        beside(committer.run()) as committing,
    ):
        try:
            yield
        finally:
            committer.close()
            await asyncio.wait({committing}, timeout=CLOSE_SECONDS_MAX)
