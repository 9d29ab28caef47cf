"""Keeps the machines of a service running on the partitions that this process owns.

A worker owns one partition: it takes ownership (which fences whoever had it), restores the state, then reads,
decides and commits for as long as the partition is ours. It knows three ways on from trouble: a known abort is
committed again, a fence or an unknown outcome drops the state and owns again, a failing `evolve` restores.

A timer fires only after every input was fed up to an end observed at or after its due time, so an answer that was
appended in time always beats the time-out; what comes after that end doesn't hold it up. The end is observed while
the commit before is still under way, and what lies before it is decided in one batch with the timer: where commits are
slow, a time-out waits for one. Timers that fell due while nobody owned the partition wait for `grace_seconds`, in
which agents can still answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from libs.common import crash
from libs.common.clock import Clock
from libs.common.core import Core
from libs.common.events import CONTACTS, SECOND
from libs.common.inputs import Inputs
from libs.common.log import Aborted, Draft, Fenced, Group, Log, LogError, Owner, Reader
from libs.common.machine import STRIKES_MAX, EvolveFailed, Machine, Place
from libs.common.postgres import DATABASE_TROUBLE
from libs.common.snapshots import Snapshots
from libs.common.telemetry import batch_inputs, dead_letters_total, decision_seconds, log, log_commit_seconds

INPUTS_PER_BATCH_MAX: Final = 500
TIMERS_PER_BATCH_MAX: Final = 500
BATCH_CORE_SECONDS: Final = 0.010
READ_WAIT_SECONDS: Final = 0.2
GATHER_SECONDS: Final = 0.5
"""How long a due timer's batch waits for what is known to lie before it; then what is there is decided."""
OWN_AGAIN_SECONDS: Final = 0.2
COMMIT_AGAIN_SECONDS: Final = 0.05
"""A log may refuse at once, and others need their turn."""
SNAPSHOT_SECONDS: Final = 6 * 3_600


class Observed(NamedTuple):
    """Where every input ended at some moment."""

    at: int = 0
    ends: Mapping[Place, int] = {}


class Worker:
    """One core on one partition. `may_lose` and `resume` bracket a rebalance, in which it goes on; `drop` and `give_up`
    end it."""

    def __init__(
        self,
        core: Core[Any],
        partition: int,
        port: Log,
        group: Group,
        clock: Clock,
        *,
        grace_seconds: int,
        snapshots: Snapshots | None,
    ) -> None:
        self.core = core
        self.partition = partition
        self._log = port
        self._group = group
        self._clock = clock
        self._grace = grace_seconds * SECOND
        self._snapshots = snapshots
        self._snapshot_at = time.monotonic()
        self._strikes: Counter[Place] = Counter()
        self._machine: Machine[Any] | None = None
        self._owner: Owner | None = None
        self._inputs = Inputs(core.inputs)
        self._reader: Reader | None = None
        self._read_to: Mapping[Place, int] = {}
        self._reading: asyncio.Task[list[Any]] | None = None
        self._deciding = False
        self._observed = Observed()
        self._timers_held_until = 0
        self._committed_at = 0.0
        self._stopping = asyncio.Event()
        self._owning = False
        self._settled = True
        """Whether the group has said whose the partition is."""
        self._task: asyncio.Task[None] | None = None

    # -- life ---------------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """It is ours. Go on, with the state at hand if there is one: a commit fails if somebody owned it in between."""
        self._settled = True
        if self._task is None or self._task.done():
            self._stopping.clear()
            self._task = asyncio.create_task(self._run(), name=f"{self.core.service}-{self.partition}")

    def may_lose(self) -> None:
        """A rebalance has begun, and takes its time when somebody has died. Go on meanwhile: whoever is given the
        partition fences us, and what is lost then isn't taken back."""
        self._settled = False

    async def _pause(self) -> None:
        """Finish the batch in flight; keep state and ownership. A restore isn't waited for: a rebalance can't wait."""
        self._stopping.set()
        if self._task is not None:
            if self._owning:
                self._task.cancel()
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                self._task.result()
        await self._close_reader()

    async def give_up(self) -> None:
        """Finish the batch in flight, and let another have everything at once."""
        await self._pause()
        await self._forget()

    async def drop(self) -> None:
        """Finish the batch in flight, keep a snapshot and give everything up."""
        await self._pause()
        await self._take_snapshot()
        await self._forget()

    @property
    def failed(self) -> BaseException | None:
        """What ended the worker, if anything did that it couldn't get over."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    @property
    def next_due(self) -> int | None:
        """When this partition's next timer is due; None without one, and while it is being restored."""
        return None if self._machine is None else self.core.next_due(self._machine.state)

    @property
    def machine(self) -> Machine[Any] | None:
        return self._machine

    def caught_up(self, ends: dict[tuple[str, int], int], now: int) -> bool:
        """Everything up to `ends` is decided and committed, and no timer is due by `now`."""
        if self._machine is None or self._reader is None or len(self._inputs) or self._deciding:
            return False
        if not self._has_fed(self._reader, {place: end for place, end in ends.items() if place[1] == self.partition}):
            return False
        due = self.next_due
        return due is None or due > now

    def behind(self, ends: Mapping[Place, int]) -> dict[str, int]:
        """By input topic, the records up to `ends` that aren't fed; while it has no reader, as of when it had one."""
        if self._reader is not None:
            self._read_to = self._reader.next_positions()
        return {
            topic: max(0, end - self._read_to.get((topic, partition), end)) + self._inputs.waiting(topic)
            for (topic, partition), end in ends.items()
            if partition == self.partition
        }

    # -- the loop -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._stopping.is_set() and (self._owner is not None or self._settled):
            try:
                await self._own()
                await self._work()
            except EvolveFailed as failure:
                self._strikes[failure.place] += 1
                log.error("evolve_failed", service=self.core.service, partition=self.partition, error=str(failure))
                await self._forget()
            except Fenced as failure:
                log.info("fenced", service=self.core.service, partition=self.partition, error=cause_of(failure))
                await self._forget()
                await self._rest(OWN_AGAIN_SECONDS)
            except LogError as failure:
                log.warning(
                    "log_unavailable", service=self.core.service, partition=self.partition, error=cause_of(failure)
                )
                await self._forget()
                await self._rest(OWN_AGAIN_SECONDS)

    async def _rest(self, seconds: float) -> None:
        """Not longer than until we stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _own(self) -> None:
        self._owning = True
        try:
            if self._owner is None:
                self._owner = await self._log.own(self.core.service, self.partition)
            if self._machine is None:
                self._machine = await self._restore(self._owner)
        finally:
            self._owning = False
        if self._reader is None:
            self._inputs = Inputs(self.core.inputs)
            self._reader = self._group.reader(self.partition, self._machine.positions.inputs)

    async def _restore(self, owner: Owner) -> Machine[Any]:
        machine: Machine[Any] = Machine(self.core, self.partition)
        entities = [pair async for pair in owner.restore(f"omniroute.{self.core.service}.state")]
        crash.reached("worker.restoring")
        machine.load(entities)
        machine.skipped = {place for place, strikes in self._strikes.items() if strikes >= STRIKES_MAX}
        due, now = self.core.next_due(machine.state), self._clock.now()
        machine.restored_at = now
        self._timers_held_until = now + self._grace if due is not None and due <= now else 0
        return machine

    async def _work(self) -> None:
        assert self._machine is not None
        assert self._reader is not None
        while not self._stopping.is_set():
            if not await self._anything_to_do(self._machine, self._reader):
                continue
            self._deciding = True
            drafts = self._decide(self._machine, self._reader)
            if drafts:
                await self._commit_and_observe(drafts, self._next_firing(self._machine))
                await self._group.report(self.partition, self._machine.positions.inputs)
            self._deciding = False
            if time.monotonic() - self._snapshot_at > SNAPSHOT_SECONDS:
                await self._take_snapshot()

    async def _take_snapshot(self) -> None:
        self._snapshot_at = time.monotonic()
        if self._snapshots is None or self._owner is None or self._machine is None:
            return
        service = self.core.service
        try:
            entities = [pair async for pair in self._owner.restore(f"omniroute.{service}.state")]
            await self._snapshots.save(service, self.partition, entities)
        except (LogError, *DATABASE_TROUBLE) as failure:
            log.warning("snapshot_failed", service=service, partition=self.partition, error=cause_of(failure))

    async def _anything_to_do(self, machine: Machine[Any], reader: Reader) -> bool:
        """Wait for input or for the next timer; when one is due, see to it that everything before it was read."""
        due = self._next_firing(machine)
        if due is not None and due <= self._clock.now():
            if self._observed.at < due:
                await self._observe_ends()
            await self._gather(reader)
            if self._has_fed(reader, self._observed.ends):
                return True
            due = None  # What lies before it comes first.
        if not self._inputs.ready(self._contacts_read_to(reader)):
            await self._wait(reader, due)
        return len(self._inputs) > 0

    async def _gather(self, reader: Reader) -> None:
        """Read what lies below the observed ends, so that it is one batch with the timers."""
        until = time.monotonic() + GATHER_SECONDS
        while not (self._has_read(reader, self._observed.ends) or self._stopping.is_set()):
            if time.monotonic() > until or len(self._inputs) >= INPUTS_PER_BATCH_MAX:
                break
            await self._wait(reader, None)

    def _contacts_read_to(self, reader: Reader) -> int:
        return reader.next_positions().get((CONTACTS, self.partition), 0)

    def _next_firing(self, machine: Machine[Any]) -> int | None:
        due = self.core.next_due(machine.state)
        return None if due is None else max(due, self._timers_held_until)

    async def _wait(self, reader: Reader, due: int | None) -> None:
        """Until records come, `due` passes or we stop; then gather for what is left of the commit interval."""
        if self._reading is None:
            self._reading = asyncio.create_task(
                reader.read(max_records=INPUTS_PER_BATCH_MAX, wait_seconds=READ_WAIT_SECONDS)
            )
        others: list[asyncio.Task[Any]] = [asyncio.create_task(self._stopping.wait())]
        if due is not None:
            others.append(asyncio.create_task(self._clock.sleep_until(due)))
        await asyncio.wait([self._reading, *others], return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        await self._take_what_was_read()

    async def _take_what_was_read(self) -> None:
        if self._reading is None or not self._reading.done():
            return
        reading, self._reading = self._reading, None
        records = reading.result()
        self._inputs.add(records)
        left = self._committed_at + self._log.commit_interval_seconds - time.monotonic()
        if records and left > 0 and len(self._inputs) < INPUTS_PER_BATCH_MAX:
            await asyncio.sleep(left)
            if self._reader is not None:
                self._inputs.add(await self._reader.read(max_records=INPUTS_PER_BATCH_MAX, wait_seconds=0))

    async def _observe_ends(self) -> None:
        """Once all that is there now is fed, timers due by now may fire. A commit in flight isn't waited for: whoever
        writes it may have died, and what is due here is due all the same."""
        now = self._clock.now()
        ends = await self._log.stable_ends([(topic, self.partition) for topic in self.core.inputs])
        self._observed = Observed(now, ends)

    async def _observe_when_due(self, due: int) -> None:
        await self._clock.sleep_until(due)
        with suppress(LogError):  # Then they are observed after the commit.
            await self._observe_ends()

    def _has_read(self, reader: Reader, ends: Mapping[Place, int]) -> bool:
        if self._reading is not None and self._reading.done():
            return False  # What it read is not among the inputs yet.
        read = reader.next_positions()
        return all(read.get(place, 0) >= end for place, end in ends.items())

    def _has_fed(self, reader: Reader, ends: Mapping[Place, int]) -> bool:
        return self._has_read(reader, ends) and not self._inputs.waiting_below(ends)

    def _decide(self, machine: Machine[Any], reader: Reader) -> list[Draft]:
        """One batch: what was read, within its bounds, then the timers if nothing that lies before them is left."""
        started = time.thread_time()
        machine.begin(self._clock.now())
        read_to = self._contacts_read_to(reader)
        fed = fired = 0

        def goes_on() -> bool:
            return time.thread_time() - started <= BATCH_CORE_SECONDS

        while fed < INPUTS_PER_BATCH_MAX and (goes_on() or not fed) and (record := self._inputs.next(read_to)):
            machine.feed(record)
            fed += 1
        if self._observed.at >= self._timers_held_until and self._has_fed(reader, self._observed.ends):
            while fired < TIMERS_PER_BATCH_MAX and (goes_on() or not fired) and machine.fire(self._observed.at):
                fired += 1
        batch_inputs.labels(self.core.service).observe(fed)
        decision_seconds.labels(self.core.service).observe((time.thread_time() - started) / max(1, fed))
        return machine.finish()

    async def _commit_and_observe(self, drafts: list[Draft], due: int | None) -> None:
        """What was observed for a timer stays until it has fired, or more would always lie before it."""
        if due is None or self._observed.at >= due:
            await self._commit(drafts)
            return
        observing = asyncio.create_task(self._observe_when_due(due))
        try:
            await self._commit(drafts)
        finally:
            observing.cancel()

    async def _commit(self, drafts: list[Draft]) -> None:
        assert self._owner is not None
        started = time.monotonic()
        while True:
            try:
                await self._owner.commit(drafts)
                break
            except Aborted as failure:
                log.info("commit_aborted", service=self.core.service, partition=self.partition, error=cause_of(failure))
                if self._stopping.is_set():
                    raise  # The batch is decided again by whoever comes next.
                await self._rest(COMMIT_AGAIN_SECONDS)
        crash.reached("worker.committed")
        self._committed_at = time.monotonic()
        log_commit_seconds.labels(self.core.service).observe(self._committed_at - started)
        dead = sum(draft.topic.endswith("dead-letters.v1") for draft in drafts)
        if dead:
            dead_letters_total.labels(self.core.service, "undecided").inc(dead)

    # -- giving up ----------------------------------------------------------------------------------------------

    async def _close_reader(self) -> None:
        if self._reading is not None:
            with suppress(LogError):
                await self._reading
            self._reading = None
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def _forget(self) -> None:
        self._deciding = False
        await self._close_reader()
        owner, self._owner, self._machine = self._owner, None, None
        if owner is not None:
            await owner.close()


def cause_of(failure: Exception) -> str:
    """The type of what the log's own driver met, where it said so: its message may hold values."""
    return type(failure.__cause__ or failure).__name__
