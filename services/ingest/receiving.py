"""One message from outside, in one transaction: message, customer, conversation, contact and the fact that follows.

Locks are taken in the order of every turn: conversation, customer, contact. One is not: whose contact it is that
somebody else joins is known only with the contact, so that customer is held after it. A merge of theirs at that
moment may be a deadlock: one of the two is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from libs.common.errors import NotFound
from libs.common.events.contacts import Message, ResponseObserved
from services.ingest import customers, records
from services.ingest.accounts import Account
from services.ingest.core.joining import (
    Contact,
    MessageAuthor,
    addition,
    author_of,
    joined,
    opened,
    opening,
    overheard,
)
from services.ingest.core.normalize import Answered, Deleted, Parent, Received, bounded, conversation_of
from services.ingest.customers import Customer
from services.ingest.ids import new_id
from services.ingest.outbox import put
from services.ingest.turn import Turn

KNOWN: Final = """
    SELECT m.source_id, m.message_id, m.conversation, m.contact_id, m.customer_id, c.repeat_of
    FROM ingest_messages AS m LEFT JOIN ingest_contacts AS c USING (workspace, contact_id)
    WHERE m.workspace = $1 AND m.account = $2 AND m.source_id = ANY($3::text[])
"""
CONVERSATION: Final = """
    INSERT INTO ingest_conversations (workspace, account, conversation) VALUES ($1, $2, $3)
    ON CONFLICT (workspace, account, conversation) DO UPDATE SET conversation = excluded.conversation
    RETURNING contact_id
"""
ADOPT: Final = """
    UPDATE ingest_messages SET contact_id = $4, kind = 'response'
    WHERE workspace = $1 AND account = $2 AND conversation = $3 AND contact_id IS NULL AND author = 'company'
        AND occurred_at >= $5
    RETURNING ordinal, message_id, visibility, occurred_at
"""
POINT: Final = """
    UPDATE ingest_conversations SET contact_id = $4 WHERE workspace = $1 AND account = $2 AND conversation = $3
"""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What became of a message. `new` is False when it had been seen before: then nothing changed."""

    contact_id: str
    customer_id: str
    message_id: str
    repeat_of: str | None = None
    new: bool = True
    opened: bool = False


async def known_sources(turn: Turn, account: str, happening: Received | Answered | Deleted) -> dict[str, Any]:
    """The messages that are known of this one and of the one it answers, by source id."""
    parent = None if isinstance(happening, Deleted) else happening.parent
    asked = [source for source in (happening.source_id, parent) if source is not None]
    rows = await turn.connection.fetch(KNOWN, turn.workspace, account, asked)
    return {row["source_id"]: row for row in rows}


def parent_of(happening: Received | Answered, sources: dict[str, Any]) -> Parent | None:
    row = sources.get(happening.parent or "")
    return None if row is None else Parent(conversation=row["conversation"], contact_id=row["contact_id"])


@dataclass(frozen=True, kw_only=True)
class Receiving:
    account: Account
    received: Received

    async def store(self, turn: Turn) -> Stored:
        sources = await known_sources(turn, self.account.account, self.received)
        if self.received.source_id in sources:
            return _seen_before(sources[self.received.source_id])
        conversation = conversation_of(self.received, parent_of(self.received, sources))
        place = turn.workspace, self.account.account, conversation
        contact_id: str | None = await turn.connection.fetchval(CONVERSATION, *place)
        customer = await customers.resolve(turn, self.received.identities, self.received.tier)
        if contact_id is None:
            stored = await self._open(turn, customer, conversation)
            await turn.connection.execute(POINT, *place, stored.contact_id)
            await _adopt(turn, place, stored.contact_id, bounded(self.received.occurred_at, turn.now))
            return stored
        return await self._join(turn, customer, await records.hold_contact(turn, contact_id))

    async def _open(self, turn: Turn, customer: Customer, conversation: str) -> Stored:
        writer = await customers.writer(turn, customer)
        contact = opened(
            self.received, writer, contact_id=new_id("con", turn.now), key=self.account.key,
            account=self.account.account, conversation=conversation, at=turn.now,
        )  # fmt: skip
        contact = replace(contact, sequence=1)
        message = self._message(turn, contact)
        await records.insert_contact(turn, contact)
        await self._keep(turn, contact, message, customer, "customer", opens=True)
        fact = opening(contact, writer, message=message, routable=self.account.routable)
        return await self._tell(turn, contact, fact, customer, opened=True)

    async def _join(self, turn: Turn, customer: Customer, contact: Contact) -> Stored:
        author = author_of(contact, customer.customer_id)
        owner = customer if author == "customer" else await customers.hold(turn, contact.customer_id)
        closed = contact.state == "closed" and author == "customer"
        writer = await customers.writer(turn, owner, returns_to=contact.contact_id if closed else None)
        after = joined(contact, self.received, writer) if author == "customer" else overheard(contact, self.received)
        after = replace(after, sequence=contact.sequence + 1)
        message = self._message(turn, after)
        await records.update_contact(turn, after)
        await self._keep(turn, after, message, customer, author, opens=False)
        fact = addition(after, writer, author, message=message, routable=self.account.routable)
        return await self._tell(turn, after, fact, customer, opened=False)

    def _message(self, turn: Turn, contact: Contact) -> dict[str, Any]:
        """What a fact says of the message itself."""
        return {
            "message_id": new_id("msg", turn.now),
            "kind": self.received.kind,
            "occurred_at": bounded(self.received.occurred_at, turn.now),
            "at": turn.now,
        }

    async def _keep(
        self, turn: Turn, contact: Contact, message: dict[str, Any], customer: Customer, author: MessageAuthor,
        *, opens: bool,
    ) -> None:  # fmt: skip
        row = records.MessageRow(
            message_id=message["message_id"], account=contact.account, source_id=self.received.source_id,
            conversation=contact.conversation or contact.contact_id, contact_id=contact.contact_id,
            customer_id=customer.customer_id, author=author, kind=self.received.kind, opens=opens,
            visibility=self.received.visibility, text=self.received.text, language=self.received.language,
            occurred_at=message["occurred_at"],
        )  # fmt: skip
        await records.insert_message(turn, row)

    async def _tell(self, turn: Turn, contact: Contact, fact: Message, customer: Customer, *, opened: bool) -> Stored:
        if not await put(turn, fact, sequence=contact.sequence, cause=fact.message_id):
            raise NotFound("there is no such pool")
        return Stored(
            contact_id=contact.contact_id, customer_id=customer.customer_id, message_id=fact.message_id,
            repeat_of=contact.repeat_of, opened=opened,
        )  # fmt: skip


async def _adopt(turn: Turn, place: tuple[str, str, str], contact_id: str, asked_at: int) -> None:
    """The company's posts that came before what they answer are its answers. What it wrote earlier answers nothing."""
    rows = await turn.connection.fetch(ADOPT, *place, contact_id, asked_at)
    for row in sorted(rows, key=lambda row: row["ordinal"]):
        contact = await records.hold_contact(turn, contact_id)
        said = {name: row[name] for name in ("message_id", "visibility", "occurred_at")}
        await tell_answer(turn, contact, **said)


async def tell_answer(turn: Turn, contact: Contact, *, message_id: str, **said: Any) -> None:
    """Tell the router that the company answered. The turn holds the contact."""
    sequence = contact.sequence + 1
    fact = ResponseObserved(key=contact.key, at=turn.now, contact_id=contact.contact_id, message_id=message_id, **said)
    await records.number_contact(turn, replace(contact, sequence=sequence))
    await put(turn, fact, sequence=sequence, cause=message_id)


def _seen_before(row: Any) -> Stored:
    return Stored(
        contact_id=row["contact_id"] or row["message_id"], customer_id=row["customer_id"] or "",
        message_id=row["message_id"], repeat_of=row["repeat_of"], new=False,
    )  # fmt: skip
