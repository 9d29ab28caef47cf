"""The one-process default on its own PostgreSQL: killed alone, and together with its server, the promises hold."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from random import Random

import httpx
import pytest

from libs.common.crash import Point
from libs.common.log.postgres import open_postgres_log
from libs.common.postgres import embedded
from tests.integration.killed import plans
from tests.integration.killed.company import KEY, PARTITIONS, Company, write_under_fire
from tests.integration.killed.judge import judge, summary
from tests.integration.killed.one_process import one_process
from tests.integration.killed.processes import Slot, Ways

POINTS: tuple[Point, ...] = ("tick.written", "tick.committed", "worker.committed", "worker.restoring")


def postmaster(home: Path) -> int:
    return int((home / "data" / "postgres" / "postmaster.pid").read_text().split()[0])


async def kill_in_turn(slot: Slot, home: Path, rng: Random) -> None:
    """At random, alone and with its server, then at each point; last the server alone, which it starts again."""
    for number in range(2 * plans.EACH_POINT):
        await asyncio.sleep(rng.uniform(1, 3))
        slot.died.clear()
        if number % 2:
            os.kill(postmaster(home), signal.SIGKILL)
        slot.kill("with its server" if number % 2 else "random")
        await slot.died.wait()
        await slot.ready()
    while not slot.done:  # noqa: ASYNC110 - processes tell by dying
        await asyncio.sleep(0.2)
    await slot.ready()
    await asyncio.sleep(rng.uniform(0.5, 2))
    for _ in range(plans.EACH_POINT):
        os.kill(postmaster(home), signal.SIGKILL)
        slot.deaths["server"] += 1
        await asyncio.sleep(rng.uniform(4, 6))  # It looks after its server every two seconds.


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_one_process_default_keeps_every_promise(home: Path) -> None:
    rng, seed = plans.seeded()
    print(f"seed {seed}, {plans.CONTACTS} contacts")
    async with one_process(home) as slot:
        slot.orders = plans.orders(rng, POINTS)
        company = await under_fire(slot, home, rng)
    async with embedded(home / "data") as url, open_postgres_log(url, partitions=PARTITIONS) as log:
        report = await judge(log, url, company.ledger)
    print(dict(slot.deaths))
    print(summary(company, report))
    assert not slot.deaths["unasked"]
    assert all(slot.deaths[point] >= plans.EACH_POINT for point in (*POINTS, "random", "with its server", "server"))


async def under_fire(slot: Slot, home: Path, rng: Random) -> Company:
    headers = {"authorization": f"Bearer {KEY}"}
    ways = Ways({"ingest": [slot], "router": [slot], "sla": [slot]})
    async with httpx.AsyncClient(transport=ways, base_url="http://omniroute", headers=headers, timeout=10) as client:
        company = Company(client, Random(rng.random()))
        await company.furnish()
        async with company.at_work():
            await write_under_fire(company, kill_in_turn(slot, home, rng), plans.RATE, plans.CONTACTS)
            await company.settled()
    return company
