"""Everything that is due goes out: a lane for each subscription that something waits for.

A lane tries a bounded number of deliveries at once and never looks at another lane, so a slow receiver delays nobody
else. It is woken by new deliveries, by the end of its calls and by room that it lacked, sleeps until the next one is
due, and ends when nothing waits. Several processes may have a lane for one subscription: a delivery is claimed by one
of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from libs.common.clock import Clock
from libs.common.events.codec import rfc3339
from libs.common.postgres import DATABASE_TROUBLE
from libs.common.secrets import SecretBox, Unopenable
from libs.common.telemetry import log
from services.notifier import metrics
from services.notifier.channels.webhook import DeliveryFailed, Gone, Letter, Webhooks
from services.notifier.core.again import FAILURES_BEFORE_REST, rest_until, retry_at
from services.notifier.deliveries import Claimed, Deliveries, Lane, Receiver, Settled, Turn
from services.notifier.limits import (
    CALLS_PER_SUBSCRIPTION_MAX,
    STOP_SECONDS_MAX,
    SWEEP_SECONDS,
    TROUBLE_SECONDS,
)
from services.notifier.room import Room

SEALED_ELSEWHERE: Final = "secret_unreadable"


def body_of(kind: str, at: int, value: bytes) -> bytes:
    """The letter's JSON; `value` goes in as the log had it."""
    return b'{"type":"%b","timestamp":"%b","data":%b}' % (kind.encode(), rfc3339(at).encode(), value)


class Delivering:
    """The deliveries of one subscription, by this process, for as long as something waits."""

    def __init__(self, dispatch: Dispatch, lane: Lane) -> None:
        self.news = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._dispatch = dispatch
        self._lane = lane
        self._calls: dict[asyncio.Task[None], Claimed] = {}
        self._ended: list[Settled] = []
        self._gone: str | None = None
        """The address that wants nothing more."""
        self._failures_in_a_row = 0
        self._rests_until = 0

    async def run(self) -> None:
        while True:
            self.news.clear()
            turn = await self._exchange()
            if turn is not None:
                for claimed in turn.claimed:
                    self._start(turn, claimed)
                if self._waits_for_nothing(turn):
                    self._dispatch.end(self._lane)  # Nothing was awaited since: no wake can be lost.
                    return
                await self._wait(self._next_look(turn))

    def _waits_for_nothing(self, turn: Turn) -> bool:
        awaits_room = turn.receiver is not None and self._dispatch.room.is_short(self._lane)
        return not (self._calls or self.news.is_set() or awaits_room) and self._next_look(turn) is None

    def _next_look(self, turn: Turn) -> int | None:
        now = self._dispatch.clock.now()
        if turn.receiver is not None and self._rests_until > now:
            return self._rests_until
        return turn.next_due

    async def _wait(self, instant: int | None) -> None:
        """For news; or until `instant`, by the clock that says what is due."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self.news.wait())]
        if instant is not None:
            waits.append(asyncio.create_task(self._dispatch.clock.sleep_until(instant)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _exchange(self) -> Turn | None:
        """None when the database is away: what ended is noted later."""
        try:
            return await self._exchange_in_room()
        except DATABASE_TROUBLE as failure:
            self._dispatch.note_trouble(failure)
            await asyncio.sleep(TROUBLE_SECONDS)
            return None

    async def _exchange_in_room(self) -> Turn:
        ended, now, gone, room = tuple(self._ended), self._dispatch.clock.now(), self._gone, self._dispatch.room
        places, claimed = room.take(self._lane, self._wanted(now)), 0
        try:
            turn = await self._dispatch.deliveries.exchange(self._lane, ended, places, now, gone=gone)
            claimed = len(turn.claimed)
        finally:
            if claimed < places:  # Else more may be due.
                room.forget(self._lane)
            room.give_back(self._lane, places - claimed)
        del self._ended[: len(ended)]
        self._gone = None if self._gone == gone else self._gone
        return turn

    def _wanted(self, now: int) -> int:
        """How many more may be tried: one to see whether a receiver that failed again and again is back."""
        if self._rests_until > now:
            return 0
        together = 1 if self._failures_in_a_row >= FAILURES_BEFORE_REST else CALLS_PER_SUBSCRIPTION_MAX
        return max(0, together - len(self._calls))

    # -- one attempt ---------------------------------------------------------------------------------------------

    def _start(self, turn: Turn, claimed: Claimed) -> None:
        assert turn.receiver is not None
        call = self._dispatch.tasks.create_task(self._try(turn.receiver, claimed))
        self._calls[call] = claimed
        call.add_done_callback(self._over)

    def _over(self, call: asyncio.Task[None]) -> None:
        """A call that was cut short stays, to be given back."""
        self._dispatch.room.give_back(self._lane, 1)
        if not call.cancelled():
            del self._calls[call]
        self.news.set()

    async def _try(self, receiver: Receiver, claimed: Claimed) -> None:
        began = time.perf_counter()
        try:
            status = await self._send(receiver, claimed)
        except DeliveryFailed as failure:
            settled = self._failed(claimed, failure)
            if isinstance(failure, Gone):
                self._gone = receiver.url
        else:
            settled = self._delivered(claimed, status)
        self._ended.append(settled)
        outcome = "retried" if settled.state == "pending" else settled.state
        metrics.DELIVERIES_TOTAL.labels(outcome).inc()
        metrics.DELIVERY_SECONDS.labels(outcome).observe(time.perf_counter() - began)

    async def _send(self, receiver: Receiver, claimed: Claimed) -> int:
        try:
            secret = self._dispatch.box.open(receiver.secret).decode()
        except Unopenable as failure:
            raise SealedElsewhere from failure
        body = body_of(claimed.type, claimed.at, claimed.value)
        return await self._dispatch.webhooks.send(Letter(id=claimed.id, url=receiver.url, secret=secret, body=body))

    def _delivered(self, claimed: Claimed, status: int) -> Settled:
        self._failures_in_a_row = self._rests_until = 0
        now = self._dispatch.clock.now()
        return Settled(
            id=claimed.id,
            lease=claimed.lease,
            state="delivered",
            attempts=claimed.attempts + 1,
            due_at=now,
            status=status,
            ended_at=now,
        )

    def _failed(self, claimed: Claimed, failure: DeliveryFailed) -> Settled:
        now, attempts = self._dispatch.clock.now(), claimed.attempts + 1
        self._failures_in_a_row += 1
        self._rests_until = rest_until(now, self._failures_in_a_row)
        again = retry_at(now, attempts, failure.retry_after_seconds) if failure.retry else None
        return Settled(
            id=claimed.id,
            lease=claimed.lease,
            state="dead" if again is None else "pending",
            attempts=attempts,
            due_at=now if again is None else again,
            status=failure.status,
            failure=failure.reason,
            ended_at=now if again is None else None,
        )

    # -- the end -------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Let calls in flight end, for a moment; note what did, give back what didn't."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=STOP_SECONDS_MAX)
        for call in tuple(self._calls):
            call.cancel()
        if self._calls:
            await asyncio.wait(self._calls)
        deliveries, now = self._dispatch.deliveries, self._dispatch.clock.now()
        with suppress(*DATABASE_TROUBLE):  # Then the leases end by themselves.
            await deliveries.exchange(self._lane, self._ended, 0, now, gone=self._gone)
            await deliveries.give_back(self._lane, tuple(self._calls.values()), now)


class SealedElsewhere(DeliveryFailed):
    """The secret was sealed with another SECRET_KEY: the operator can bring it back."""

    reason = SEALED_ELSEWHERE


class Dispatch:
    """All lanes of this process."""

    def __init__(
        self, deliveries: Deliveries, webhooks: Webhooks, box: SecretBox, clock: Clock, tasks: asyncio.TaskGroup
    ) -> None:
        self.deliveries = deliveries
        self.webhooks = webhooks
        self.box = box
        self.clock = clock
        self.room = Room(self._tell_of_room)
        self.tasks = tasks
        self._lanes: dict[Lane, Delivering] = {}

    def wake(self, lanes: Iterable[Lane]) -> None:
        """Something waits in these."""
        for lane in lanes:
            if lane not in self._lanes:
                self._lanes[lane] = Delivering(self, lane)
                self._lanes[lane].task = self.tasks.create_task(self._lanes[lane].run())
            self._lanes[lane].news.set()

    def _tell_of_room(self, lane: Lane) -> None:
        if lane in self._lanes:
            self._lanes[lane].news.set()

    def end(self, lane: Lane) -> None:
        self.room.forget(lane)
        del self._lanes[lane]

    def note_trouble(self, failure: Exception) -> None:
        metrics.TROUBLE_TOTAL.inc()
        log.warning("deliveries_delayed", error=type(failure).__name__)

    async def sweep(self) -> None:
        """For ever: what other processes stored or left, and what was there at the start."""
        while True:
            try:
                self.wake(await self.deliveries.waiting())
            except DATABASE_TROUBLE as failure:
                self.note_trouble(failure)
            await asyncio.sleep(SWEEP_SECONDS)

    async def close(self) -> None:
        """End the lanes; nothing wakes one any more."""
        lanes, self._lanes = self._lanes, {}
        running = [lane.task for lane in lanes.values() if lane.task is not None]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await asyncio.gather(*(lane.close() for lane in lanes.values()))
