"""`omniroute replay`: decide the recorded log again and compare, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Final

import msgspec

from libs.common.core import Core
from libs.common.events.codec import rfc3339
from libs.common.log import Log
from libs.common.replay import READ_MAX, READ_WAIT_SECONDS, Missing, journal, replay
from libs.common.settings import Settings
from libs.common.snapshots import Snapshots
from services.all.foundation import Foundation, founded
from services.router.core.core import RouterCore
from services.sla.core.core import SlaCore

CORES: Final[tuple[Callable[[], Core[Any]], ...]] = (RouterCore, SlaCore)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that the present code decides otherwise, or whose inputs are gone (`missing`)."""

    service: str
    partition: int
    batch: int | None
    at: str | None
    version: str | None
    missing: str | None = None


class Report(msgspec.Struct, kw_only=True):
    commits: int = 0
    decisions: int = 0
    differences: list[Difference] = []

    @property
    def identical(self) -> bool:
        return not self.differences


async def replay_log(settings: Settings, start: int, end: int | None, progress: Callable[[str], None]) -> Report:
    """Replay every partition of every service from the snapshot before `start` up to `end` (microseconds)."""
    report = Report()
    async with founded(settings, set_up=False) as foundation:
        for core in CORES:
            for partition in range(foundation.log.partitions):
                progress(f"{core().service} {partition}")
                await _replay_partition(foundation, core(), partition, start, end, report)
    return report


async def take_snapshots(settings: Settings) -> int:
    """Keep the state of every partition as it is now, to replay from later; how many were kept."""
    async with founded(settings, set_up=False) as foundation:
        snapshots = Snapshots(foundation.database)
        for core in CORES:
            for partition in range(foundation.log.partitions):
                entities = await _state(foundation.log, core().service, partition)
                await snapshots.save(core().service, partition, entities)
        return len(CORES) * foundation.log.partitions


async def _state(log: Log, service: str, partition: int) -> list[tuple[str, bytes]]:
    """The last value of each entity between two commits; read, not owned: whoever decides there goes on."""
    place = (f"omniroute.{service}.state", partition)
    end = (await log.stable_ends([place]))[place]
    reader = await log.reader({place: 0})
    last: dict[str, bytes] = {}
    try:
        while reader.next_positions()[place] < end:
            for record in await reader.read(max_records=READ_MAX, wait_seconds=READ_WAIT_SECONDS):
                if record.position < end:
                    last.pop(record.key, None)
                    last |= {} if record.value is None else {record.key: record.value}
    finally:
        await reader.close()
    return list(last.items())


async def beginning(
    foundation: Foundation, service: str, partition: int, start: int
) -> list[tuple[str, bytes]]:
    """The snapshot before `start`; without one the very beginning, or the first snapshot where that was cut off."""
    snapshots = Snapshots(foundation.database)
    snapshot = await snapshots.before(service, partition, start)
    if snapshot is None:
        async with aclosing(journal(foundation.log, service, partition, after=0)) as entries:
            earliest = await anext(entries, None)
        if earliest is not None and earliest.batch > 1:
            snapshot = await snapshots.first(service, partition, earliest.batch - 1)
    return [] if snapshot is None else snapshot.entities


async def _replay_partition(
    foundation: Foundation, core: Core[Any], partition: int, start: int, end: int | None, report: Report
) -> None:
    entities = await beginning(foundation, core.service, partition, start)
    try:
        async for commit in replay(foundation.log, core, partition, entities, until=end):
            report.commits += 1
            report.decisions += len(commit.drafts)
            if not commit.identical:
                entry = commit.entry
                report.differences.append(
                    Difference(
                        service=core.service,
                        partition=partition,
                        batch=entry.batch,
                        at=rfc3339(entry.at),
                        version=entry.version,
                    )
                )
                return  # What follows a difference differs for that reason alone.
    except Missing as gone:
        report.differences.append(
            Difference(
                service=core.service, partition=partition, batch=None, at=None, version=None, missing=str(gone)
            )
        )
