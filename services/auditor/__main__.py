"""The auditor for as long as there is traffic: reads what the services write, and says aloud which promise breaks.

It begins at the present ends and knows nothing of what was before, so a start never alarms; nor does a log that was
away, which nobody could write to. What it then remembers is bounded by what is open and by a day of what has ended.
One in an installation is enough: it reads every partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import Counter, Gauge

from libs.common.beside import beside
from libs.common.clock import Clock
from libs.common.events import SECOND
from libs.common.log import Log, LogError, Reader, Record
from libs.common.telemetry import log as say
from services.auditor.checker import WATCHED, Checker
from services.auditor.promises import Violation

READ_MAX: Final = 1_000
READ_WAIT_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 60
"""How long after its time-out an offer may be live when its router says nothing at all."""
CHECKED: Final = ("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P13")

VIOLATIONS: Final = Counter("omniroute_promise_violations_total", "Promises that were seen broken", ["promise"])
AUDITED: Final = Counter("omniroute_audited_records_total", "Records that the auditor has checked")
UNJUDGED: Final = Gauge("omniroute_audited_decisions_waiting", "Decisions whose commit the auditor hasn't seen yet")


@asynccontextmanager
async def running(port: Log, clock: Clock) -> AsyncIterator[Watch]:
    """Audits in the background for as long as the block lasts. Raises LogError when the log can't be reached."""
    for promise in CHECKED:
        VIOLATIONS.labels(promise)
    watch = await Watch.from_now(port, clock)
    async with beside(watch.run()):
        yield watch


class Watch:
    def __init__(self, port: Log, clock: Clock, start: dict[tuple[str, int], int]) -> None:
        self._log = port
        self._clock = clock
        self._next = start
        partitions, now = range(port.partitions), clock.now()
        self._checkers = [Checker(partition, from_start=False, began_at=now) for partition in partitions]
        self.broken: int = 0
        """How many promises were seen broken."""

    @classmethod
    async def from_now(cls, port: Log, clock: Clock) -> Watch:
        places = [(topic, partition) for topic in WATCHED for partition in range(port.partitions)]
        return cls(port, clock, await port.stable_ends(places))

    def next_positions(self) -> dict[tuple[str, int], int]:
        """Everything below is checked."""
        return dict(self._next)

    async def run(self) -> None:
        """For ever; a log that fails is asked again from the same place."""
        while True:
            try:
                reader = await self._log.reader(self._next)
            except LogError as failure:
                await self._rest(failure)
                continue
            try:
                await self._read_on(reader)
            except LogError as failure:
                await self._rest(failure)
            finally:
                await reader.close()

    async def _rest(self, failure: LogError) -> None:
        say.warning("audit_delayed", error=type(failure).__name__)
        await asyncio.sleep(RETRY_SECONDS)
        for checker in self._checkers:
            checker.restored(self._clock.now())

    async def _read_on(self, reader: Reader) -> None:
        while True:
            records = await reader.read(max_records=READ_MAX, wait_seconds=READ_WAIT_SECONDS)
            self._check(records)
            self._next = reader.next_positions()
            if len(records) < READ_MAX:
                self._pass_time()

    def _check(self, records: Sequence[Record]) -> None:
        for record in records:
            self._report(self._checkers[record.partition].take(record))
        AUDITED.inc(len(records))
        UNJUDGED.set(sum(checker.undecided() for checker in self._checkers))

    def _pass_time(self) -> None:
        """Nothing more is to be read: what should have happened a while ago has not."""
        for checker in self._checkers:
            self._report(checker.pass_time(self._clock.now() - SILENCE_SECONDS * SECOND))

    def _report(self, violations: Iterable[Violation]) -> None:
        for one in violations:
            self.broken += 1
            VIOLATIONS.labels(one.promise).inc()
            say.error("promise_broken", **one._asdict())
