"""Who wrote: customers and their identities. Linked by address or by an explicit call, never by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from libs.common.events.values import Tier
from services.ingest.core.identity import Identity
from services.ingest.core.joining import Writer
from services.ingest.core.strikes import STRIKE_MICROSECONDS, Failure, strikes
from services.ingest.ids import new_id
from services.ingest.limits import IDENTITIES_OF_CUSTOMER_MAX
from services.ingest.turn import Raced, Turn

FIND: Final = """
    SELECT channel, address, customer_id, handle, name FROM ingest_identities
    WHERE workspace = $1 AND (channel, address) IN (SELECT * FROM unnest($2::text[], $3::text[]))
"""
LINK: Final = """
    INSERT INTO ingest_identities (workspace, channel, address, customer_id, handle, name, verified)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
RENAME: Final = """
    UPDATE ingest_identities SET handle = coalesce($4, handle), name = coalesce($5, name), verified = $6
    WHERE workspace = $1 AND channel = $2 AND address = $3
"""
CREATE: Final = "INSERT INTO ingest_customers (workspace, customer_id, tier, created_at) VALUES ($1, $2, $3, $4)"
HOLD: Final = """
    SELECT tier, last_agent FROM ingest_customers WHERE workspace = $1 AND customer_id = $2 FOR KEY SHARE
"""
COUNT: Final = "SELECT count(*) FROM ingest_identities WHERE workspace = $1 AND customer_id = $2"
SET_TIER: Final = "UPDATE ingest_customers SET tier = $3 WHERE workspace = $1 AND customer_id = $2"
FAILURES: Final = "SELECT contact_id, at FROM ingest_failures WHERE workspace = $1 AND customer_id = $2 AND at > $3"


@dataclass(frozen=True, kw_only=True)
class Customer:
    customer_id: str
    tier: Tier
    last_agent: str | None
    new: bool = False
    """Made in this turn: nobody else knows of them, and nothing has happened to them."""


async def resolve(turn: Turn, identities: Sequence[Identity], tier: Tier | None) -> Customer:
    """The customer with the first of these identities that is known; the unknown ones become theirs too."""
    known = await _known(turn, identities)
    owner = next((known[one.place]["customer_id"] for one in identities if one.place in known), None)
    customer = await _create(turn, tier or "standard") if owner is None else await hold(turn, owner)
    room = await _room(turn, customer) if len(known) < len(identities) else 0
    new = [one for one in identities if one.place not in known][:room]
    kept = [*(one for one in identities if one.place in known), *new]
    for identity in sorted(kept, key=lambda one: one.place):
        await _link(turn, identity, customer.customer_id, known.get(identity.place))
    if tier is not None and tier != customer.tier:
        await turn.connection.execute(SET_TIER, turn.workspace, customer.customer_id, tier)
        return replace(customer, tier=tier)
    return customer


async def standing(turn: Turn, identities: Sequence[Identity], tier: Tier | None) -> Writer:
    """Who would be taken to have written, as things stand; nobody is made or changed."""
    known = await _known(turn, identities)
    owner = next((known[one.place]["customer_id"] for one in identities if one.place in known), None)
    if owner is None:
        return Writer(customer_id="", tier=tier or "standard", strikes=0, last_agent=None)
    as_known = await writer(turn, await hold(turn, owner))
    return as_known if tier is None else replace(as_known, tier=tier)


async def hold(turn: Turn, customer_id: str) -> Customer:
    """The customer, who can't be merged or erased before this turn ends. Raises Raced when they are gone."""
    row = await turn.connection.fetchrow(HOLD, turn.workspace, customer_id)
    if row is None:
        raise Raced
    return Customer(customer_id=customer_id, tier=row["tier"], last_agent=row["last_agent"])


async def writer(turn: Turn, customer: Customer, *, returns_to: str | None = None) -> Writer:
    """The customer with what they are owed for earlier failures."""
    since = turn.now - STRIKE_MICROSECONDS
    place = turn.workspace, customer.customer_id
    rows = [] if customer.new else await turn.connection.fetch(FAILURES, *place, since)
    failures = [Failure(contact_id=row["contact_id"], at=row["at"]) for row in rows]
    count = strikes(failures, turn.now, returns_to=returns_to)
    return Writer(customer_id=customer.customer_id, tier=customer.tier, strikes=count, last_agent=customer.last_agent)


async def _room(turn: Turn, customer: Customer) -> int:
    """How many more addresses are kept of them. What is too much is dropped: no message is lost for it."""
    held = 0 if customer.new else await turn.connection.fetchval(COUNT, turn.workspace, customer.customer_id)
    return max(0, IDENTITIES_OF_CUSTOMER_MAX - held)


async def _known(turn: Turn, identities: Sequence[Identity]) -> dict[tuple[str, str], Any]:
    channels, addresses = [one.channel for one in identities], [one.address for one in identities]
    rows = await turn.connection.fetch(FIND, turn.workspace, channels, addresses)
    return {(row["channel"], row["address"]): row for row in rows}


async def _create(turn: Turn, tier: Tier) -> Customer:
    customer_id = new_id("cus", turn.now)
    await turn.connection.execute(CREATE, turn.workspace, customer_id, tier, turn.now)
    return Customer(customer_id=customer_id, tier=tier, last_agent=None, new=True)


async def _link(turn: Turn, identity: Identity, owner: str, known: Any) -> None:
    place = turn.workspace, identity.channel, identity.address
    if known is None:
        details = identity.handle, identity.name, identity.verified
        await turn.connection.execute(LINK, *place, owner, *details)
    elif (identity.handle or known["handle"], identity.name or known["name"]) != (known["handle"], known["name"]):
        await turn.connection.execute(RENAME, *place, identity.handle, identity.name, identity.verified)
