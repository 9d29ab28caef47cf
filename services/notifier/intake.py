"""From the log into the feed and the deliveries, each event once.

One transaction stores the events of the batches that wait (of as many as it has room for), a delivery for each
subscription that takes one, and how far the log was taken. The positions are locked first: if somebody else has stored
from the same partition meanwhile (a hand-over), nothing of the batch is stored and its reader begins again where the
table stands. What an outbox relay appended twice is left out by its rule.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from libs.common.clock import Clock
from libs.common.events import PUBLIC_TOPICS
from libs.common.events.codec import Envelope, Unreadable, decode
from libs.common.log import Record
from libs.common.outbox import outbox_position, relay_repeats
from libs.common.postgres import DATABASE_TROUBLE, Database
from libs.common.telemetry import log
from services.notifier import metrics
from services.notifier.core.which import Rule, delivery_id, line_of, rule_of, stands_for_all, takes
from services.notifier.deliveries import LIVE, Lane
from services.notifier.limits import DELIVERIES_PUT_MAX, INTAKE_RECORDS_MAX

BEGIN: Final = """
    INSERT INTO notifier_progress (partition, topic, position, outbox)
    SELECT $1, topic, 0, 0 FROM unnest($2::text[]) AS topic ON CONFLICT DO NOTHING
"""
POSITIONS: Final = "SELECT topic, position FROM notifier_progress WHERE partition = $1"
LOCK: Final = """
    SELECT partition, topic, position, outbox FROM notifier_progress
    WHERE partition = ANY($1::int[]) ORDER BY partition, topic FOR UPDATE
"""
ADVANCE: Final = """
    UPDATE notifier_progress AS p SET position = n.position, outbox = n.outbox
    FROM unnest($1::int[], $2::text[], $3::bigint[], $4::bigint[]) AS n (partition, topic, position, outbox)
    WHERE p.partition = n.partition AND p.topic = n.topic
"""
TAKE_POSITIONS: Final = """
    INSERT INTO notifier_heads AS h (workspace, position) VALUES ($1, $2)
    ON CONFLICT (workspace) DO UPDATE SET position = h.position + $2 RETURNING position
"""
RULES: Final = f"""
    SELECT workspace, id, events, filter FROM notifier_subscriptions AS s
    WHERE workspace = ANY($1::text[]) AND {LIVE} ORDER BY workspace, id FOR SHARE
"""  # noqa: S608
PUT_EVENTS: Final = """
    INSERT INTO notifier_feed (workspace, position, event_id, type, stored_at, value)
    SELECT w, p, e, t, $6, v FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bytea[])
        AS n (w, p, e, t, v)
"""
PUT_DELIVERIES: Final = """
    INSERT INTO notifier_deliveries (workspace, id, subscription, position, line, event_id, type, at, value, state,
        attempts, due_at, created_at)
    SELECT w, i, s, p, c, e, t, a, v, 'pending', 0, $10, $10
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[],
        $9::bytea[]) AS n (w, i, s, p, c, e, t, a, v)
"""


class Moved(Exception):
    """Somebody else has stored from this partition: read again from where the table stands."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one partition in the order in which they count, and where each topic stood before and stands after."""

    partition: int
    records: tuple[Record, ...]
    before: dict[str, int]
    after: dict[str, int]


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction brought: whose feed goes on, and which subscriptions something waits for."""

    workspaces: frozenset[str]
    lanes: frozenset[Lane]


class Stored(msgspec.Struct, frozen=True):
    """An event at its place in the feed."""

    workspace: str
    position: int
    envelope: Envelope
    value: bytes


class _Place(msgspec.Struct):
    position: int
    outbox: int


class Intake:
    """Gathers what the readers bring: batches that wait go into one transaction."""

    def __init__(self, database: Database, clock: Clock, on_news: Callable[[News], None]) -> None:
        self._database = database
        self._clock = clock
        self._waiting: list[tuple[Batch, asyncio.Future[bool]]] = []
        self._brought = asyncio.Event()
        self._on_news = on_news

    async def positions(self, partition: int) -> dict[str, int]:
        """Where each topic's next record to be stored is."""
        await self._database.pool.execute(BEGIN, partition, list(PUBLIC_TOPICS))
        rows = await self._database.pool.fetch(POSITIONS, partition)
        return {row["topic"]: row["position"] for row in rows}

    async def store(self, batch: Batch) -> None:
        """Return once the batch is stored. Raises Moved, or what PostgreSQL raises: then it may be stored or not."""
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, stored))
        self._brought.set()
        try:
            if not await stored:
                raise Moved
        finally:  # Also of a reader that is stopped: its successor reads the same records.
            self._waiting = [(other, told) for other, told in self._waiting if told is not stored]

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._brought.wait()
            taken = self._take()
            try:
                kept = await self._store_all([batch for batch, _ in taken])
            except DATABASE_TROUBLE as failure:
                for _, stored in taken:
                    _tell(stored, failure)
            else:
                for (_, stored), is_kept in zip(taken, kept, strict=True):
                    _tell(stored, is_kept)

    def _take(self) -> list[tuple[Batch, asyncio.Future[bool]]]:
        """Batches for one transaction, in the order in which they came; the rest waits for the next one."""
        count = records = 0
        while count < len(self._waiting) and records < INTAKE_RECORDS_MAX:
            records += len(self._waiting[count][0].records)
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        if not self._waiting:
            self._brought.clear()
        return taken

    async def _store_all(self, batches: Sequence[Batch]) -> list[bool]:
        """Of each batch whether it is stored; it isn't when its partition has moved, if only by a batch before it."""
        now = self._clock.now()
        kept: list[bool] = []
        events: list[tuple[Envelope, bytes]] = []
        async with self._database.transaction() as connection:
            places = await lock(connection, [batch.partition for batch in batches])
            for batch in batches:
                kept.append(not has_moved(batch, places))
                if kept[-1]:
                    events += fresh(batch, places[batch.partition])
            stored = await give_positions(connection, events)
            await put_events(connection, stored, now)
            lanes = await put_deliveries(connection, stored, now)
            await advance(connection, places)
        self._tell_news(News(workspaces=frozenset(one.workspace for one in stored), lanes=lanes), stored)
        return kept

    def _tell_news(self, news: News, stored: Sequence[Stored]) -> None:
        for one in stored:
            metrics.STORED_EVENTS_TOTAL.labels(one.envelope.event.topic or "").inc()
        self._on_news(news)


def _tell(stored: asyncio.Future[bool], outcome: bool | BaseException) -> None:
    if stored.done():
        return  # Its reader was stopped meanwhile.
    if isinstance(outcome, BaseException):
        stored.set_exception(outcome)
    else:
        stored.set_result(outcome)


# -- in the transaction ------------------------------------------------------------------------------------------

Places = dict[int, dict[str, _Place]]


async def lock(connection: Any, partitions: Sequence[int]) -> Places:
    rows = await connection.fetch(LOCK, partitions)
    places: Places = defaultdict(dict)
    for row in rows:
        places[row["partition"]][row["topic"]] = _Place(row["position"], row["outbox"])
    return places


def has_moved(batch: Batch, places: Mapping[int, Mapping[str, _Place]]) -> bool:
    here = places.get(batch.partition, {})
    return {topic: place.position for topic, place in here.items()} != batch.before


def fresh(batch: Batch, topics: Mapping[str, _Place]) -> Iterable[tuple[Envelope, bytes]]:
    """The events that count, and the places moved on behind all records."""
    for record in batch.records:
        place = topics[record.topic]
        if relay_repeats(record.headers, place.outbox):
            continue
        place.outbox = outbox_position(record.headers) or place.outbox
        envelope = _read(record)
        if envelope is not None and stands_for_all(envelope.event, record.partition):
            yield envelope, record.value or b""
    for topic, position in batch.after.items():
        topics[topic].position = position


def _read(record: Record) -> Envelope | None:
    """None for what nobody can read: it is counted, and stops nothing."""
    try:
        return decode(record.key, record.value, record.headers)
    except Unreadable:
        metrics.UNREADABLE_TOTAL.inc()
        log.error("unreadable_event", topic=record.topic, partition=record.partition, position=record.position)
        return None


async def give_positions(connection: Any, events: Sequence[tuple[Envelope, bytes]]) -> list[Stored]:
    """Workspaces in one order in every process, since each one's row stays locked until the commit."""
    by_workspace: defaultdict[str, list[tuple[Envelope, bytes]]] = defaultdict(list)
    for envelope, value in events:
        by_workspace[envelope.event.workspace].append((envelope, value))
    stored = []
    for workspace, theirs in sorted(by_workspace.items(), key=lambda item: item[0]):
        last = await connection.fetchval(TAKE_POSITIONS, workspace, len(theirs))
        first = last - len(theirs) + 1
        stored += [Stored(workspace, first + n, *one) for n, one in enumerate(theirs)]
    return stored


async def put_events(connection: Any, stored: Sequence[Stored], now: int) -> None:
    if not stored:
        return
    rows = [(s.workspace, s.position, s.envelope.id, s.envelope.event.type, s.value) for s in stored]
    await connection.execute(PUT_EVENTS, *_columns(rows), now)


async def put_deliveries(connection: Any, stored: Sequence[Stored], now: int) -> frozenset[Lane]:
    """For every subscription as it stands now. The rows are held, so that one that is being deleted or disabled
    sees what is stored for it."""
    if not stored:
        return frozenset()
    rules = await _rules(connection, sorted({one.workspace for one in stored}))
    rows = (
        _delivery(one, subscription)
        for one in stored
        for subscription, rule in rules[one.workspace]
        if takes(rule, one.envelope.event)
    )
    lanes: set[Lane] = set()
    while some := list(islice(rows, DELIVERIES_PUT_MAX)):
        await connection.execute(PUT_DELIVERIES, *_columns(some), now)
        lanes |= {(row[0], row[2]) for row in some}
    return frozenset(lanes)


async def _rules(connection: Any, workspaces: Sequence[str]) -> Mapping[str, Sequence[tuple[str, Rule]]]:
    rules: defaultdict[str, list[tuple[str, Rule]]] = defaultdict(list)
    for row in await connection.fetch(RULES, workspaces):
        patterns = msgspec.json.decode(row["events"], type=list[str])
        wanted = msgspec.json.decode(row["filter"], type=dict[str, str])
        rules[row["workspace"]].append((row["id"], rule_of(patterns, wanted)))
    return rules


def _delivery(stored: Stored, subscription: str) -> tuple[Any, ...]:
    event = stored.envelope.event
    return (
        stored.workspace,
        delivery_id(stored.workspace, subscription, stored.position),
        subscription,
        stored.position,
        line_of(stored.workspace, subscription, event),
        stored.envelope.id,
        event.type,
        event.at,
        stored.value,
    )


async def advance(connection: Any, places: Places) -> None:
    rows = [(p, topic, place.position, place.outbox) for p, topics in places.items() for topic, place in topics.items()]
    if rows:
        await connection.execute(ADVANCE, *_columns(rows))


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
