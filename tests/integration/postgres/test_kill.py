"""The server is killed, or the wire cut, in the middle of commits and appends: the senders' own ledgers say what
must be there, once, in order and without a gap."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from libs.common.events import ROUTER_STATE, ROUTING
from libs.common.log import Aborted, Fenced, LogError, Owner
from libs.common.log.postgres import PostgresLog, open_postgres_log
from libs.common.postgres import embedded, migrate
from tests.contract.log.worlds import drafts, entity, everything, values
from tests.integration.postgres.cut import At, Cut

PATIENCE_SECONDS = 60
PARTITIONS = 4


async def restored(owner: Owner) -> dict[str, str]:
    return {key: value.decode() async for key, value in owner.restore(ROUTER_STATE)}


@dataclass
class Ledger:
    """What a worker of one partition was told."""

    batches: int = 0
    unknown: int = 0
    appended: list[str] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)
    went_on: asyncio.Event = field(default_factory=asyncio.Event)


async def commit_on(log: PostgresLog, partition: int, ledger: Ledger, stop: asyncio.Event) -> None:
    """As a worker does: aborted batches are sent again, whoever is fenced restores how far it is."""
    owner = await own(log, partition)
    while not stop.is_set():
        batch = ledger.batches
        try:
            await owner.commit([*drafts(f"{batch}.0", f"{batch}.1"), entity("batches", str(batch + 1))])
            ledger.batches += 1
            ledger.went_on.set()
        except Aborted:
            pass
        except Fenced:
            ledger.unknown += 1
            owner = await own(log, partition)
            ledger.batches = int((await state_of(owner)).get("batches", "0"))
            assert ledger.batches in {batch, batch + 1}, "what was acknowledged is there"


async def append_on(log: PostgresLog, partition: int, ledger: Ledger, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        name = f"a{number}"
        number += 1
        try:
            await log.append(partition, drafts(name))
            ledger.appended.append(name)
            ledger.went_on.set()
        except LogError:
            ledger.doubtful.add(name)


async def own(log: PostgresLog, partition: int) -> Owner:
    while True:
        try:
            return await log.own("router", partition)
        except LogError:
            continue  # It waited for some seconds already.


async def state_of(owner: Owner) -> dict[str, str]:
    while True:
        try:
            return await restored(owner)
        except LogError:
            continue


def check(found: list[str], ledger: Ledger) -> None:
    expected = [f"{batch}.{half}" for batch in range(ledger.batches) for half in range(2)]
    assert [value for value in found if not value.startswith("a")] == expected
    appended = [value for value in found if value.startswith("a")]
    assert len(appended) == len(set(appended)), "nothing is doubled"
    assert [value for value in appended if value not in ledger.doubtful] == ledger.appended


async def check_all(log: PostgresLog, ledgers: list[Ledger]) -> None:
    for partition, ledger in enumerate(ledgers):
        records = await everything(log, ROUTING, partition=partition)
        assert [record.position for record in records] == list(range(len(records)))
        check(values(records), ledger)


async def until_more(
    ledgers: list[Ledger], more: int, done: Callable[[Ledger], int] = lambda ledger: ledger.batches
) -> None:
    """Everyone has gone on by so many batches, or by so much of something else that was `done`."""
    goals = [done(ledger) + more for ledger in ledgers]
    async with asyncio.timeout(PATIENCE_SECONDS):
        for ledger, goal in zip(ledgers, goals, strict=True):
            while done(ledger) < goal:
                ledger.went_on.clear()
                await ledger.went_on.wait()


@asynccontextmanager
async def load(log: PostgresLog) -> AsyncIterator[list[Ledger]]:
    """A worker and an appending caller a partition, until the end of the block."""
    ledgers = [Ledger() for _ in range(PARTITIONS)]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as working:
        for partition, ledger in enumerate(ledgers):
            working.create_task(commit_on(log, partition, ledger, stop))
            working.create_task(append_on(log, partition, ledger, stop))
        try:
            yield ledgers
        finally:
            stop.set()


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


async def test_the_server_killed_under_load_loses_and_doubles_nothing(data_dir: Path) -> None:
    async with embedded(data_dir) as url:
        await migrate(url)
        async with open_postgres_log(url, partitions=PARTITIONS) as log:
            async with load(log) as ledgers:
                for _ in range(3):
                    await until_more(ledgers, 20)
                    os.kill(postmaster(data_dir), signal.SIGKILL)
                await until_more(ledgers, 20)
            await check_all(log, ledgers)


async def test_the_wire_cut_at_commits_loses_and_doubles_nothing(cut: Cut) -> None:
    async with open_postgres_log(cut.url, partitions=PARTITIONS) as log:
        async with load(log) as ledgers:
            for at in (At.AFTER_COMMIT, At.BEFORE_COMMIT) * 5:
                await until_more(ledgers, 3)  # Then it is the appends' turn,
                cut.at = at
                await until_more(ledgers, 3, lambda ledger: len(ledger.appended))  # and now the owners'.
                cut.at = at
            await until_more(ledgers, 3)
        await check_all(log, ledgers)
        assert sum(ledger.unknown for ledger in ledgers) > 0, "no commit was cut"
        assert sum(len(ledger.doubtful) for ledger in ledgers) > 0, "no append was cut"


async def test_the_wire_cut_anywhere_loses_and_doubles_nothing(cut: Cut) -> None:
    async with open_postgres_log(cut.url, partitions=PARTITIONS) as log:
        async with load(log) as ledgers:
            for _ in range(10):
                await until_more(ledgers, 3)
                cut.down()
                await cut.refused.wait()
                cut.up()
            await until_more(ledgers, 3)
        await check_all(log, ledgers)
