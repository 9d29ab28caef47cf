"""What routing and escalations say of past contacts: strikes, the last agent, and which contact a conversation has.

A projection: it can be dropped and read again from the beginning of the topics. Every record that matters is
applied in a transaction of its own together with the position after it, so it is applied once; the commit need not
be durable, because what is lost with it is read again. Locks are taken as everywhere in ingest: conversation,
customer, contact.

One thing follows from it: a repeat that nobody need answer, because its message was deleted or its customer erased
before we knew of it, is withdrawn when it becomes known, in the same transaction and so once. A linked contact opens
in the same way: see `linking.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from libs.common.beside import beside
from libs.common.events import ESCALATIONS, ROUTING, Event
from libs.common.events.codec import Unreadable, decode
from libs.common.events.consults import consulted
from libs.common.events.escalations import TargetBreached
from libs.common.events.routing import (
    ContactAbandoned,
    ContactAssigned,
    ContactCallbackRequested,
    ContactClosed,
    ContactDecision,
    ContactOffered,
    ContactQueued,
    ContactReferred,
    ContactReleased,
    ContactTransferred,
    LinkDecision,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
)
from libs.common.log import Log, LogError, Reader, Record
from libs.common.log.port import Place
from libs.common.postgres import DATABASE_TROUBLE, Database
from libs.common.telemetry import log
from services.ingest import records
from services.ingest.contacts import ERASED, withdraw, withdraw_unneeded
from services.ingest.leader import Leadership
from services.ingest.limits import HISTORY_RECORDS_MAX, HISTORY_WAIT_SECONDS, RELAY_RETRY_SECONDS
from services.ingest.linking import follow
from services.ingest.metrics import HISTORY_APPLIED
from services.ingest.turn import Raced, Turn

TOPICS: Final = (ROUTING, ESCALATIONS)
MATTERS: Final = frozenset(
    event.type
    for event in (
        ContactQueued, ContactOffered, OfferDeclined, OfferExpired, OfferWithdrawn, ContactAssigned, ContactReleased,
        ContactTransferred, ContactClosed, ContactAbandoned, ContactReferred, ContactCallbackRequested, TargetBreached,
    )
)  # fmt: skip

POSITIONS: Final = "SELECT topic, partition, position FROM ingest_positions"
ADVANCE: Final = """
    WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO ingest_positions (topic, partition, position) SELECT $1::text, $2::int, $3::bigint FROM unhurried
    ON CONFLICT (topic, partition) DO UPDATE SET position = $3 WHERE ingest_positions.position < $3
    RETURNING position
"""
REPEAT: Final = """
    INSERT INTO ingest_contacts (workspace, contact_id, pool, account, conversation, channel, medium, visibility,
        customer_id, state, sequence, repeat_of, opened_at, language, topics, sentiment, tier, reach, requirement,
        queue, attributes, incident_key)
    SELECT workspace, $3::text, pool, account, conversation, channel, medium, visibility, customer_id, 'open', 0,
        $2::text, $4, language, topics, sentiment, tier, reach, requirement, queue, attributes,
        incident_key
    FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2::text
    ON CONFLICT DO NOTHING
"""
HOLD: Final = """
    SELECT FROM ingest_conversations WHERE (workspace, account, conversation) IN
        (SELECT workspace, account, conversation FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2)
    FOR UPDATE
"""
HOLD_CONTACT: Final = "SELECT FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2 FOR UPDATE"
MOVE: Final = """
    WITH first AS (SELECT min(ordinal) AS ordinal FROM ingest_messages WHERE workspace = $1 AND contact_id = $2
                   AND author = 'customer' AND NOT opens AND occurred_at >= $4)
    UPDATE ingest_messages AS m SET contact_id = $3, opens = m.ordinal = first.ordinal FROM first
    WHERE m.workspace = $1 AND m.contact_id = $2 AND m.ordinal >= first.ordinal
"""
FOLLOW: Final = """
    UPDATE ingest_conversations AS c SET contact_id = $3::text FROM ingest_contacts AS old
    WHERE old.workspace = $1::text AND old.contact_id = $2::text AND c.workspace = $1::text AND c.account = old.account
        AND c.conversation = old.conversation AND c.contact_id = $2::text
"""
QUEUED: Final = """
    UPDATE ingest_contacts SET routed_queue = $3, offered_to = NULL,
        state = CASE state WHEN 'closed' THEN 'open' ELSE state END
    WHERE workspace = $1 AND contact_id = $2
"""
FAILED: Final = """
    INSERT INTO ingest_failures (workspace, contact_id, customer_id, at)
    SELECT workspace, contact_id, customer_id, $3 FROM ingest_contacts AS contact
    WHERE workspace = $1 AND contact_id = $2 AND state <> 'withdrawn'
        AND EXISTS (SELECT FROM ingest_customers AS c WHERE c.workspace = $1 AND c.customer_id = contact.customer_id)
    ON CONFLICT (workspace, contact_id) DO UPDATE SET at = greatest(ingest_failures.at, excluded.at)
"""
LAST_AGENT: Final = """
    UPDATE ingest_customers SET last_agent = $3 WHERE workspace = $1 AND customer_id =
        (SELECT customer_id FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2)
"""
OFFERED: Final = """
    UPDATE ingest_contacts SET offered_to = array_append(array_remove(coalesce(offered_to, '{}'), $3::varchar), $3)
    WHERE workspace = $1 AND contact_id = $2
"""
UNOFFERED: Final = """
    UPDATE ingest_contacts SET offered_to = nullif(array_remove(offered_to, $3::varchar), '{}')
    WHERE workspace = $1 AND contact_id = $2
"""
HELPS: Final = """
    INSERT INTO ingest_consults (workspace, contact_id, consult_id, agent_id)
    SELECT workspace, contact_id, $3, $4 FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2
    ON CONFLICT DO NOTHING
"""
HELPS_NO_MORE: Final = """
    DELETE FROM ingest_consults WHERE workspace = $1 AND contact_id = $2 AND consult_id = $3 AND agent_id = $4
"""
ASSIGNED: Final = """
    UPDATE ingest_contacts SET agent_id = $3, offered_to = NULL WHERE workspace = $1 AND contact_id = $2
"""
ENDED: Final = """
    UPDATE ingest_contacts SET state = CASE state WHEN 'open' THEN 'closed' ELSE state END, offered_to = NULL
    WHERE workspace = $1 AND contact_id = $2
"""


class History:
    """Follows routing and escalations on all partitions, in the one process that leads."""

    def __init__(self, database: Database, port: Log, leadership: Leadership) -> None:
        self._database = database
        self._log = port
        self._leadership = leadership
        self._read_to: dict[Place, int] = {}

    async def caught_up(self) -> bool:
        """Whether everything that is on the log now has been applied, by this process."""
        ends = await self._log.ends(self._places())
        return all(self._read_to.get(place, 0) >= end for place, end in ends.items())

    def _places(self) -> list[Place]:
        return [(topic, partition) for topic in TOPICS for partition in range(self._log.partitions)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with beside(self._follow()):
            yield

    async def _follow(self) -> None:
        while True:
            await self._leadership.leading()
            try:
                await self._read_on()
            except (LogError, Raced, *DATABASE_TROUBLE) as failure:
                log.warning("history_interrupted", error=type(failure).__name__)
                await asyncio.sleep(RELAY_RETRY_SECONDS)

    async def _read_on(self) -> None:
        reader = await self.reader()
        try:
            while True:
                await self._leadership.leading()
                await self.step(reader, wait_seconds=HISTORY_WAIT_SECONDS)
        finally:
            await reader.close()

    async def reader(self) -> Reader:
        """From where the projection stands."""
        start = dict.fromkeys(self._places(), 0)
        for row in await self._database.pool.fetch(POSITIONS):
            start[row["topic"], row["partition"]] = row["position"]
        return await self._log.reader(start)

    async def step(self, reader: Reader, *, wait_seconds: float) -> int:
        """Apply the next records; how many there were."""
        records = await reader.read(max_records=HISTORY_RECORDS_MAX, wait_seconds=wait_seconds)
        for record in records:
            if record.headers.get("ce_type") in MATTERS:
                await self._apply(record)
        await self._note(records)
        self._read_to = reader.next_positions()
        return len(records)

    async def _apply(self, record: Record) -> None:
        try:
            event = decode(record.key, record.value, record.headers).event
        except Unreadable:
            return  # The machine that owns the topic's readers keeps it among the dead letters.
        async with self._database.transaction() as connection:
            place = record.topic, record.partition, record.position + 1
            if await connection.fetchval(ADVANCE, *place) is not None:
                await apply(connection, event)
        HISTORY_APPLIED.inc()

    async def _note(self, records: Sequence[Record]) -> None:
        """How far each place was read, also past what doesn't matter."""
        ends = {(record.topic, record.partition): record.position + 1 for record in records}
        if ends:
            rows = [(topic, partition, end) for (topic, partition), end in ends.items()]
            await self._database.pool.executemany(ADVANCE, rows)


async def apply(connection: Any, event: Event) -> None:
    """What one event changes. Applying it again changes nothing more."""
    match event:
        case ContactQueued():
            await _queued(connection, event)
        case ContactDecision() if (origin := consulted(event.contact_id)) is not None:
            await _of_consult(connection, event, origin)
        case ContactOffered():
            await connection.execute(OFFERED, event.workspace, event.contact_id, event.agent_id)
        case OfferDeclined() | OfferExpired() | OfferWithdrawn():
            await connection.execute(UNOFFERED, event.workspace, event.contact_id, event.agent_id)
        case ContactAssigned():
            await connection.execute(LAST_AGENT, event.workspace, event.contact_id, event.agent_id)
            await connection.execute(ASSIGNED, event.workspace, event.contact_id, event.agent_id)
        case ContactReleased() | ContactTransferred():
            await connection.execute(ASSIGNED, event.workspace, event.contact_id, None)
        case ContactClosed() | ContactAbandoned():
            await connection.execute(ENDED, event.workspace, event.contact_id)
        case LinkDecision():
            await follow(Turn(connection=connection, workspace=event.workspace, now=event.at), event)
        case TargetBreached():
            await connection.execute(FAILED, event.workspace, event.contact_id, event.at)
        case _:
            return


async def _of_consult(connection: Any, event: ContactDecision, origin: str) -> None:
    """Whoever is asked for help with a contact reads it until the last consult ends that they are asked for."""
    match event:
        case ContactOffered() | ContactAssigned():
            await connection.execute(HELPS, event.workspace, origin, event.contact_id, event.agent_id)
        case OfferDeclined() | OfferExpired() | OfferWithdrawn() | ContactReleased() | ContactClosed():
            await connection.execute(HELPS_NO_MORE, event.workspace, origin, event.contact_id, event.agent_id)
        case _:
            return


async def _queued(connection: Any, event: ContactQueued) -> None:
    """A contact with `repeat_of` that we don't know is the router's: from now on it is its conversation's contact."""
    if event.repeat_of is not None:
        await connection.execute(HOLD, event.workspace, event.repeat_of)
        await connection.execute(HOLD_CONTACT, event.workspace, event.repeat_of)
        place = event.workspace, event.repeat_of, event.contact_id
        made = await connection.execute(REPEAT, *place, event.opened_at)
        await connection.execute(FOLLOW, *place)
        if made.endswith(" 1"):
            await connection.execute(FAILED, event.workspace, event.repeat_of, event.at)
            await _begin(Turn(connection=connection, workspace=event.workspace, now=event.at), event)
    await connection.execute(QUEUED, event.workspace, event.contact_id, event.queue)


async def _begin(turn: Turn, repeat: ContactQueued) -> None:
    """Give the repeat what came since it was reopened. What was deleted or erased before we knew of it withdraws it."""
    await turn.connection.execute(MOVE, turn.workspace, repeat.repeat_of, repeat.contact_id, repeat.opened_at)
    contact = await records.hold_contact(turn, repeat.contact_id)
    if contact.conversation is None:
        await withdraw(turn, contact, ERASED, turn.now)
    else:
        await withdraw_unneeded(turn, contact, None)
