"""Stores what happened, and the facts that follow from it, in one transaction each.

The row of the conversation is the lock: two messages of one conversation that come together make one contact. A
message is known by its account and source id, and what is seen again changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from libs.common.clock import Clock
from libs.common.errors import NotFound
from libs.common.events.contacts import ContactOpened, ContactWithdrawn, ReachChanged
from libs.common.events.values import Reach, Visibility
from libs.common.postgres import Database
from services.ingest import customers, records
from services.ingest.accounts import Account
from services.ingest.core.joining import Contact, Line, nobody_need_answer, opened, opening
from services.ingest.core.normalize import Answered, Deleted, Received, bounded, conversation_of
from services.ingest.core.visibility import widest
from services.ingest.ids import new_id
from services.ingest.language import language_of
from services.ingest.metrics import CONTACTS_RECEIVED, STORE_SECONDS, channel_label
from services.ingest.outbox import Outbox, put
from services.ingest.receiving import CONVERSATION, Receiving, Stored, known_sources, parent_of, tell_answer
from services.ingest.turn import Raced, Turn, in_turn

T = TypeVar("T")

FORGET: Final = """
    UPDATE ingest_messages SET deleted_at = $4, text = NULL, language = NULL
    WHERE workspace = $1 AND account = $2 AND source_id = $3 AND deleted_at IS NULL
    RETURNING contact_id
"""
PRESENT: Final = "SELECT true FROM ingest_messages WHERE workspace = $1 AND message_id = $2"
REHEARSED: Final = "con_rehearsed"
ERASED: Final = "customer_erased"
LINES: Final = """
    SELECT author, deleted_at IS NOT NULL AS deleted, opens, automatic FROM ingest_messages
    WHERE workspace = $1 AND contact_id = $2 ORDER BY ordinal
"""


@dataclass(frozen=True, kw_only=True)
class Response:
    """The company answered. `source_id` only when it was seen at the provider."""

    visibility: Visibility
    agent_id: str | None = None
    text: str | None = None
    occurred_at: int | None = None
    automatic: bool = False
    moved_to_private: bool = False
    source_id: str | None = None


class Contacts:
    def __init__(self, database: Database, clock: Clock, outbox: Outbox) -> None:
        self._database = database
        self._clock = clock
        self._outbox = outbox

    async def receive(self, account: Account, received: Received) -> Stored:
        """Somebody wrote: open a contact or join the one of the conversation."""
        receiving = Receiving(account=account, received=with_language(received))
        with STORE_SECONDS.time():
            stored = await self._in_turn(account.workspace, receiving.store)
        outcome = "seen_before" if not stored.new else "opened" if stored.opened else "joined"
        CONTACTS_RECEIVED.labels(channel_label(received.channel), received.visibility, outcome).inc()
        return stored

    async def rehearsed(self, account: Account, received: Received) -> ContactOpened:
        """The fact that this message would lead to if it opened a contact now. Nothing is stored."""

        async def look(turn: Turn) -> ContactOpened:
            writer = await customers.standing(turn, received.identities, received.tier)
            contact = opened(
                with_language(received), writer, contact_id=REHEARSED, key=account.key,
                account=account.account, conversation=REHEARSED, at=turn.now,
            )  # fmt: skip
            happened = bounded(received.occurred_at, turn.now)
            message = {"message_id": REHEARSED, "kind": received.kind, "occurred_at": happened, "at": turn.now}
            return opening(contact, writer, message=message, routable=account.routable)

        return await self._in_turn(account.workspace, look)

    async def answered(self, account: Account, answer: Answered) -> str | None:
        """The company answered at the provider. The contact's id; None when it is none of ours, or seen before."""

        async def store(turn: Turn) -> str | None:
            sources = await known_sources(turn, account.account, answer)
            if answer.source_id in sources:
                return None
            conversation = conversation_of(answer, parent_of(answer, sources))
            contact_id: str | None = await turn.connection.fetchval(
                CONVERSATION, turn.workspace, account.account, conversation
            )
            if contact_id is None:
                await _keep_own_post(turn, account, answer, conversation)
                return None
            await _observe(turn, contact_id, new_id("msg", turn.now), _response(answer))
            return contact_id

        return await self._in_turn(account.workspace, store)

    async def respond(self, workspace: str, contact_id: str, message_id: str, response: Response) -> None:
        """The company answered, as a platform says; once under this message id. Raises NotFound."""
        if await records.contact(self._database.pool, workspace, contact_id) is None:
            raise NotFound("no such contact")

        async def store(turn: Turn) -> None:
            if not await turn.connection.fetchval(PRESENT, workspace, message_id):
                await _observe(turn, contact_id, message_id, response)

        await self._in_turn(workspace, store)

    async def spread(self, workspace: str, contact_id: str, seen: Reach) -> Reach:
        """So many can see the contact now; signals only grow. Told each time: that it stands still is news as well.
        Raises NotFound."""
        if await records.contact(self._database.pool, workspace, contact_id) is None:
            raise NotFound("no such contact")

        async def store(turn: Turn) -> Reach:
            contact = await records.hold_contact(turn, contact_id)
            after = replace(contact, reach=widest(contact.reach, seen), sequence=contact.sequence + 1)
            await records.update_contact(turn, after)
            fact = ReachChanged(key=after.key, at=turn.now, contact_id=contact_id, reach=after.reach)
            await put(turn, fact, sequence=after.sequence, cause=contact_id)
            return after.reach

        return await self._in_turn(workspace, store)

    async def deleted(self, account: Account, deletion: Deleted) -> str | None:
        """The author took a message back: its text goes. The contact's id, when nobody need answer it any more."""

        async def store(turn: Turn) -> str | None:
            known = (await known_sources(turn, account.account, deletion)).get(deletion.source_id)
            if known is None or known["contact_id"] is None:
                return None
            contact = await records.hold_contact(turn, known["contact_id"])
            place = turn.workspace, account.account, deletion.source_id
            marked = await turn.connection.fetchval(FORGET, *place, turn.now)
            if marked not in (None, contact.contact_id):
                raise Raced  # The message became its repeat's.
            gone = marked is not None and await withdraw_unneeded(turn, contact, deletion.occurred_at)
            return contact.contact_id if gone else None

        return await self._in_turn(account.workspace, store)

    async def _in_turn(self, workspace: str, store: Callable[[Turn], Awaitable[T]]) -> T:
        return await in_turn(self._database, self._outbox.wake, workspace, self._clock.now(), store)


def with_language(received: Received) -> Received:
    """What is said goes before what is found, and that before what the provider assumes."""
    return replace(received, language=received.language or language_of(received.text) or received.declared_language)


def _response(answer: Answered) -> Response:
    return Response(
        visibility=answer.visibility, text=answer.text, occurred_at=answer.occurred_at, source_id=answer.source_id
    )


async def _observe(turn: Turn, contact_id: str, message_id: str, response: Response) -> None:
    """Keep the answer and tell the router. Raises NotFound when its customer was erased."""
    contact = await records.hold_contact(turn, contact_id)
    if contact.conversation is None:
        raise NotFound("no such contact")
    said: dict[str, Any] = {
        "message_id": message_id,
        "agent_id": response.agent_id,
        "visibility": response.visibility,
        "occurred_at": bounded(response.occurred_at, turn.now),
        "automatic": response.automatic,
    }
    row = records.MessageRow(
        **said, account=contact.account, source_id=response.source_id, contact_id=contact_id,
        conversation=contact.conversation, customer_id=None, author="company", text=response.text, kind="response",
    )  # fmt: skip
    await records.insert_message(turn, row)
    await tell_answer(turn, contact, **said, moved_to_private=response.moved_to_private)


async def _keep_own_post(turn: Turn, account: Account, answer: Answered, conversation: str) -> None:
    """A post of the company's own that answers no contact is remembered: answers to it are told apart, and what it
    answers may come yet."""
    row = records.MessageRow(
        message_id=new_id("msg", turn.now), account=account.account, source_id=answer.source_id,
        conversation=conversation, contact_id=None, customer_id=None, author="company", kind="post",
        visibility=answer.visibility, occurred_at=bounded(answer.occurred_at, turn.now),
    )  # fmt: skip
    await records.insert_message(turn, row)


async def withdraw_unneeded(turn: Turn, contact: Contact, occurred_at: int | None) -> bool:
    """Withdraw the contact if nobody need answer it any more; whether it was. The turn holds it."""
    rows = await turn.connection.fetch(LINES, turn.workspace, contact.contact_id)
    if contact.state != "open" or not nobody_need_answer(Line(**row) for row in rows):
        return False
    await withdraw(turn, contact, "deleted_by_author", bounded(occurred_at, turn.now))
    return True


async def withdraw(turn: Turn, contact: Contact, reason: str, occurred_at: int) -> None:
    """Tell the router that nobody need answer this contact. The turn holds it."""
    sequence = contact.sequence + 1
    fact = ContactWithdrawn(
        key=contact.key, at=turn.now, contact_id=contact.contact_id, occurred_at=occurred_at, reason=reason
    )
    await records.number_contact(turn, replace(contact, sequence=sequence, state="withdrawn"))
    await put(turn, fact, sequence=sequence, cause=contact.contact_id)
