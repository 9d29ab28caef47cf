"""Contacts and messages as rows, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import msgspec

from libs.common.events.values import Reach, Requirement
from services.ingest.core.joining import Author, Contact
from services.ingest.turn import Raced, Turn

CONTACT: Final = "SELECT * FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2"
CONTACT_HELD: Final = CONTACT + " FOR UPDATE"
CONTACTS_OF: Final = """
    SELECT * FROM ingest_contacts WHERE workspace = $1 AND customer_id = $2 ORDER BY contact_id FOR UPDATE
"""
INSERT_CONTACT: Final = """
    INSERT INTO ingest_contacts (workspace, contact_id, pool, account, conversation, channel, medium, visibility,
        customer_id, state, sequence, repeat_of, opened_at, language, topics, sentiment, tier, reach, requirement,
        queue, attributes, linked_to, incident_key)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
        $23)
"""
UPDATE_CONTACT: Final = """
    UPDATE ingest_contacts SET visibility = $3, language = $4, topics = $5, sentiment = $6, tier = $7, reach = $8,
        requirement = $9, queue = $10, attributes = $11, sequence = $12, incident_key = $13
    WHERE workspace = $1 AND contact_id = $2
"""
NUMBER_CONTACT: Final = """
    UPDATE ingest_contacts SET sequence = $3, state = $4 WHERE workspace = $1 AND contact_id = $2
"""
INSERT_MESSAGE: Final = """
    INSERT INTO ingest_messages (workspace, message_id, account, source_id, conversation, contact_id, customer_id,
        author, kind, visibility, text, language, agent_id, automatic, opens, occurred_at, received_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
ATTRIBUTES: Final = dict[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True)
class MessageRow:
    message_id: str
    account: str
    source_id: str | None
    conversation: str
    contact_id: str | None
    customer_id: str | None
    author: Author
    visibility: str
    occurred_at: int
    kind: str = "message"
    text: str | None = None
    language: str | None = None
    agent_id: str | None = None
    automatic: bool = False
    opens: bool = False


async def contact(pool: asyncpg.Pool, workspace: str, contact_id: str) -> Contact | None:
    row = await pool.fetchrow(CONTACT, workspace, contact_id)
    return None if row is None else contact_of(row)


async def hold_contact(turn: Turn, contact_id: str) -> Contact:
    """The contact, which changes in no other turn before this one ends. Raises Raced when it is gone."""
    row = await turn.connection.fetchrow(CONTACT_HELD, turn.workspace, contact_id)
    if row is None:
        raise Raced
    return contact_of(row)


async def hold_contacts_of(turn: Turn, customer_id: str) -> list[Contact]:
    """The customer's contacts, which change in no other turn before this one ends."""
    rows = await turn.connection.fetch(CONTACTS_OF, turn.workspace, customer_id)
    return [contact_of(row) for row in rows]


def contact_of(row: Any) -> Contact:
    names = ("contact_id", "account", "channel", "medium", "visibility", "customer_id", "opened_at", "state",
             "sequence", "repeat_of", "linked_to", "language", "sentiment", "tier", "queue", "incident_key",
             "conversation")  # fmt: skip
    return Contact(
        **{name: row[name] for name in names},
        key=f"{row['workspace']}/{row['pool']}",
        topics=msgspec.json.decode(row["topics"], type=tuple[str, ...]),
        reach=msgspec.json.decode(row["reach"], type=Reach),
        requirement=msgspec.json.decode(row["requirement"] or "null", type=Requirement | None),
        attributes=msgspec.json.decode(row["attributes"], type=ATTRIBUTES),
    )


def names_of(column: str) -> tuple[str, ...]:
    """A `json` column of names."""
    return msgspec.json.decode(column, type=tuple[str, ...])


async def insert_contact(turn: Turn, one: Contact) -> None:
    await turn.connection.execute(
        INSERT_CONTACT, turn.workspace, one.contact_id, one.pool, one.account, one.conversation, one.channel,
        one.medium, one.visibility, one.customer_id, one.state, one.sequence, one.repeat_of, one.opened_at,
        one.language, as_json(one.topics), one.sentiment, one.tier, as_json(one.reach), as_json(one.requirement),
        one.queue, as_json(one.attributes), one.linked_to, one.incident_key,
    )  # fmt: skip


async def update_contact(turn: Turn, one: Contact) -> None:
    await turn.connection.execute(
        UPDATE_CONTACT, turn.workspace, one.contact_id, one.visibility, one.language, as_json(one.topics),
        one.sentiment, one.tier, as_json(one.reach), as_json(one.requirement), one.queue, as_json(one.attributes),
        one.sequence, one.incident_key,
    )  # fmt: skip


async def number_contact(turn: Turn, one: Contact) -> None:
    """Note only that one more fact of it goes to the log, and its state."""
    await turn.connection.execute(NUMBER_CONTACT, turn.workspace, one.contact_id, one.sequence, one.state)


async def insert_message(turn: Turn, row: MessageRow) -> None:
    """Raises asyncpg.UniqueViolationError when this account's source id is there already."""
    await turn.connection.execute(
        INSERT_MESSAGE, turn.workspace, row.message_id, row.account, row.source_id, row.conversation,
        row.contact_id, row.customer_id, row.author, row.kind, row.visibility, row.text, row.language,
        row.agent_id, row.automatic, row.opens, row.occurred_at, turn.now,
    )  # fmt: skip


def as_json(value: Any) -> str | None:
    """For a `json` column; None is the column's null."""
    return None if value is None else msgspec.json.encode(value).decode()
