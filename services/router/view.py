"""Where a contact stands, for those in the same process who answer about one: see `libs.common.directory`."""

from __future__ import annotations

from libs.common.clock import Clock
from libs.common.directory import ChannelWait, ExpectedWait, Placed
from libs.common.errors import NotFound
from libs.common.postgres import Database
from services.router.core.state import Contact
from services.router.expected_wait import Estimate
from services.router.outlook import Outlook
from services.router.reads import Reads


class View:
    """The RoutingView of this installation, from the router's projection."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._reads = Reads(database)
        self._outlook = Outlook(database, clock)
        self._clock = clock

    async def placed(self, workspace: str, contact_id: str) -> Placed | None:
        try:
            row = await self._reads.entity(workspace, "contact", contact_id)
        except NotFound:
            return None
        contact = row.entity(Contact)
        state = row.state or contact.state
        if state != "waiting":
            return Placed(state=state, queue=contact.rules.queue)
        position = 1 + await self._reads.ahead(workspace, contact, self._clock.now())
        wait = expected(await self._outlook.of_contact(workspace, row.pool, row.partition, contact))
        return Placed(state=state, queue=contact.rules.queue, position=position, wait=wait)

    async def channels(self, workspace: str) -> list[ChannelWait]:
        return [
            ChannelWait(
                channel=way.channel, medium=way.medium, pool=way.pool, queue=way.queue, wait=expected(way.estimate)
            )
            for way in await self._outlook.ways(workspace)
        ]


def expected(estimate: Estimate) -> ExpectedWait:
    """In tenths of a second."""
    if estimate.seconds is None or estimate.low is None or estimate.high is None:
        return ExpectedWait(expected_wait_unknown=estimate.reason)
    return ExpectedWait(
        expected_wait_seconds=round(estimate.seconds, 1),
        expected_wait_interval=(round(estimate.low, 1), round(estimate.high, 1)),
    )
