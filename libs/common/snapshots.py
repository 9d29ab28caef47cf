"""Snapshots of a partition's state: where an exact replay can begin without reading the log from its first record."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from libs.common.machine import POSITIONS_KEY, Positions
from libs.common.postgres import Database

KEPT_MICROSECONDS: Final = 30 * 86_400_000_000
"""As long as the topics: an older one could not be replayed from."""

Entities = list[tuple[str, bytes]]
_PAIRS: Final = msgspec.msgpack.Decoder(Entities)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The entities of a partition after its commit number `batch`, which was decided at `at`."""

    batch: int
    at: int
    entities: Entities


class Snapshots:
    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def save(self, service: str, partition: int, entities: Iterable[tuple[str, bytes]]) -> None:
        """Keep what a state topic's partition holds between two commits; forget those that are too old."""
        pairs = sorted(entities)
        found = next((value for key, value in pairs if key == POSITIONS_KEY), None)
        if found is None:
            return  # Nothing was ever committed here.
        positions = msgspec.json.decode(found, type=Positions)
        body = zlib.compress(msgspec.msgpack.encode(pairs))
        await self._pool.execute(SAVE, service, partition, positions.batch, positions.at, body)
        await self._pool.execute(FORGET, service, partition, positions.at - KEPT_MICROSECONDS)

    async def before(self, service: str, partition: int, at: int) -> Snapshot | None:
        """The latest that was decided before `at` (microseconds); None: begin with nothing."""
        return _snapshot(await self._pool.fetchrow(BEFORE, service, partition, at))

    async def first(self, service: str, partition: int, batch: int) -> Snapshot | None:
        """The earliest of this commit or a later one."""
        return _snapshot(await self._pool.fetchrow(FIRST, service, partition, batch))


def _snapshot(row: Any) -> Snapshot | None:
    if row is None:
        return None
    return Snapshot(batch=row["batch"], at=row["at"], entities=_PAIRS.decode(zlib.decompress(row["entities"])))


SAVE: Final = """
    INSERT INTO log_snapshots (service, partition, batch, at, entities) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (service, partition, batch) DO NOTHING
"""
FORGET: Final = "DELETE FROM log_snapshots WHERE service = $1 AND partition = $2 AND at < $3"
BEFORE: Final = """
    SELECT batch, at, entities FROM log_snapshots WHERE service = $1 AND partition = $2 AND at < $3
    ORDER BY batch DESC LIMIT 1
"""
FIRST: Final = """
    SELECT batch, at, entities FROM log_snapshots WHERE service = $1 AND partition = $2 AND batch >= $3
    ORDER BY batch LIMIT 1
"""
