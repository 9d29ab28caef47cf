"""`omniroute replay`: decide the recorded log again and compare, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from libs.common.core import Core
from libs.common.events.codec import rfc3339
from libs.common.log import Log
from libs.common.replay import Missing, replay
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
    owner = await log.own(service, partition)
    try:
        return [pair async for pair in owner.restore(f"omniroute.{service}.state")]
    finally:
        await owner.close()


async def _replay_partition(
    foundation: Foundation, core: Core[Any], partition: int, start: int, end: int | None, report: Report
) -> None:
    snapshot = await Snapshots(foundation.database).before(core.service, partition, start)
    entities = [] if snapshot is None else snapshot.entities
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
