"""A pool's floor as the core has it, built from what the projection holds: as much of it as a question needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from libs.common.events import pool_key
from services.router.core.floor import Floor
from services.router.core.partition import Partition
from services.router.core.state import ENTITIES
from services.router.reads import Reads, Row

WAITING_MAX: Final = 20_000
"""More who wait in a pool aren't looked at."""


async def agents_floor(
    reads: Reads, workspace: str, pool: str, partition: int, contacts: Iterable[Row] = ()
) -> Floor:
    """The rules, the agents with what they hold, and these contacts; others who wait aren't there."""
    entities = await reads.floor_entities(workspace, pool, partition)
    return _floor(workspace, pool, partition, [*entities, *(("contact", row) for row in contacts)])


async def crowded_floor(reads: Reads, workspace: str, pool: str, now: int) -> Floor:
    """The rules, the agents with what they hold, and who waits: the most urgent, where too many do."""
    waiting = await reads.most_urgent(workspace, {"pool": pool}, now, WAITING_MAX)
    return await agents_floor(reads, workspace, pool, await reads.partition_of(workspace, pool), waiting)


async def rules_floor(reads: Reads, workspace: str, pool: str) -> Floor:
    """The rules, and how many wait in each queue; no agents."""
    floor = _floor(workspace, pool, 0, await reads.rules(workspace, pool))
    floor.lengths.update(await reads.lengths(workspace, pool))
    return floor


def _floor(workspace: str, pool: str, number: int, entities: Iterable[tuple[str, Row]]) -> Floor:
    partition = Partition(number)
    for kind, row in entities:
        partition.load(f"{kind}|{workspace}/{row.pool}|{row.id}", row.entity(ENTITIES[kind]))
    partition.loaded()
    return partition.floor(pool_key(workspace, pool))
