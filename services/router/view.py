"""Where a contact stands, for those in the same process who answer about one: see `libs.common.directory`."""

from __future__ import annotations

from libs.common.clock import Clock
from libs.common.directory import Placed
from libs.common.errors import NotFound
from libs.common.postgres import Database
from services.router.core.state import Contact
from services.router.reads import Reads


class View:
    """The RoutingView of this installation, from the router's projection."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._reads = Reads(database)
        self._clock = clock

    async def placed(self, workspace: str, contact_id: str) -> Placed | None:
        try:
            row = await self._reads.entity(workspace, "contact", contact_id)
        except NotFound:
            return None
        contact = row.entity(Contact)
        state = row.state or contact.state
        position = None
        if state == "waiting":
            position = 1 + await self._reads.ahead(workspace, contact, self._clock.now())
        return Placed(state=state, queue=contact.rules.queue, position=position)
