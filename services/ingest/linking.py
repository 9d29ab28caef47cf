"""Linked contacts: what the router referred to another pool, or whose customer is to be called, opens there once.

The router's word is read by the history projection. In the transaction that advances its position the contact gets its
row and its `contact.opened` goes into the outbox of its own pool's partition: whatever dies, both happen or neither,
and a linked contact that is there already is left alone. A call for later is a row in `ingest_callbacks` until its time
comes.

What was referred and ended goes on entirely as the linked contact: its messages and its conversation are the linked
contact's from then on. What is called back, or goes on as well, keeps them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple

from libs.common.events import pool_key
from libs.common.events.routing import ContactCallbackRequested, ContactReferred, LinkDecision
from services.ingest import customers, records
from services.ingest.contacts import withdraw_unneeded
from services.ingest.core.joining import Contact, opening
from services.ingest.core.visibility import NO_REACH
from services.ingest.ids import id_under
from services.ingest.outbox import put
from services.ingest.turn import Turn

HOLD: Final = """
    SELECT FROM ingest_conversations WHERE (workspace, account, conversation) IN
        (SELECT workspace, account, conversation FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2)
    FOR UPDATE
"""
OWNER: Final = """
    SELECT customer_id FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2 AND conversation IS NOT NULL
"""
KNOWN: Final = "SELECT true FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2"
POOL: Final = "SELECT true FROM platform_pools WHERE workspace = $1 AND pool = $2"
ROUTABLE: Final = "SELECT routable FROM ingest_accounts WHERE workspace = $1 AND account = $2"
OPENER: Final = """
    SELECT message_id FROM ingest_messages WHERE workspace = $1 AND contact_id = $2 AND author = 'customer'
    ORDER BY opens DESC, ordinal LIMIT 1
"""
MOVE: Final = "UPDATE ingest_messages SET contact_id = $3 WHERE workspace = $1 AND contact_id = $2"
FOLLOW: Final = """
    UPDATE ingest_conversations SET contact_id = $3
    WHERE workspace = $1 AND account = $4 AND conversation = $5 AND contact_id = $2
"""
SCHEDULE: Final = """
    INSERT INTO ingest_callbacks (workspace, linked_id, contact_id, customer_id, due_at)
    SELECT workspace, $3::text, contact_id, customer_id, $4 FROM ingest_contacts
    WHERE workspace = $1 AND contact_id = $2 AND conversation IS NOT NULL ON CONFLICT DO NOTHING
"""
UNSCHEDULE: Final = "DELETE FROM ingest_callbacks WHERE workspace = $1 AND linked_id = $2 RETURNING true"


class Link(NamedTuple):
    """A linked contact that is to be opened; `pool` is None for its origin's."""

    origin: str
    linked_id: str
    since: int
    pool: str | None = None
    queue: str | None = None
    called: bool = False
    goes_on: bool = False
    """The origin goes on as this contact and no other."""


async def follow(turn: Turn, decision: LinkDecision) -> None:
    """Open what the router linked, or note when to. Raises Raced when the customer was merged just now."""
    origin, linked_id, since = decision.contact_id, decision.linked_id, decision.waiting_since
    match decision:
        case ContactReferred():
            link = Link(
                origin, linked_id, since, pool=decision.to_pool, queue=decision.to_queue, goes_on=decision.closes
            )
            await open_linked(turn, link)
        case ContactCallbackRequested(callback_at=int(due_at)):
            if not await turn.connection.fetchval(KNOWN, turn.workspace, linked_id):
                await turn.connection.execute(SCHEDULE, turn.workspace, origin, linked_id, due_at)
        case ContactCallbackRequested():
            await open_linked(turn, Link(origin, linked_id, since, called=True))


async def open_scheduled(turn: Turn, origin: str, linked_id: str, due_at: int) -> None:
    """A call's time has come: its customer waits from then on. Raises Raced."""
    await open_linked(turn, Link(origin, linked_id, due_at, called=True))
    await turn.connection.fetchval(UNSCHEDULE, turn.workspace, linked_id)


async def open_linked(turn: Turn, link: Link) -> None:
    """Nothing when it is there already, or its customer was erased."""
    place = turn.workspace, link.origin
    await turn.connection.execute(HOLD, *place)
    owner = await turn.connection.fetchval(OWNER, *place)
    if owner is None or await turn.connection.fetchval(KNOWN, turn.workspace, link.linked_id):
        return
    customer = await customers.hold(turn, owner)
    origin = await records.hold_contact(turn, link.origin)
    writer = await customers.writer(turn, customer)
    linked = await _linked(turn, origin, link)
    message = {
        "message_id": await turn.connection.fetchval(OPENER, *place) or id_under("msg", link.linked_id),
        "occurred_at": link.since, "at": turn.now,
    }  # fmt: skip
    await records.insert_contact(turn, linked)
    routable = await turn.connection.fetchval(ROUTABLE, turn.workspace, origin.account) or "[]"
    fact = opening(linked, writer, message=message, routable=records.names_of(routable))
    await put(turn, fact, sequence=1, cause=_cause(link))
    if link.goes_on:
        await turn.connection.execute(MOVE, *place, link.linked_id)
        await turn.connection.execute(FOLLOW, *place, link.linked_id, origin.account, origin.conversation)
        await withdraw_unneeded(turn, linked, None)


async def _linked(turn: Turn, origin: Contact, link: Link) -> Contact:
    """A pool that was deleted meanwhile takes nothing: then it opens where its origin was."""
    there = link.pool is not None and await turn.connection.fetchval(POOL, turn.workspace, link.pool)
    fields: dict[str, Any] = {"key": pool_key(turn.workspace, link.pool)} if there and link.pool else {}
    if link.called:
        fields |= {"channel": "voice", "medium": "voice", "visibility": "private", "reach": NO_REACH}
    return replace(
        origin, contact_id=link.linked_id, linked_to=link.origin, repeat_of=None, state="open", sequence=1,
        opened_at=turn.now, queue=link.queue, **fields,
    )  # fmt: skip


def _cause(link: Link) -> str:
    """The decision that it comes of; a linked contact is named after its number."""
    return f"{link.origin}.routing.{link.linked_id.rpartition('.')[2]}"
