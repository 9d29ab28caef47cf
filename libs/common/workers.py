"""All partitions of a service that this process owns, as its group membership changes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from prometheus_client import Gauge

from libs.common.clock import Clock
from libs.common.core import Core
from libs.common.log import Group, Log, LogError
from libs.common.snapshots import Snapshots
from libs.common.telemetry import dead_letters_total, log_commit_seconds
from libs.common.worker import Worker

WATCH_SECONDS: Final = 1.0
MEASURE_SECONDS: Final = 5.0

log_lag_records = Gauge(
    "omniroute_log_lag_records",
    "Records on the log that a service hasn't decided, of the partitions that this process owns",
    ["service", "topic"],
)
log_partitions_owned = Gauge(
    "omniroute_log_partitions_owned", "Partitions whose state this process holds and goes on with", ["service"]
)
log_partitions = Gauge("omniroute_log_partitions", "Partitions that there are, owned or not", ["service"])


class Workers:
    """All partitions of a service that this process owns, as its group membership changes."""

    def __init__(
        self,
        core: Callable[[], Core[Any]],
        port: Log,
        clock: Clock,
        *,
        grace_seconds: int = 0,
        snapshots: Snapshots | None = None,
    ) -> None:
        self._core = core
        self._log = port
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._snapshots = snapshots
        self._group: Group | None = None
        self._joined = asyncio.Event()
        self._generation = 0
        self.workers: dict[int, Worker] = {}

    @property
    def service(self) -> str:
        return self._core().service

    @property
    def inputs(self) -> tuple[str, ...]:
        return self._core().inputs

    def caught_up(self, ends: dict[tuple[str, int], int], now: int) -> bool:
        """Every partition of ours has decided all of its inputs up to `ends`, and no timer is due by `now`."""
        inputs = self.inputs
        return all(
            worker.caught_up({place: end for place, end in ends.items() if place[0] in inputs}, now)
            for worker in self.workers.values()
        )

    async def watch(self) -> None:
        """For ever, or until a worker ends that nobody stopped: raises what ended it."""
        while True:
            for worker in self.workers.values():
                if worker.failed is not None:
                    raise worker.failed
            await asyncio.sleep(WATCH_SECONDS)

    async def measure(self) -> None:
        """For ever: how far behind the log we are, and how much of it is ours."""
        log_partitions.labels(self.service).set(self._log.partitions)
        while True:
            with suppress(LogError):
                await self._measure()
            await asyncio.sleep(MEASURE_SECONDS)

    async def _measure(self) -> None:
        restored = [worker for worker in self.workers.values() if worker.machine is not None]
        log_partitions_owned.labels(self.service).set(len(restored))  # First: it is true without the log too.
        places = [(topic, partition) for partition in self.workers for topic in self.inputs]
        ends = await self._log.ends(places) if places else {}
        behind: Counter[str] = Counter()
        for worker in self.workers.values():
            behind.update(worker.behind(ends))
        for topic in self.inputs:
            log_lag_records.labels(self.service, topic).set(behind[topic])

    async def __aenter__(self) -> Workers:
        core = self._core()
        dead_letters_total.labels(core.service, "undecided")  # So that the first one is an increase.
        log_commit_seconds.labels(core.service)  # And so that none at all is seen to be none.
        self._group = await self._log.join(
            core.service, core.inputs, assigned=self._assigned, revoked=self._revoked
        )
        self._joined.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Finish the batches, then leave the group, so that a standby goes on at once."""
        await asyncio.gather(*(worker.drop() for worker in self.workers.values()))
        if self._group is not None:
            await self._group.leave()

    async def _assigned(self, partitions: frozenset[int]) -> None:
        """Workers of partitions that did not come back give up; the others go on or begin."""
        lost = [self.workers.pop(partition) for partition in sorted(self.workers.keys() - partitions)]
        await asyncio.gather(*(worker.give_up() for worker in lost))
        self._generation += 1
        self._starting = asyncio.create_task(self._start(partitions, self._generation))

    async def _start(self, partitions: frozenset[int], generation: int) -> None:
        """Restoring takes its time, so it never happens inside the rebalance that asked for it."""
        await self._joined.wait()
        assert self._group is not None
        if generation != self._generation:
            return
        for partition in sorted(partitions):
            if partition not in self.workers:
                self.workers[partition] = self._worker(partition, self._group)
            self.workers[partition].resume()

    def _worker(self, partition: int, group: Group) -> Worker:
        return Worker(
            self._core(),
            partition,
            self._log,
            group,
            self._clock,
            grace_seconds=self._grace_seconds,
            snapshots=self._snapshots,
        )

    async def _revoked(self, partitions: frozenset[int]) -> None:
        self._generation += 1
        for partition in partitions & self.workers.keys():
            self.workers[partition].may_lose()

