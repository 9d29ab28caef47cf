"""Where a contact stands, for those in the same process who answer about one: see `libs.common.directory`."""

from __future__ import annotations

from libs.common.clock import Clock
from libs.common.directory import Asked, Onward, Placed, Rehearsed
from libs.common.errors import NotFound
from libs.common.events.contacts import ContactOpened
from libs.common.postgres import Database
from services.router.core.admission import Rehearsal, rehearse
from services.router.core.floor import EVERYONE, Floor
from services.router.core.partition import Partition
from services.router.core.state import ENTITIES, Contact
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
        position = unroutable = None
        if state == "waiting":
            unroutable = contact.unroutable
            position = 1 + await self._reads.ahead(workspace, contact, self._clock.now())
        return Placed(state=state, queue=contact.rules.queue, position=position, unroutable=unroutable)

    async def rehearse(self, opened: ContactOpened) -> Rehearsed:
        floor = await self._floor(opened)
        return rehearsed(opened.pool, rehearse(floor, opened, self._clock.now()))

    async def _floor(self, opened: ContactOpened) -> Floor:
        """The rules of the contact's pool, and how many wait in each queue; agents aren't needed."""
        partition, workspace, pool = Partition(0), opened.workspace, opened.pool
        for kind, one in await self._reads.rules(workspace, pool):
            partition.load(f"{kind}|{workspace}/{one.pool}|{one.id}", one.entity(ENTITIES[kind]))
        partition.loaded()
        floor = partition.floor(opened.key)
        floor.lengths.update(await self._reads.lengths(workspace, pool))
        return floor


def rehearsed(pool: str, said: Rehearsal) -> Rehearsed:
    matched = any(one.failed is None and one.queue.id != EVERYONE for one in said.verdicts)
    last = said.hops[-1].queue if said.hops else said.entered
    return Rehearsed(
        pool=pool,
        queue=last.id,
        because="asked_for" if said.asked else "matched" if matched else "no_match",
        queues=tuple(
            Asked(queue=one.queue.id, order=one.queue.order, matched=one.failed is None, failed=one.failed)
            for one in said.verdicts
        ),
        overflows=tuple(Onward(queue=hop.queue.id, reason=hop.reason) for hop in said.hops),
        refused=said.refused,
        opens_at=said.opens_at,
        requirement=said.rules.requirement,
        target=said.promise.target,
        target_seconds=said.promise.seconds,
    )
