"""One tick: everything that waits to be written, in one SQL transaction.

First the epochs of all owners are checked, under locks that a take-over must wait for, and what belongs to a fenced
owner is left out; then the places' rows are locked in one order, which gives the positions; then all is written.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg

from libs.common import crash
from libs.common.events import COMPACTED_TOPICS
from libs.common.log.port import Draft, LogError, Place
from libs.common.log.postgres_places import Places
from libs.common.postgres import DATABASE_TROUBLE

EPOCHS = """
    SELECT o.service, o.partition, o.epoch
    FROM log_owners AS o JOIN unnest($1::text[], $2::int[]) AS w (service, partition) USING (service, partition)
    ORDER BY o.service, o.partition FOR SHARE OF o
"""
LOCK_PLACES = "SELECT id, next_position FROM log_places WHERE id = ANY($1::int[]) ORDER BY id FOR UPDATE"
MOVE_ENDS = """
    UPDATE log_places AS p SET next_position = w.next_position
    FROM unnest($1::int[], $2::bigint[]) AS w (id, next_position) WHERE p.id = w.id
"""
ADD_RECORDS = """
    INSERT INTO log_records (place, position, day, key, value, headers)
    SELECT place, position, $1, key, value, headers
    FROM unnest($2::int[], $3::bigint[], $4::text[], $5::bytea[], $6::text[])
        AS w (place, position, key, value, headers)
"""
PUT_STATE = """
    INSERT INTO log_state (place, key, value, position)
    SELECT * FROM unnest($1::int[], $2::text[], $3::bytea[], $4::bigint[])
    ON CONFLICT (place, key) DO UPDATE SET value = excluded.value, position = excluded.position
"""
REMOVE_STATE = """
    DELETE FROM log_state AS s USING unnest($1::int[], $2::text[]) AS w (place, key)
    WHERE s.place = w.place AND s.key = w.key
"""
ADD_PLACES = """
    INSERT INTO log_places (topic, partition) SELECT * FROM unnest($1::text[], $2::int[]) ON CONFLICT DO NOTHING
"""
PLACES = """
    SELECT p.id, p.topic, p.partition, p.next_position
    FROM log_places AS p JOIN unnest($1::text[], $2::int[]) AS w (topic, partition) USING (topic, partition)
"""

ROLL_BACK_SECONDS_MAX = 1.0


class OutcomeUnknown(LogError):
    """The connection was lost while the transaction was being committed."""


@dataclass(frozen=True)
class Ownership:
    """Who commits: the service as it is stored, and the epoch that its take-over began."""

    service: str
    partition: int
    epoch: int


@dataclass(eq=False)
class Request:
    """Drafts of one caller. The positions are the answer."""

    partition: int
    drafts: Sequence[Draft]
    headers: Sequence[str | None]
    ownership: Ownership | None
    deadline: float
    """On the event loop's clock: until then it is tried again."""
    answer: asyncio.Future[list[int]]

    def places(self) -> Iterable[Place]:
        return ((draft.topic, self.partition) for draft in self.drafts)


@dataclass(frozen=True)
class Written:
    """What a tick did: the requests that were written, with their positions, and those whose owner is fenced."""

    positions: list[tuple[Request, list[int]]]
    fenced: list[Request]


async def ensure_places(connection: asyncpg.Connection, places: Places, wanted: Iterable[Place]) -> None:
    missing = sorted(set(places.unknown(wanted)))
    if not missing:
        return
    topics = [places.stored_topic(topic) for topic, _ in missing]
    partitions = [partition for _, partition in missing]
    await connection.execute(ADD_PLACES, topics, partitions)
    places.observed(await connection.fetch(PLACES, topics, partitions))


async def write_tick(connection: asyncpg.Connection, places: Places, requests: Sequence[Request], day: date) -> Written:
    """Raises OutcomeUnknown when nobody knows; after any other failure nothing was written."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        written = await write_live(connection, places, requests, day)
    except DATABASE_TROUBLE:
        await roll_back(connection, transaction)
        raise
    crash.reached("tick.written")
    try:
        await transaction.commit()
    except DATABASE_TROUBLE as failure:
        connection.terminate()
        raise OutcomeUnknown("the connection was lost during the commit") from failure
    crash.reached("tick.committed")
    return written


async def roll_back(connection: asyncpg.Connection, transaction: Any) -> None:
    """A server that doesn't answer rolls back by itself, once the connection is gone."""
    try:
        async with asyncio.timeout(ROLL_BACK_SECONDS_MAX):
            await transaction.rollback()
    except DATABASE_TROUBLE:
        connection.terminate()


async def write_live(connection: asyncpg.Connection, places: Places, requests: Sequence[Request], day: date) -> Written:
    live, fenced = await check_epochs(connection, requests)
    if not live:
        return Written([], fenced)
    counts = Counter(place for request in live for place in request.places())
    bases = await move_ends(connection, places, counts)
    positions = number(live, bases)
    await add_records(connection, places, positions, day)
    await keep_state(connection, places, positions)
    return Written(positions, fenced)


async def check_epochs(
    connection: asyncpg.Connection, requests: Sequence[Request]
) -> tuple[list[Request], list[Request]]:
    """The requests that may be written, and those of owners that were taken over."""
    owners = {(owner.service, owner.partition) for request in requests if (owner := request.ownership) is not None}
    if not owners:
        return list(requests), []
    services, partitions = zip(*sorted(owners), strict=True)
    current = {Ownership(*row) for row in await connection.fetch(EPOCHS, services, partitions)}
    live: list[Request] = []
    fenced: list[Request] = []
    for request in requests:
        may_write = request.ownership is None or request.ownership in current
        (live if may_write else fenced).append(request)
    return live, fenced


async def move_ends(connection: asyncpg.Connection, places: Places, counts: Counter[Place]) -> dict[Place, int]:
    """Locks the places until the commit, and moves their ends; gives where each stood."""
    by_id = {places.known_id(place): place for place in counts}
    rows = await connection.fetch(LOCK_PLACES, sorted(by_id))
    assert len(rows) == len(by_id), "a place's row is never removed"
    bases = {by_id[row["id"]]: row["next_position"] for row in rows}
    ids = [row["id"] for row in rows]
    await connection.execute(MOVE_ENDS, ids, [bases[by_id[i]] + counts[by_id[i]] for i in ids])
    return bases


def number(requests: Sequence[Request], bases: dict[Place, int]) -> list[tuple[Request, list[int]]]:
    """Every record's position, in the order in which the requests came."""
    ends = dict(bases)
    numbered = []
    for request in requests:
        positions = []
        for place in request.places():
            positions.append(ends[place])
            ends[place] += 1
        numbered.append((request, positions))
    return numbered


async def add_records(
    connection: asyncpg.Connection,
    places: Places,
    numbered: Sequence[tuple[Request, list[int]]],
    day: date,
) -> None:
    rows = [
        (places.known_id((draft.topic, request.partition)), position, draft.key, draft.value, headers)
        for request, positions in numbered
        for draft, position, headers in zip(request.drafts, positions, request.headers, strict=True)
    ]
    await connection.execute(ADD_RECORDS, day, *zip(*rows, strict=True))


async def keep_state(
    connection: asyncpg.Connection, places: Places, numbered: Sequence[tuple[Request, list[int]]]
) -> None:
    """The last value that this tick gives to every key of the compacted topics."""
    last = {
        (places.known_id((draft.topic, request.partition)), draft.key): (draft.value, position)
        for request, positions in numbered
        for draft, position in zip(request.drafts, positions, strict=True)
        if draft.topic in COMPACTED_TOPICS
    }
    # In one order always, so that two handles never wait for each other in a circle.
    kept = [(*name, *last[name]) for name in sorted(last) if last[name][0] is not None]
    gone = [name for name in sorted(last) if last[name][0] is None]
    if kept:
        await connection.execute(PUT_STATE, *zip(*kept, strict=True))
    if gone:
        await connection.execute(REMOVE_STATE, *zip(*gone, strict=True))
