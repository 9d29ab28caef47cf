"""What must be so after any number of deaths, read from the topics and the senders' ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any, Final

import asyncpg
import msgspec

from libs.common.core import Core
from libs.common.events import COMMANDS, CONTACTS, ESCALATIONS, ROUTER_JOURNAL, ROUTING, SECOND, SLA_JOURNAL
from libs.common.events.codec import rfc3339
from libs.common.log import Log
from libs.common.machine import JournalEntry
from libs.common.replay import replay
from services.auditor.history import Report, audit, history
from services.auditor.promises import OFFER_GRACE_SECONDS
from services.demo.bots_sender import Ledger, Source
from services.router.core.core import RouterCore
from services.sla.core.core import SlaCore
from tests.integration.killed.company import Company
from tests.integration.killed.plans import FULL

STORED: Final = "SELECT account, source_id, contact_id FROM ingest_messages WHERE source_id IS NOT NULL"
SHOWN_MAX: Final = 10
SHARED_MACHINE_GRACE_SECONDS: Final = 60
"""Beside other tests nothing here has the machine to itself: then an offer must end, and how late is only told."""


async def judge(log: Log, database_url: str, ledger: Ledger) -> Report:
    """Every promise from every topic, the ledger against both, and every partition decided again."""
    report = await audit(log, offer_grace_seconds=OFFER_GRACE_SECONDS if FULL else SHARED_MACHINE_GRACE_SECONDS)
    print(f"offers ended {report.latest / SECOND:.2f} s late at most")
    assert not report.violations, "\n".join(str(one) for one in report.violations[:SHOWN_MAX])
    check_ledger(ledger, await stored(database_url), report)
    assert await replayed(log) == sum(report.commits.values())
    return report


async def stored(database_url: str) -> dict[Source, list[str]]:
    """The contacts of every message that ingest has."""
    connection = await asyncpg.connect(database_url)
    try:
        found: dict[Source, list[str]] = {}
        for row in await connection.fetch(STORED):
            found.setdefault((row["account"], row["source_id"]), []).append(row["contact_id"])
        return found
    finally:
        await connection.close()


def check_ledger(ledger: Ledger, contacts: dict[Source, list[str]], report: Report) -> None:
    """P1 and P2: each acknowledged source id has one contact, and it was opened and closed."""
    assert not ledger.refused, ledger.refused
    assert not ledger.contradicted, ledger.contradicted
    lost = [source for source in ledger.acked if len(contacts.get(source, ())) != 1]
    assert not lost, f"P1, P2: {len(lost)} without exactly one message: {lost[:SHOWN_MAX]}"
    named = {source: contacts[source][0] for source in ledger.acked}
    otherwise = [source for source, told in ledger.acked.items() if told not in (None, named[source])]
    assert not otherwise, f"P1: told otherwise: {otherwise[:SHOWN_MAX]}"
    assert max(Counter(named.values()).values()) == 1, "P2: two source ids share a contact"
    assert report.opened == set(named.values()), "P1, P2: the topic has others than the ledger"
    assert report.closed == report.opened, f"not closed: {sorted(report.opened - report.closed)[:SHOWN_MAX]}"


async def replayed(log: Log) -> int:
    """P11: decide every partition again from its first record; how many commits there were."""
    commits = 0
    for core in (RouterCore, SlaCore):
        for partition in range(log.partitions):
            commits += await _replayed(log, core(), partition)
    return commits


async def _replayed(log: Log, core: Core[Any], partition: int) -> int:
    commits = 0
    async for commit in replay(log, core, partition, ()):
        commits += 1
        assert commit.identical, f"P11: {core.service} {partition}, batch {commit.entry.batch} is decided otherwise"
    return commits


def summary(company: Company, report: Report) -> str:
    """What was seen, in a few lines."""
    did = sum((Counter(asdict(one)) for one in company.worked), Counter[str]())
    return "\n".join((
        f"{len(company.ledger.acked)} acknowledged, {company.ledger.repeats} sent twice, "
        f"{report.relayed_twice} relayed twice",
        f"agents: {dict(did)}",
        f"records: {dict(sorted(report.records.items()))}",
        f"events: {dict(sorted(report.events.items()))}",
        f"commits, all decided again to the same bytes: {dict(report.commits)}",
    ))  # fmt: skip


async def standing(log: Log) -> str:
    """How far each partition's machines are, for whoever wonders why nothing moves."""
    lines = []
    for partition in range(log.partitions):
        last: dict[str, tuple[int, int, int]] = {}
        fed: dict[str, int] = {}
        async for record in history(log, partition):
            if record.topic in (ROUTER_JOURNAL, SLA_JOURNAL):
                entry = msgspec.json.decode(record.value or b"", type=JournalEntry)
                last[record.topic] = entry.batch, entry.at, entry.restored_at or last.get(record.topic, (0, 0, 0))[2]
                fed |= {f"{record.topic} {step.topic}": step.end for step in entry.steps if step.topic}
        ends = await log.ends([(topic, partition) for topic in (COMMANDS, CONTACTS, ROUTING, ESCALATIONS)])
        told = {topic: (batch, rfc3339(at), rfc3339(restored)) for topic, (batch, at, restored) in last.items()}
        lines.append(f"{partition}: {told} fed {fed} of {ends}")
    return "\n".join(lines)
