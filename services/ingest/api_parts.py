"""What ingest's handlers stand on: who calls, and what they call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends

from libs.common.auth import Caller, caller
from libs.common.clock import Clock
from libs.common.errors import FieldError, Invalid, NotFound
from libs.common.parts import from_app
from libs.common.pools import Pools
from libs.common.postgres import Database
from services.ingest.accounts import Account, Accounts
from services.ingest.callbacks import Callbacks
from services.ingest.contacts import Contacts
from services.ingest.directory import Directory
from services.ingest.history import History
from services.ingest.outbox import Outbox
from services.ingest.people import People


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """The part that `running` provides and the handlers use."""

    database: Database
    pools: Pools
    clock: Clock
    accounts: Accounts
    contacts: Contacts
    people: People
    directory: Directory
    outbox: Outbox
    history: History
    callbacks: Callbacks

    async def settled(self) -> bool:
        """Whether all that was stored is on the log, and all that is on the log was taken notice of."""
        told = await self.history.caught_up() and await self.callbacks.none_due()
        return told and await self.outbox.empty()  # In this order: both put facts too.


Ingesting = Annotated[Ingest, Depends(from_app(Ingest))]
Writer = Annotated[Caller, Depends(caller("integration"))]
Reader = Annotated[Caller, Depends(caller("viewer"))]
ReaderOrAgent = Annotated[Caller, Depends(caller("viewer", "agent"))]
Responder = Annotated[Caller, Depends(caller("integration", "supervisor", "agent"))]
Keeper = Annotated[Caller, Depends(caller("integration", "supervisor"))]
Admin = Annotated[Caller, Depends(caller("admin"))]

OWN_WORK: Final = """
    SELECT EXISTS (SELECT FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2
                   AND ($3 = agent_id OR $3 = ANY (offered_to)))
        OR EXISTS (SELECT FROM ingest_consults WHERE workspace = $1 AND contact_id = $2 AND agent_id = $3)
"""


async def named_account(ingest: Ingest, workspace: str, account: str, pointer: str = "/account") -> Account:
    """The account that a body names. Raises Invalid: what is wrong is the body, not the address."""
    try:
        return await ingest.accounts.get(workspace, account)
    except NotFound:
        raise Invalid("unknown account", errors=[FieldError(pointer, "there is no such account")]) from None


async def check_own_work(ingest: Ingest, by: Caller, contact_id: str) -> None:
    """An agent has to do with what they own, are offered, or help with. Raises NotFound, as for what isn't there."""
    if by.role != "agent":
        return
    if not await ingest.database.pool.fetchval(OWN_WORK, by.workspace, contact_id, by.agent_id):
        raise NotFound("no such contact")
