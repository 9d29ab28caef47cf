"""How records of the log become rows of the projection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import structlog

from libs.common.events import SECOND, Event
from libs.common.events.codec import Envelope
from libs.common.events.routing import ContactAbandoned, ContactClosed, ContactDecision
from libs.common.log import Record
from libs.common.machine import POSITIONS_KEY
from services.router.core.queues import due_of
from services.router.core.state import ENTITIES, Agent, Contact, Pool, Queue
from services.router.past import contact_of_events

NOT_MIRRORED: Final = (POSITIONS_KEY, "outcome")
"""The machine's own entities; a command's outcome is answered from where commands are kept."""

COLUMNS: Final = (
    "state",
    "queue",
    "channel",
    "customer_id",
    "agent",
    "offered_to",
    "offered_units",
    "opened_at",
    "waiting_since",
    "promise_at",
    "target_us",
    "units",
    "unroutable",
)
"""What follows the entity until the contact has ended."""

UPSERT_ENTITIES: Final = f"""
    INSERT INTO router_entities AS e (workspace, kind, id, pool, partition, doc, {", ".join(COLUMNS)})
    SELECT workspace, kind, id, pool, partition, doc, {", ".join(COLUMNS)}
    FROM json_populate_recordset(NULL::router_entities, $1::text::json)
    ON CONFLICT (workspace, kind, id, pool, partition) DO UPDATE SET doc = EXCLUDED.doc,
    {", ".join(f"{c} = CASE WHEN e.ended_at IS NULL THEN EXCLUDED.{c} ELSE e.{c} END" for c in COLUMNS)}
"""  # noqa: S608 - columns are ours
DELETE_ENTITIES: Final = """
    DELETE FROM router_entities e USING json_populate_recordset(NULL::router_entities, $1::text::json) gone
    WHERE e.workspace = gone.workspace AND e.kind = gone.kind AND e.id = gone.id AND e.pool = gone.pool
    AND e.partition = gone.partition
"""
INSERT_EVENTS: Final = """
    INSERT INTO router_events (workspace, contact_id, sequence, pool, partition, id, type, at, doc)
    SELECT workspace, contact_id, sequence, pool, partition, id, type, at, doc
    FROM json_populate_recordset(NULL::router_events, $1::text::json) ON CONFLICT DO NOTHING
"""
END_CONTACT: Final = """
    UPDATE router_entities SET state = $3, agent = coalesce($4, agent), ended = $5::text::json, ended_at = $6,
    offered_to = NULL, offered_units = NULL, unroutable = false
    WHERE workspace = $1 AND kind = 'contact' AND id = $2 RETURNING 1
"""
EVENTS_OF_CONTACT: Final = """
    SELECT type, doc::text AS doc FROM router_events WHERE workspace = $1 AND contact_id = $2 ORDER BY sequence
"""

log = structlog.get_logger()


async def write_entities(connection: Any, records: Iterable[Record]) -> None:
    """The last value of each key counts. A contact that is gone stays until the event that ends it says how."""
    last = {(record.partition, record.key): record for record in records if is_mirrored(record)}
    rows = [row for record in last.values() if record.value is not None for row in row_of(record)]
    gone = [place(record.partition, record.key) for record in last.values() if record.value is None]
    if rows:
        await connection.execute(UPSERT_ENTITIES, _json(rows))
    if gone := [row for row in gone if row["kind"] != "contact"]:
        await connection.execute(DELETE_ENTITIES, _json(gone))


def is_mirrored(record: Record) -> bool:
    return record.key.partition("|")[0] not in NOT_MIRRORED


async def write_events(connection: Any, events: Sequence[tuple[Record, Envelope]]) -> None:
    rows = [event_row(record, e) for record, e in events if isinstance(e.event, ContactDecision)]
    if rows:
        await connection.execute(INSERT_EVENTS, _json(rows))
    for record, envelope in events:
        if isinstance(envelope.event, ContactClosed | ContactAbandoned):
            await _end(connection, record, envelope.event)


async def _end(connection: Any, record: Record, event: ContactClosed | ContactAbandoned) -> None:
    assert record.value is not None
    state = "closed" if isinstance(event, ContactClosed) else "abandoned"
    ended = event.workspace, event.contact_id, state, event.agent_id, record.value.decode(), event.at
    if await connection.fetchval(END_CONTACT, *ended):
        return
    rows = await connection.fetch(EVENTS_OF_CONTACT, event.workspace, event.contact_id)
    contact = contact_of_events(event.key, [(row["type"], row["doc"]) for row in rows])
    if contact is None:
        return  # It was queued before the topic's oldest record: nobody knows what it was.
    row = _row(record.partition, f"contact|{event.key}|{contact.id}", contact, msgspec.json.encode(contact))
    await connection.execute(UPSERT_ENTITIES, _json([row]))
    await connection.execute(END_CONTACT, *ended)


# -- rows -------------------------------------------------------------------------------------------------------


def row_of(record: Record) -> Iterable[dict[str, Any]]:
    """An entity's row; none, with a word in the log, for what this version can't read."""
    assert record.value is not None
    kind = record.key.partition("|")[0]
    try:
        entity = msgspec.json.decode(record.value, type=ENTITIES[kind])
    except (KeyError, msgspec.MsgspecError) as error:
        log.error("unreadable_entity", kind=kind, position=record.position, error=type(error).__name__)
        return
    yield _row(record.partition, record.key, entity, record.value)


def _row(partition: int, key: str, entity: Any, value: bytes) -> dict[str, Any]:
    row = place(partition, key) | {"doc": msgspec.Raw(value), "unroutable": False}
    match entity:
        case Contact():
            return row | contact_columns(entity)
        case Agent():
            return row | {"state": entity.status, "units": entity.capacity.units} | _deleted(entity)
        case Queue() | Pool():
            return row | _deleted(entity)
        case _:
            return row


def _deleted(entity: Agent | Queue | Pool) -> dict[str, Any]:
    """What was deleted stays in the state for its sequence, and is not found any more."""
    return {"state": "deleted"} if entity.deleted else {}


def contact_columns(contact: Contact) -> dict[str, Any]:
    return {
        "state": contact.state,
        "queue": contact.rules.queue,
        "channel": contact.channel,
        "customer_id": contact.customer_id,
        "agent": contact.agent_id,
        "offered_to": [offer.agent_id for offer in contact.offers] or None,
        "offered_units": [offer.units for offer in contact.offers] or None,
        "opened_at": contact.opened_at,
        "waiting_since": contact.waiting_since,
        "promise_at": due_of(contact),
        "target_us": contact.target_seconds * SECOND,
        "units": contact.units if contact.paused_at is None else 0,
        "unroutable": contact.unroutable is not None,
    }


def place(partition: int, key: str) -> dict[str, Any]:
    """`agent|acme/main|ann` → its columns."""
    kind, _, rest = key.partition("|")
    where, _, id_ = rest.partition("|")
    workspace, _, pool = where.partition("/")
    return {"partition": partition, "kind": kind, "workspace": workspace, "pool": pool, "id": id_}


def event_row(record: Record, envelope: Envelope) -> dict[str, Any]:
    event: Event = envelope.event
    assert record.value is not None
    return {
        "workspace": event.workspace,
        "contact_id": event.subject,
        "sequence": envelope.sequence,
        "pool": event.pool,
        "partition": record.partition,
        "id": envelope.id,
        "type": event.type,
        "at": event.at,
        "doc": msgspec.Raw(record.value),
    }


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()
