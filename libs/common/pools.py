"""Which partition a pool lives in: decided when the pool is created, kept for its life."""

from __future__ import annotations

import hashlib
import math
import time
import zlib
from collections.abc import Callable
from typing import Final

from libs.common.errors import NotFound
from libs.common.events import pool_key
from libs.common.postgres import Database
from libs.common.settings import SettingsError

CACHE_POOLS_MAX: Final = 100_000
KNOWN_SECONDS_MAX: Final = 5.0
"""How long a pool that another process removed may still be known here."""
UNKNOWN: Final = (-1, -math.inf)


class Pools:
    def __init__(self, database: Database, partitions: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._partitions = partitions
        self._seconds = seconds
        self._known: dict[tuple[str, str], tuple[int, float]] = {}
        """Where it lives, and until when that is believed."""

    async def partition(self, workspace: str, pool: str) -> int:
        """Raises NotFound when the workspace has no such pool."""
        known, until = self._known.get((workspace, pool), UNKNOWN)
        if self._seconds() < until:
            return known
        stored: int | None = await self._database.pool.fetchval(GET, workspace, pool)
        if stored is None:
            raise NotFound("there is no such pool")
        return self._keep(workspace, pool, stored)

    async def create(self, workspace: str, pool: str) -> int:
        """Store where the pool lives, once: a second call answers the same."""
        await self._database.pool.execute(PUT, workspace, pool, partition_of(workspace, pool, self._partitions))
        return await self.partition(workspace, pool)

    async def remove(self, workspace: str, pool: str) -> None:
        """The pool is gone. Other processes may know it a little longer: its owner refuses what they send."""
        await self._database.pool.execute(DELETE, workspace, pool)
        self._known.pop((workspace, pool), None)  # Not before: whoever asks meanwhile would know it again.

    async def all(self, workspace: str) -> dict[str, int]:
        """The workspace's pools, in the order of their ids, with their partitions."""
        rows = await self._database.pool.fetch(LIST, workspace)
        return {row["pool"]: row["partition"] for row in rows}

    def _keep(self, workspace: str, pool: str, partition: int) -> int:
        if len(self._known) >= CACHE_POOLS_MAX:
            self._known.pop(next(iter(self._known)))
        self._known[workspace, pool] = partition, self._seconds() + KNOWN_SECONDS_MAX
        return partition


def partition_of(workspace: str, pool: str, partitions: int) -> int:
    """Where a new pool of this name goes: the same in every process and version."""
    return zlib.crc32(pool_key(workspace, pool).encode()) % partitions


async def check_partitions(database: Database, partitions: int) -> None:
    """Raises SettingsError when the installation was created with another number of partitions."""
    stored = await _first_value(database, "partitions", str(partitions))
    if stored != str(partitions):
        raise SettingsError([f"OMNIROUTE_PARTITIONS: is {partitions}, but this installation was created with {stored}"])


async def check_secret_key(database: Database, master_key: bytes) -> None:
    """Raises SettingsError when keys and channel secrets were made with another SECRET_KEY."""
    fingerprint = hashlib.scrypt(master_key, salt=b"omniroute fingerprint", n=2**14, r=8, p=1, dklen=16).hex()
    if await _first_value(database, "secret_key", fingerprint) != fingerprint:
        raise SettingsError(
            ["OMNIROUTE_SECRET_KEY: is not the one (or the key file) that this installation was created with"]
        )


async def _first_value(database: Database, name: str, value: str) -> str:
    """What was stored under this name by the first who asked."""
    await database.pool.execute(
        "INSERT INTO platform_settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, value
    )
    stored: str = await database.pool.fetchval("SELECT value FROM platform_settings WHERE name = $1", name)
    return stored


GET: Final = "SELECT partition FROM platform_pools WHERE workspace = $1 AND pool = $2"
PUT: Final = """
    INSERT INTO platform_pools (workspace, pool, partition) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
DELETE: Final = "DELETE FROM platform_pools WHERE workspace = $1 AND pool = $2"
LIST: Final = "SELECT pool, partition FROM platform_pools WHERE workspace = $1 ORDER BY pool"
