"""A service's answers to reads: its state topic and its events, mirrored into PostgreSQL.

Any number of processes may project the same partitions: a chunk is applied in one transaction which holds the
partitions' progress rows, and what another process has applied is left out. Every process reads all partitions, so
each knows without asking how far the tables are (`reached`).

A commit of the machine counts as applied when its `positions` record was read and the events' topic was read up to
an end observed after that: all records of a commit are written before one of them can be read, so that end lies
behind all of its events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

import msgspec
from prometheus_client import Counter

from libs.common.events import Topic
from libs.common.log import Log, LogError, Reader, Record
from libs.common.log.port import Place
from libs.common.machine import POSITIONS_KEY, Positions
from libs.common.postgres import DATABASE_TROUBLE, Database
from libs.common.telemetry import log

CHUNK_RECORDS_MAX: Final = 2_000
READ_WAIT_SECONDS: Final = 1.0
UNFINISHED_WAIT_SECONDS: Final = 0.01
"""A commit was read in part: its other records are about to come."""
AGAIN_AFTER_SECONDS: Final = 1.0

projection_failures_total = Counter(
    "omniroute_projection_failures_total", "Times a projection lost its log or database for a while", ["service"]
)

Applied = TypeVar("Applied")
IsNews = Callable[[Record], bool]


class Mirror(Protocol[Applied]):
    """What a service's projection makes of the records: its tables."""

    service: str
    state: Topic
    events: Topic

    async def clear(self, connection: Any) -> None:
        """Empty the tables: everything will be read again."""
        ...

    async def apply(self, connection: Any, records: Sequence[Record]) -> Applied:
        """Write what these records say, each for the first time, in their order within a place."""
        ...

    def tell(
        self, read: Sequence[Record], records: Sequence[Record], applied: Applied, is_news: IsNews
    ) -> None:
        """They are committed: count and stream what is news, which what a rebuild reads again isn't.

        `records` are those that this process applied, each counted by one process only; `read` are all of them, of
        which each process tells those who watch it.
        """
        ...


class Rewound(Exception):
    """The tables are behind what was read: somebody rebuilds them, so reading starts again where they stand."""


class Progress(NamedTuple):
    state: int = 0
    events: int = 0
    batch: int = 0


class Projection(Generic[Applied]):
    """One process's projection of every partition. `run` it; ask `reached` when a read must be fresh."""

    def __init__(self, port: Log, database: Database, mirror: Mirror[Applied]) -> None:
        self._log = port
        self._database = database
        self._mirror = mirror
        self._places: list[Place] = [
            (topic, partition) for partition in range(port.partitions) for topic in (mirror.state, mirror.events)
        ]
        self._moved = asyncio.Condition()
        self._batches: dict[int, int] = {}
        self._positions: Mapping[Place, int] = {}
        self._beginnings = 0
        self._unfinished: dict[int, tuple[int, int]] = {}
        self._news_from: dict[Place, int] = {}

    async def reached(self, service: str, partition: int, batch: int) -> None:
        """Return once everything up to this commit of the service's partition can be read."""
        assert service == self._mirror.service, f"this projection is not of {service}"
        async with self._moved:
            await self._moved.wait_for(lambda: self._batches.get(partition, 0) >= batch)

    async def caught_up(self) -> None:
        """Return once everything that is on the log now can be read."""
        ends = await self._log.ends(self._places)
        async with self._moved:
            await self._moved.wait_for(lambda: not self._unfinished and self._read_to(ends))

    async def rebuild(self) -> None:
        """Drop everything, and return when the log was read again; until then reads answer little."""
        beginnings, ends = self._beginnings, await self._log.ends(self._places)
        async with self._database.transaction() as connection:
            await connection.execute(LOCK, self._mirror.service)
            await self._mirror.clear(connection)
            await connection.execute(REWIND, self._mirror.service)
        async with self._moved:
            await self._moved.wait_for(lambda: self._beginnings > beginnings and self._read_to(ends))

    def _read_to(self, ends: Mapping[Place, int]) -> bool:
        return all(self._positions.get(place, 0) >= end for place, end in ends.items())

    async def run(self) -> None:
        """For ever: a log or database that is away for a while delays the projection and nothing else."""
        while True:
            try:
                await self._follow()
            except Rewound:
                log.info("projection_rebuilt", service=self._mirror.service)
            except (LogError, *DATABASE_TROUBLE) as error:
                projection_failures_total.labels(self._mirror.service).inc()
                log.warning("projection_delayed", service=self._mirror.service, error=type(error).__name__)
                await asyncio.sleep(AGAIN_AFTER_SECONDS)

    async def _follow(self) -> None:
        stored, new = await self._stored()
        start = {place: self._of(stored[place[1]], place[0]) for place in self._places}
        await self._note_what_is_news(start, new)
        self._unfinished = {}
        self._beginnings += 1
        await self._notify({partition: progress.batch for partition, progress in stored.items()}, start)
        reader = await self._log.reader(start)
        try:
            while True:
                await self._step(reader)
        finally:
            with suppress(LogError):
                await reader.close()

    def _of(self, progress: Progress, topic: str) -> int:
        return progress.state if topic == self._mirror.state else progress.events

    async def _stored(self) -> tuple[dict[int, Progress], set[int]]:
        """How far every partition is projected, and which partitions never were before."""
        async with self._database.transaction() as connection:
            new = await connection.fetch(BEGIN, self._mirror.service, self._log.partitions)
            stored = await self._progress(connection, range(self._log.partitions))
            return stored, {row["partition"] for row in new}

    async def _note_what_is_news(self, start: Mapping[Place, int], new: Collection[int]) -> None:
        ends = await self._log.ends(self._places)
        self._news_from = {
            place: 0 if position or place[1] in new else ends[place] for place, position in start.items()
        }

    def _is_news(self, record: Record) -> bool:
        return record.position >= self._news_from[record.topic, record.partition]

    async def _step(self, reader: Reader) -> None:
        before = reader.next_positions()
        wait = UNFINISHED_WAIT_SECONDS if self._unfinished else READ_WAIT_SECONDS
        records = await reader.read(max_records=CHUNK_RECORDS_MAX, wait_seconds=wait)
        after = reader.next_positions()
        await self._note_commits(records)
        finished = self._finished(after)
        moved = {place[1] for place, position in after.items() if position != before.get(place)}
        partitions = sorted(moved | finished.keys())  # Markers of transactions move a place without a record.
        news, applied = await self._apply(records, before, after, partitions, finished)
        for partition in finished:
            del self._unfinished[partition]
        self._mirror.tell(records, news, applied, self._is_news)
        await self._notify(finished, after)

    def _finished(self, after: Mapping[Place, int]) -> dict[int, int]:
        """Partition → the commit that is now read as a whole."""
        events = self._mirror.events
        return {p: batch for p, (batch, end) in self._unfinished.items() if after.get((events, p), 0) >= end}

    async def _apply(
        self,
        records: Sequence[Record],
        before: Mapping[Place, int],
        after: Mapping[Place, int],
        partitions: Sequence[int],
        finished: Mapping[int, int],
    ) -> tuple[list[Record], Applied]:
        async with self._database.transaction() as connection:
            stored = await self._progress(connection, partitions or range(self._log.partitions))
            self._check_not_rewound(stored, before)
            news = [one for one in records if one.position >= self._of(stored[one.partition], one.topic)]
            applied = await self._mirror.apply(connection, news)
            for partition in partitions:
                state = after.get((self._mirror.state, partition), 0)
                events = after.get((self._mirror.events, partition), 0)
                batch = finished.get(partition, 0)
                await connection.execute(ADVANCE, self._mirror.service, partition, state, events, batch)
        return news, applied

    def _check_not_rewound(self, stored: Mapping[int, Progress], before: Mapping[Place, int]) -> None:
        for (topic, partition), position in before.items():
            if partition in stored and self._of(stored[partition], topic) < position:
                raise Rewound

    async def _note_commits(self, records: Iterable[Record]) -> None:
        commits = {
            record.partition: msgspec.json.decode(record.value, type=Positions).batch
            for record in records
            if record.key == POSITIONS_KEY and record.topic == self._mirror.state and record.value is not None
        }
        if commits:
            events = self._mirror.events
            ends = await self._log.ends([(events, partition) for partition in commits])
            self._unfinished |= {p: (batch, ends[events, p]) for p, batch in commits.items()}

    async def _notify(self, batches: Mapping[int, int], positions: Mapping[Place, int]) -> None:
        async with self._moved:
            self._batches |= batches
            self._positions = positions
            self._moved.notify_all()

    async def _progress(self, connection: Any, partitions: Iterable[int]) -> dict[int, Progress]:
        """The stored progress, locked in ascending order until the transaction ends."""
        rows = await connection.fetch(PROGRESS, self._mirror.service, list(partitions))
        return {row[0]: Progress(row[1], row[2], row[3]) for row in rows}


BEGIN: Final = """
    INSERT INTO log_projections (service, partition, state_position, events_position, batch)
    SELECT $1, p, 0, 0, 0 FROM generate_series(0, $2::int - 1) p ON CONFLICT DO NOTHING RETURNING partition
"""
LOCK: Final = "SELECT 1 FROM log_projections WHERE service = $1 ORDER BY partition FOR UPDATE"
REWIND: Final = "UPDATE log_projections SET state_position = 0, events_position = 0, batch = 0 WHERE service = $1"
PROGRESS: Final = """
    WITH unhurried AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    SELECT p.partition, p.state_position, p.events_position, p.batch FROM unhurried CROSS JOIN log_projections AS p
    WHERE p.service = $1 AND p.partition = ANY($2::int[]) ORDER BY p.partition FOR UPDATE OF p
"""
"""Its commit need not wait for the disk: what a crash loses goes with its position, and is read again."""
ADVANCE: Final = """
    UPDATE log_projections SET state_position = GREATEST(state_position, $3),
    events_position = GREATEST(events_position, $4), batch = GREATEST(batch, $5) WHERE service = $1 AND partition = $2
"""
