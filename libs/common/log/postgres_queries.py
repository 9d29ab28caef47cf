"""The log's reading side of the database: short queries that wait, for a bounded time, for a server that is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from libs.common.log.port import LogError, Place, Record
from libs.common.log.postgres_places import Places
from libs.common.postgres import DATABASE_TROUBLE

QUERY_SECONDS_MAX = 5.0
RETRY_SECONDS_MIN = 0.05
RETRY_SECONDS_MAX = 1.0

ENDS = """
    SELECT id, topic, partition, next_position FROM log_places WHERE starts_with(topic, $1)
"""
RECORDS = """
    SELECT wanted.index, found.position, found.key, found.value, found.headers
    FROM unnest($1::int[], $2::bigint[]) WITH ORDINALITY AS wanted (place, position, index)
    CROSS JOIN LATERAL (
        SELECT position, key, value, headers FROM log_records
        WHERE place = wanted.place AND position >= wanted.position
        ORDER BY position LIMIT $3
    ) AS found
    ORDER BY wanted.index, found.position
"""


class Queries:
    """Raises LogError from every query that isn't answered within QUERY_SECONDS_MAX."""

    def __init__(self, pool: asyncpg.Pool, places: Places) -> None:
        self._pool = pool
        self._places = places
        self._observing = asyncio.Lock()
        self._asked = self._observed = self._failed = 0
        self._cause: BaseException | None = None

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        deadline = asyncio.get_running_loop().time() + QUERY_SECONDS_MAX
        pause = RETRY_SECONDS_MIN
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    rows: list[Any] = await self._pool.fetch(sql, *arguments)
                return rows
            except DATABASE_TROUBLE as failure:
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise LogError("the database doesn't answer") from failure
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_SECONDS_MAX)

    async def observe_ends(self) -> None:
        """Learn where every place ends, as of some instant after this call; those who wait share one query."""
        self._asked += 1
        ticket = self._asked
        async with self._observing:
            if ticket > self._observed:
                await self._observe()
            if ticket <= self._failed:
                raise LogError("the database doesn't answer") from self._cause

    async def _observe(self) -> None:
        """Answers everyone who has asked by now, with a failure too: they don't wait for one each."""
        covered = self._asked
        try:
            self._places.observed(await self.fetch(ENDS, self._places.namespace))
        except LogError as failure:
            self._failed, self._cause = covered, failure.__cause__
        self._observed = covered  # Not when we were cancelled: then the next in line asks.

    async def records(self, wanted: Sequence[tuple[Place, int]], most: int) -> dict[Place, list[Record]]:
        """Up to `most` records of each place from a position on."""
        ids = [self._places.known_id(place) for place, _ in wanted]
        rows = await self.fetch(RECORDS, ids, [position for _, position in wanted], most)
        found: dict[Place, list[Record]] = {place: [] for place, _ in wanted}
        for index, *row in rows:
            place = wanted[index - 1][0]
            found[place].append(read_record(place, *row))
        return found


def read_record(place: Place, position: int, key: str, value: bytes | None, headers: str | None) -> Record:
    topic, partition = place
    return Record(
        topic=topic,
        partition=partition,
        position=position,
        key=key,
        value=value,
        headers=decode_headers(headers),
    )


def decode_headers(headers: str | None) -> dict[str, str]:
    return {} if headers is None else msgspec.json.decode(headers, type=dict[str, str])
