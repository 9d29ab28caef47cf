"""Moving a virtual clock: to each due time in turn, and on only when everything that follows is committed and read."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import Depends
from pydantic import Field

from libs.common.auth import Caller, caller
from libs.common.clock import VirtualClock
from libs.common.events import SECOND
from libs.common.events.codec import rfc3339
from libs.common.http import ApiRouter, StrictModel, from_app
from libs.common.log.port import Place
from services.all.rooms import Rooms

LOOK_AGAIN_SECONDS: Final = 0.002
QUIET_LOOKS: Final = 2
"""Quiet is believed when it is seen this often in a row: one service's last word may be another's first."""
ADVANCE_SECONDS_MAX: Final = 400 * 86_400


class Quiet:
    """Waits until nothing is left to do at this time, and moves the clock event by event."""

    def __init__(self, rooms: Rooms, clock: VirtualClock) -> None:
        self._rooms = rooms
        self._clock = clock
        self._moving = asyncio.Lock()

    async def advance_to(self, instant: int) -> None:
        """Let everything happen that is due by `instant`, each at its own time."""
        async with self._moving:
            await self.settled()
            while (due := await self._next_due()) is not None and due <= instant:
                self._clock.move_to(due)
                await self.settled()
            self._clock.move_to(instant)
            await self.settled()

    async def settled(self) -> None:
        """Return once the outboxes are empty, the machines idle and the projections up to date."""
        looks, before = 0, None
        while looks < QUIET_LOOKS:
            ingested, ends = await self._ingested(), await self._ends()
            idle = ingested and self._machines_idle(ends) and self._notified(ends)
            looks = looks + 1 if idle and ends == before else 0
            before = ends
            if not looks:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
        await self._projected()

    async def _next_due(self) -> int | None:
        workers = [worker for machine in self._rooms.machines for worker in machine.workers.values()]
        dues = [worker.next_due for worker in workers]
        if self._rooms.ingest is not None:
            dues.append(await self._rooms.ingest.callbacks.next_due())
        return min((due for due in dues if due is not None), default=None)

    async def _ends(self) -> dict[Place, int]:
        log = self._rooms.foundation.log
        topics = sorted({topic for machine in self._rooms.machines for topic in machine.inputs})
        return await log.ends([(topic, partition) for topic in topics for partition in range(log.partitions)])

    def _machines_idle(self, ends: dict[Place, int]) -> bool:
        now, partitions = self._clock.now(), self._rooms.foundation.log.partitions
        return all(
            len(machine.workers) == partitions and machine.caught_up(ends, now) for machine in self._rooms.machines
        )

    async def _ingested(self) -> bool:
        return self._rooms.ingest is None or await self._rooms.ingest.settled()

    def _notified(self, ends: dict[Place, int]) -> bool:
        return self._rooms.notifier is None or self._rooms.notifier.caught_up(ends)

    async def _projected(self) -> None:
        for projection in self._rooms.projections.values():
            await projection.caught_up()


class Advance(StrictModel):
    seconds: Annotated[float, Field(ge=0, le=ADVANCE_SECONDS_MAX)]


router = ApiRouter(tags=["operations"])


@router.post("/v1/clock/advance")
async def advance_clock(
    body: Advance,
    _admin: Annotated[Caller, Depends(caller("admin"))],
    quiet: Annotated[Any, Depends(from_app(Quiet))],
    clock: Annotated[Any, Depends(from_app(VirtualClock))],
) -> dict[str, str]:
    """Only with OMNIROUTE_CLOCK. Answered when everything that is due by then is committed."""
    await quiet.advance_to(clock.now() + round(body.seconds * SECOND))
    return {"now": rfc3339(clock.now())}
