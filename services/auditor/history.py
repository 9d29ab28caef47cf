"""A whole log, read from its beginning: what it holds, and which promises it breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Final

from libs.common.log import Log, Record
from services.auditor.checker import EVERYTHING, Checker
from services.auditor.promises import OFFER_GRACE_SECONDS, Violation

READ_MAX: Final = 2_000
READ_WAIT_SECONDS: Final = 1.0


@dataclass(kw_only=True)
class Report:
    """`records` counts by topic, `commits` by service; `opened` are all contacts that ingest opened."""

    violations: list[Violation] = field(default_factory=list)
    records: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    commits: Counter[str] = field(default_factory=Counter)
    opened: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    relayed_twice: int = 0
    waiting: int = 0
    latest: int = 0
    """As the auditor's, of all partitions."""


async def audit(log: Log, *, offer_grace_seconds: int = OFFER_GRACE_SECONDS) -> Report:
    """Read every partition of every topic up to its end as it is now, and check it. Raises LogError."""
    report = Report()
    for partition in range(log.partitions):
        records = [record async for record in history(log, partition)]
        audit_partition(partition, records, report, offer_grace_seconds=offer_grace_seconds)
    return report


async def history(log: Log, partition: int) -> AsyncIterator[Record]:
    """Every record of the partition, in order within each topic."""
    places = [(topic, partition) for topic in EVERYTHING]
    ends = await log.ends(places)
    reader = await log.reader(dict.fromkeys(places, 0))
    try:
        while any(reader.next_positions()[place] < end for place, end in ends.items()):
            for record in await reader.read(max_records=READ_MAX, wait_seconds=READ_WAIT_SECONDS):
                yield record
    finally:
        await reader.close()


def audit_partition(
    partition: int, records: Iterable[Record], report: Report, *, offer_grace_seconds: int = OFFER_GRACE_SECONDS
) -> None:
    """Check one partition's history and add what it comes to."""
    checker = Checker(partition, offer_grace_seconds=offer_grace_seconds)
    for record in records:
        report.violations += checker.take(record)
        count(record, report)
    finish(partition, checker, report)


def count(record: Record, report: Report) -> None:
    report.records[record.topic] += 1
    kind = record.headers.get("ce_type", "")
    report.events[kind] += 1
    if kind == "contact.opened":
        report.opened.add(record.headers.get("ce_subject", ""))
    elif kind in ("contact.closed", "contact.abandoned"):
        report.closed.add(record.headers.get("ce_subject", ""))


def finish(partition: int, checker: Checker, report: Report) -> None:
    """What only the end of a history shows."""
    name = f"partition {partition}"
    for (key, contact_id), at in checker.facts.unrouted().items():
        report.violations.append(Violation("P1", key, contact_id, at, "opened and never queued"))
    if checker.undecided():
        detail = f"{checker.undecided()} decisions of no commit"
        report.violations.append(Violation("P13", name, "journal", checker.journals["router"].at, detail))
    report.violations += checker.ladders.pass_time(checker.journals["sla"].at)
    report.relayed_twice += checker.facts.repeats
    report.waiting += len(checker.auditor.waiting())
    report.latest = max(report.latest, checker.auditor.latest)
    for service, journal in checker.journals.items():
        report.commits[service] += journal.commits
