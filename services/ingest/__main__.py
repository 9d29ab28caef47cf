"""The ingest service: takes what providers and platforms bring, stores it, and relays the facts to the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.clock import Clock
from libs.common.log import Log
from libs.common.pools import Pools
from libs.common.postgres import Database
from libs.common.secrets import SecretBox
from services.ingest import language
from services.ingest.accounts import Accounts
from services.ingest.api_parts import Ingest
from services.ingest.callbacks import Callbacks
from services.ingest.contacts import Contacts
from services.ingest.directory import Directory
from services.ingest.history import History
from services.ingest.leader import Leadership
from services.ingest.outbox import Outbox
from services.ingest.people import People


@asynccontextmanager
async def running(port: Log, database: Database, pools: Pools, box: SecretBox, clock: Clock) -> AsyncIterator[Ingest]:
    """Relay the outbox and follow the history; give the part that the handlers need.

    Parts: `{Ingest: it, ContactDirectory: it.directory}`.
    """
    await language.load()
    leadership = Leadership(database, "ingest")
    outbox, history = Outbox(database, port, leadership), History(database, port, leadership)
    callbacks = Callbacks(database, clock, outbox, leadership)
    async with leadership.running(), outbox.running(), history.running(), callbacks.running():
        yield Ingest(
            database=database,
            pools=pools,
            clock=clock,
            accounts=Accounts(database, box),
            contacts=Contacts(database, clock, outbox),
            people=People(database, clock, outbox),
            directory=Directory(database),
            outbox=outbox,
            history=history,
            callbacks=callbacks,
        )
