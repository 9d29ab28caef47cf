"""Contacts are referred to a pool on another partition while the process is killed: each opens there exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
import msgspec
import pytest

from libs.common.events import CONTACTS, ROUTING
from libs.common.log import Log, Record
from libs.common.log.postgres import open_postgres_log
from libs.common.outbox import outbox_position
from libs.common.postgres import embedded
from services.auditor.history import audit, history
from services.demo.bots_requests import insist
from tests.integration.killed import plans
from tests.integration.killed.company import KEY, PARTITIONS, message, pools
from tests.integration.killed.one_process import one_process
from tests.integration.killed.processes import Slot, Ways

REFERRED: Final = 60
KILLS: Final = 4
SETTLED_SECONDS_MAX: Final = 120


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_whatever_dies_a_referred_contact_opens_once(home: Path) -> None:
    rng, seed = plans.seeded()
    print(f"seed {seed}")
    async with one_process(home) as slot:
        linked = await refer_under_fire(slot, rng)
    async with embedded(home / "data") as url, open_postgres_log(url, partitions=PARTITIONS) as log:
        report = await audit(log)
        opened, referred = await told(log)
    print(dict(slot.deaths), f"{len(opened)} opened, {report.relayed_twice} relayed twice")
    assert slot.deaths["random"] == KILLS
    assert not report.violations, "\n".join(str(one) for one in report.violations[:10])
    assert {*linked} == {*referred} == {*opened}
    assert {*opened.values()} == {1}


async def refer_under_fire(slot: Slot, rng: Random) -> list[str]:
    """The ids of the linked contacts, as the answers told them."""
    here, there, *_ = pools()
    headers, ways = {"authorization": f"Bearer {KEY}"}, Ways({"ingest": [slot], "router": [slot], "sla": [slot]})
    async with httpx.AsyncClient(transport=ways, base_url="http://omniroute", headers=headers, timeout=10) as client:
        for pool in (here, there):
            await well(client, "PUT", f"/v1/pools/{pool}", {})
        await well(client, "PUT", f"/v1/accounts/web-{here}", {"provider": "generic", "pool": here})
        killing = asyncio.create_task(kill_at_random(slot, rng))
        linked = [await refer(client, here, there, number) for number in range(REFERRED)]
        await killing
        await slot.ready()
        await arrived(client, linked)
    return linked


async def kill_at_random(slot: Slot, rng: Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(rng.uniform(0.5, 2))
        slot.died.clear()
        slot.kill("random")
        await slot.died.wait()
        await slot.ready()


async def refer(client: httpx.AsyncClient, here: str, there: str, number: int) -> str:
    sent = await well(client, "POST", "/v1/contacts", message(here, number), key=f"send-{number}")
    path = f"/v1/contacts/{sent['contact_id']}"
    await until_known(client, path)
    answer = await well(client, "POST", f"{path}/refer", {"pool": there}, key=f"refer-{number}")
    return str(answer["linked_id"])


async def arrived(client: httpx.AsyncClient, linked: list[str]) -> None:
    for contact_id in linked:
        await until_known(client, f"/v1/contacts/{contact_id}")


async def until_known(client: httpx.AsyncClient, path: str) -> None:
    """Until the router has placed it."""
    async with asyncio.timeout(SETTLED_SECONDS_MAX):
        while True:
            answer = await insist(client, "GET", path)
            if answer.is_success and answer.json()["state"] == "waiting":
                return
            await asyncio.sleep(0.05)


async def well(client: httpx.AsyncClient, method: str, path: str, body: Any, key: str | None = None) -> dict[str, Any]:
    answer = await insist(client, method, path, json=body, key=key)
    assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
    return dict(answer.json())


async def told(log: Log) -> tuple[Counter[str], list[str]]:
    """How often each linked contact opened, what the relay appended again left out; and which ones the router named."""
    opened, referred = Counter[str](), []
    for partition in range(log.partitions):
        last = 0
        async for record in history(log, partition):
            if record.topic == CONTACTS:
                position = outbox_position(record.headers) or 0
                fresh, last = position > last, max(last, position)
                opened.update(linked_of(record) if fresh else ())
            elif record.topic == ROUTING and record.headers["ce_type"] == "contact.referred":
                referred.append(msgspec.json.decode(record.value or b"")["linked_id"])
    return opened, referred


def linked_of(record: Record) -> list[str]:
    linked = record.headers["ce_type"] == "contact.opened" and ".linked." in record.headers["ce_subject"]
    return [record.headers["ce_subject"]] if linked else []
