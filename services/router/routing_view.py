"""Where a contact stands, for those in the same process who answer about one: see `libs.common.directory`."""

from __future__ import annotations

from libs.common.clock import Clock
from libs.common.directory import ChannelWait, ExpectedWait, Onward, Placed, QueueVerdict, Rehearsed
from libs.common.errors import NotFound
from libs.common.events.contacts import ContactOpened
from libs.common.postgres import Database
from services.router.core.admission import Rehearsal, rehearse
from services.router.core.floor import EVERYONE
from services.router.core.load import foretold
from services.router.core.state import Contact
from services.router.expected_wait import Estimate
from services.router.floors import crowded_floor, rules_floor
from services.router.outlook import Outlook
from services.router.reads import Reads


class ProjectedView:
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
        return Placed(
            state=state, queue=contact.rules.queue, position=position, wait=wait, unroutable=contact.unroutable
        )

    async def channels(self, workspace: str) -> list[ChannelWait]:
        return [
            ChannelWait(
                channel=way.channel, medium=way.medium, pool=way.pool, queue=way.queue, wait=expected(way.estimate)
            )
            for way in await self._outlook.ways(workspace)
        ]

    async def rehearse(self, opened: ContactOpened) -> Rehearsed:
        now, floor = self._clock.now(), await rules_floor(self._reads, opened.workspace, opened.pool)
        said = rehearse(floor, opened, now)
        if floor.measures:
            crowded = await crowded_floor(self._reads, opened.workspace, opened.pool, now)
            crowded.lengths.update(floor.lengths)  # Also of those who are too many to look at.
            said = foretold(crowded, opened, said, now)
        return rehearsed(opened.pool, said)


def expected(estimate: Estimate) -> ExpectedWait:
    """In tenths of a second."""
    if estimate.seconds is None or estimate.low is None or estimate.high is None:
        return ExpectedWait(expected_wait_unknown=estimate.reason)
    return ExpectedWait(
        expected_wait_seconds=round(estimate.seconds, 1),
        expected_wait_interval=(round(estimate.low, 1), round(estimate.high, 1)),
    )


def rehearsed(pool: str, said: Rehearsal) -> Rehearsed:
    matched = any(one.failed is None and one.queue.id != EVERYONE for one in said.verdicts)
    last = said.hops[-1].queue if said.hops else said.entered
    return Rehearsed(
        pool=pool,
        queue=last.id,
        because="asked_for" if said.asked else "matched" if matched else "no_match",
        queues=tuple(
            QueueVerdict(queue=one.queue.id, order=one.queue.order, matched=one.failed is None, failed=one.failed)
            for one in said.verdicts
        ),
        overflows=tuple(Onward(queue=hop.queue.id, reason=hop.reason) for hop in said.hops),
        refused=said.refused,
        opens_at=said.opens_at,
        requirement=said.rules.requirement,
        target=said.promise.target,
        target_seconds=said.promise.seconds,
    )
