"""Stores what happened, and the facts that follow from it, in one transaction each.

The row of the conversation is the lock: two messages of one conversation that come together make one contact. A
message is known by its account and source id, and what is seen again changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from libs.common.clock import Clock
from libs.common.errors import NotFound
from libs.common.events.contacts import ContactWithdrawn, ResponseObserved
from libs.common.events.values import Visibility
from libs.common.pools import Pools
from libs.common.postgres import Database
from services.ingest import records
from services.ingest.accounts import Account
from services.ingest.core.joining import Contact, Line, nobody_need_answer
from services.ingest.core.normalize import Answered, Deleted, Received, bounded, conversation_of
from services.ingest.ids import new_id
from services.ingest.language import language_of
from services.ingest.metrics import CONTACTS_RECEIVED, STORE_SECONDS, channel_label
from services.ingest.outbox import Outbox, put
from services.ingest.receiving import Receiving, Stored, known_sources, parent_of
from services.ingest.turn import Turn, in_turn

T = TypeVar("T")

CURRENT: Final = """
    SELECT contact_id FROM ingest_conversations WHERE workspace = $1 AND account = $2 AND conversation = $3 FOR UPDATE
"""
FORGET: Final = """
    UPDATE ingest_messages SET deleted_at = $4, text = NULL, language = NULL
    WHERE workspace = $1 AND account = $2 AND source_id = $3 AND deleted_at IS NULL
"""
LINES: Final = """
    SELECT author, deleted_at IS NOT NULL AS deleted, opens, automatic FROM ingest_messages
    WHERE workspace = $1 AND contact_id = $2 ORDER BY ordinal
"""


@dataclass(frozen=True, kw_only=True)
class Response:
    """The company answered. `source_id` and `conversation` only when it was seen at the provider."""

    visibility: Visibility
    agent_id: str | None = None
    text: str | None = None
    occurred_at: int | None = None
    automatic: bool = False
    source_id: str | None = None


class Contacts:
    def __init__(self, database: Database, pools: Pools, clock: Clock, outbox: Outbox) -> None:
        self._database = database
        self._pools = pools
        self._clock = clock
        self._outbox = outbox

    async def receive(self, account: Account, received: Received) -> Stored:
        """Somebody wrote: open a contact or join the one of the conversation."""
        language = received.language or language_of(received.text) or received.declared_language
        partition = await self._pools.partition(account.workspace, account.pool)
        receiving = Receiving(account=account, received=replace(received, language=language), partition=partition)
        with STORE_SECONDS.time():
            stored = await self._in_turn(account.workspace, partition, receiving.store)
        outcome = "seen_before" if not stored.new else "opened" if stored.opened else "joined"
        CONTACTS_RECEIVED.labels(channel_label(received.channel), received.visibility, outcome).inc()
        return stored

    async def answered(self, account: Account, answer: Answered) -> str | None:
        """The company answered at the provider. The contact's id; None when it is none of ours, or seen before."""
        partition = await self._pools.partition(account.workspace, account.pool)

        async def store(turn: Turn) -> str | None:
            sources = await known_sources(turn, account.account, answer)
            if answer.source_id in sources:
                return None
            conversation = conversation_of(answer, parent_of(answer, sources))
            contact_id: str | None = await turn.connection.fetchval(
                CURRENT, turn.workspace, account.account, conversation
            )
            if contact_id is None:
                await _keep_own_post(turn, account, answer, conversation)
                return None
            await _observe(turn, contact_id, _response(answer), partition)
            return contact_id

        return await self._in_turn(account.workspace, partition, store)

    async def respond(self, workspace: str, contact_id: str, response: Response) -> str:
        """The company answered, as a platform says; gives the message's id. Raises NotFound."""
        contact = await records.contact(self._database.pool, workspace, contact_id)
        if contact is None:
            raise NotFound("no such contact")
        partition = await self._pools.partition(workspace, contact.pool)
        return await self._in_turn(workspace, partition, lambda turn: _observe(turn, contact_id, response, partition))

    async def deleted(self, account: Account, deletion: Deleted) -> str | None:
        """The author took a message back: its text goes. The contact's id, when nobody need answer it any more."""
        partition = await self._pools.partition(account.workspace, account.pool)

        async def store(turn: Turn) -> str | None:
            known = (await known_sources(turn, account.account, deletion)).get(deletion.source_id)
            if known is None or known["contact_id"] is None:
                return None
            contact = await records.hold_contact(turn, known["contact_id"])
            place = turn.workspace, account.account, deletion.source_id
            marked = await turn.connection.execute(FORGET, *place, turn.now)
            return await _withdraw(turn, contact, deletion, partition) if marked == "UPDATE 1" else None

        return await self._in_turn(account.workspace, partition, store)

    async def _in_turn(self, workspace: str, partition: int, store: Callable[[Turn], Awaitable[T]]) -> T:
        result = await in_turn(self._database, workspace, self._clock.now(), store)
        self._outbox.wake(partition)
        return result


def _response(answer: Answered) -> Response:
    return Response(
        visibility=answer.visibility, text=answer.text, occurred_at=answer.occurred_at, source_id=answer.source_id
    )


async def _observe(turn: Turn, contact_id: str, response: Response, partition: int) -> str:
    """Keep the answer and tell the router; gives the message's id."""
    contact = await records.hold_contact(turn, contact_id)
    message_id, occurred_at = new_id("msg", turn.now), bounded(response.occurred_at, turn.now)
    row = records.MessageRow(
        message_id=message_id, account=contact.account, source_id=response.source_id, contact_id=contact_id,
        conversation=contact.conversation or contact_id, customer_id=None, author="company", text=response.text,
        visibility=response.visibility, agent_id=response.agent_id, automatic=response.automatic,
        occurred_at=occurred_at, kind="response",
    )  # fmt: skip
    await records.insert_message(turn, row)
    fact = ResponseObserved(
        key=contact.key, at=turn.now, contact_id=contact_id, message_id=message_id, agent_id=response.agent_id,
        visibility=response.visibility, occurred_at=occurred_at, automatic=response.automatic,
    )  # fmt: skip
    await records.number_contact(turn, replace(contact, sequence=contact.sequence + 1))
    await put(turn.connection, partition, fact, sequence=contact.sequence + 1, cause=message_id)
    return message_id


async def _keep_own_post(turn: Turn, account: Account, answer: Answered, conversation: str) -> None:
    """A post of the company's own that answers no contact is remembered, so that answers to it are told apart."""
    row = records.MessageRow(
        message_id=new_id("msg", turn.now), account=account.account, source_id=answer.source_id,
        conversation=conversation, contact_id=None, customer_id=None, author="company", kind="post",
        visibility=answer.visibility, occurred_at=bounded(answer.occurred_at, turn.now),
    )  # fmt: skip
    await records.insert_message(turn, row)


async def _withdraw(turn: Turn, contact: Contact, deletion: Deleted, partition: int) -> str | None:
    """Withdraw the contact if nobody need answer it any more."""
    rows = await turn.connection.fetch(LINES, turn.workspace, contact.contact_id)
    if contact.state != "open" or not nobody_need_answer(Line(**row) for row in rows):
        return None
    await withdraw(turn, contact, "deleted_by_author", bounded(deletion.occurred_at, turn.now), partition)
    return contact.contact_id


async def withdraw(turn: Turn, contact: Contact, reason: str, occurred_at: int, partition: int) -> None:
    """Tell the router that nobody need answer this contact. The turn holds it."""
    sequence = contact.sequence + 1
    fact = ContactWithdrawn(
        key=contact.key, at=turn.now, contact_id=contact.contact_id, occurred_at=occurred_at, reason=reason
    )
    await records.number_contact(turn, replace(contact, sequence=sequence, state="withdrawn"))
    await put(turn.connection, partition, fact, sequence=sequence, cause=contact.contact_id)
