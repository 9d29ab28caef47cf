"""Customers as those who look after them see and change them: show, link, merge, erase."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from libs.common.clock import Clock
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.idempotency import forget_customer
from libs.common.postgres import Database
from services.ingest import records
from services.ingest.contacts import ERASED, withdraw
from services.ingest.core.identity import Identity
from services.ingest.core.strikes import STRIKE_MICROSECONDS, STRIKES_MAX
from services.ingest.limits import CONTACTS_SHOWN_MAX, IDENTITIES_OF_CUSTOMER_MAX
from services.ingest.outbox import Outbox
from services.ingest.turn import Turn, in_turn

T = TypeVar("T")

CUSTOMER: Final = """
    SELECT customer_id, tier, last_agent, created_at FROM ingest_customers WHERE workspace = $1 AND customer_id = $2
"""
IDENTITIES: Final = """
    SELECT channel, address, handle, name, verified FROM ingest_identities
    WHERE workspace = $1 AND customer_id = $2 ORDER BY channel, address
"""
CONTACTS: Final = """
    SELECT contact_id FROM ingest_contacts WHERE workspace = $1 AND customer_id = $2
    ORDER BY opened_at DESC, contact_id DESC LIMIT $3
"""
FAILURES: Final = "SELECT count(*) FROM ingest_failures WHERE workspace = $1 AND customer_id = $2 AND at > $3"
HOLD: Final = """
    SELECT customer_id FROM ingest_customers WHERE workspace = $1 AND customer_id = ANY($2::text[])
    ORDER BY customer_id FOR UPDATE
"""
OWNER: Final = "SELECT customer_id FROM ingest_identities WHERE workspace = $1 AND channel = $2 AND address = $3"
LINK: Final = """
    INSERT INTO ingest_identities (workspace, channel, address, customer_id, verified) VALUES ($1, $2, $3, $4, false)
"""
MERGE: Final = (
    "UPDATE ingest_identities SET customer_id = $2 WHERE workspace = $1 AND customer_id = $3",
    "UPDATE ingest_contacts SET customer_id = $2 WHERE workspace = $1 AND customer_id = $3",
    "UPDATE ingest_messages SET customer_id = $2 WHERE workspace = $1 AND customer_id = $3",
    "UPDATE ingest_failures SET customer_id = $2 WHERE workspace = $1 AND customer_id = $3",
    "UPDATE ingest_callbacks SET customer_id = $2 WHERE workspace = $1 AND customer_id = $3",
    "UPDATE platform_idempotency SET customer_id = $2 WHERE workspace = $1 AND customer_id = $3",
    """UPDATE ingest_customers AS kept SET last_agent = coalesce(kept.last_agent, gone.last_agent)
       FROM ingest_customers AS gone WHERE kept.workspace = $1 AND kept.customer_id = $2
       AND gone.workspace = $1 AND gone.customer_id = $3""",
)
REMOVE: Final = "DELETE FROM ingest_customers WHERE workspace = $1 AND customer_id = $2"
HOLD_CONVERSATIONS: Final = """
    SELECT FROM ingest_conversations WHERE (workspace, account, conversation) IN
        (SELECT workspace, account, conversation FROM ingest_contacts WHERE workspace = $1 AND customer_id = $2)
    ORDER BY account, conversation FOR UPDATE
"""
ERASE: Final = (
    """DELETE FROM ingest_messages WHERE workspace = $1 AND (customer_id = $2 OR contact_id IN
       (SELECT contact_id FROM ingest_contacts WHERE workspace = $1 AND customer_id = $2))""",
    """DELETE FROM ingest_conversations WHERE (workspace, account, conversation) IN
       (SELECT workspace, account, conversation FROM ingest_contacts WHERE workspace = $1 AND customer_id = $2)""",
    """DELETE FROM platform_notes WHERE workspace = $1 AND contact_id IN
       (SELECT contact_id FROM ingest_contacts WHERE workspace = $1 AND customer_id = $2)""",
    """UPDATE ingest_contacts SET conversation = NULL, attributes = '{}'
       WHERE workspace = $1 AND customer_id = $2""",
    "DELETE FROM ingest_identities WHERE workspace = $1 AND customer_id = $2",
    "DELETE FROM ingest_failures WHERE workspace = $1 AND customer_id = $2",
    "DELETE FROM ingest_callbacks WHERE workspace = $1 AND customer_id = $2",
    REMOVE,
)


@dataclass(frozen=True, kw_only=True)
class Profile:
    customer_id: str
    tier: str
    last_agent: str | None
    created_at: int
    strikes: int
    identities: tuple[Identity, ...]
    contacts: tuple[str, ...]


class IdentityTaken(Conflict):
    """The address is another customer's: `merge` says that they are one."""

    code = "identity_taken"


class People:
    def __init__(self, database: Database, clock: Clock, outbox: Outbox) -> None:
        self._database = database
        self._clock = clock
        self._outbox = outbox

    async def profile(self, workspace: str, customer_id: str) -> Profile:
        """Raises NotFound."""
        pool, whose = self._database.pool, (workspace, customer_id)
        row = await pool.fetchrow(CUSTOMER, *whose)
        if row is None:
            raise _nobody()
        failures = await pool.fetchval(FAILURES, *whose, self._clock.now() - STRIKE_MICROSECONDS)
        return Profile(
            **row,
            strikes=min(STRIKES_MAX, failures),
            identities=tuple(Identity(**one) for one in await pool.fetch(IDENTITIES, *whose)),
            contacts=tuple(one["contact_id"] for one in await pool.fetch(CONTACTS, *whose, CONTACTS_SHOWN_MAX)),
        )

    async def link(self, workspace: str, customer_id: str, identity: Identity) -> bool:
        """Whether the identity is new to the customer. Raises NotFound, IdentityTaken, Invalid."""

        async def work(turn: Turn) -> bool:
            await _hold(turn, customer_id)
            owner = await turn.connection.fetchval(OWNER, workspace, *identity.place)
            if owner not in (None, customer_id):
                raise IdentityTaken("the address belongs to another customer")
            if owner is None:
                await _check_room(turn, customer_id)
                await turn.connection.execute(LINK, workspace, *identity.place, customer_id)
            return owner is None

        return await self._in_turn(workspace, work)

    async def merge(self, workspace: str, customer_id: str, other: str) -> None:
        """`other` turns out to be this customer: everything of theirs becomes this one's. Raises NotFound, Invalid."""
        if other == customer_id:
            raise Invalid("a customer can't be merged with itself")

        async def work(turn: Turn) -> None:
            await _hold(turn, customer_id, other)
            for statement in MERGE:
                await turn.connection.execute(statement, workspace, customer_id, other)
            await turn.connection.execute(REMOVE, workspace, other)

        await self._in_turn(workspace, work)

    async def erase(self, workspace: str, customer_id: str) -> None:
        """Delete all that is personal; open contacts are withdrawn. The ids stay, and mean nothing. Raises NotFound."""

        async def work(turn: Turn) -> None:
            await turn.connection.execute(HOLD_CONVERSATIONS, workspace, customer_id)
            await _hold(turn, customer_id)
            # All of them, so that no answer to one is stored after its messages went.
            for contact in await records.hold_contacts_of(turn, customer_id):
                if contact.state == "open":
                    await withdraw(turn, contact, ERASED, turn.now)
            for statement in ERASE:
                await turn.connection.execute(statement, workspace, customer_id)
            await forget_customer(turn.connection, workspace, customer_id)

        await self._in_turn(workspace, work)

    async def _in_turn(self, workspace: str, work: Callable[[Turn], Awaitable[T]]) -> T:
        return await in_turn(self._database, self._outbox.wake, workspace, self._clock.now(), work)


async def _hold(turn: Turn, *customers: str) -> None:
    rows = await turn.connection.fetch(HOLD, turn.workspace, list(customers))
    if len(rows) != len(customers):
        raise _nobody()


async def _check_room(turn: Turn, customer_id: str) -> None:
    rows: list[Any] = await turn.connection.fetch(IDENTITIES, turn.workspace, customer_id)
    if len(rows) >= IDENTITIES_OF_CUSTOMER_MAX:
        raise Invalid("the customer has too many identities")


def _nobody() -> NotFound:
    return NotFound("no such customer")
