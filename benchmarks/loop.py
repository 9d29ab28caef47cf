"""The router's whole log loop against a transactional loop that decides nothing, on one broker, in turn.

    python -m benchmarks.loop [--contacts 5000] [--rounds 3]

Each contact is four inputs: opened, accepted, answered, closed. The router's loop reads them, decides, and commits
decisions, changed entities, positions, journal and outcomes in transactions of at most 20 ms or 500 inputs. The bare
loop reads the same inputs through the same reader and commits records of the same number and size, made beforehand,
in as many transactions. What is left between the two is what deciding costs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from rich.console import Console
from rich.progress import track
from rich.table import Table

from libs.common.clock import SystemClock
from libs.common.drafts import command_draft
from libs.common.events import COMMANDS, CONTACTS, SECOND, TOPICS, pool_key
from libs.common.events.codec import encode_headers, encode_value
from libs.common.events.commands import AcceptOffer, CloseContact, Command, PutAgent, PutPool, PutQueue, SetPresence
from libs.common.events.contacts import ContactFact, ContactOpened, ResponseObserved
from libs.common.events.values import Capacity, Reach
from libs.common.log import Draft, Log, Reader
from libs.common.log.kafka import open_kafka_log
from libs.common.log.port import Place
from libs.common.log.topics import create_topics
from libs.common.workers import Workers
from services.router.core.core import RouterCore
from tests.kafka.kafka_broker import KafkaBroker

KEY = pool_key("bench", "main")
AGENTS = 20
AHEAD = 500
"""Contacts lie this far before the commands about them, as they do when people answer."""
OUTPUTS = tuple(topic for topic in TOPICS if topic not in (CONTACTS, COMMANDS))


def now() -> int:
    return time.time_ns() // 1_000


def fact(event: ContactFact, sequence: int) -> Draft:
    value = encode_value(event, sequence=sequence, cause="")
    return Draft(topic=CONTACTS, key=KEY, value=value, headers=encode_headers(event, sequence=sequence))


def furnished() -> list[Draft]:
    """A pool, its queue, and agents whom nothing fills."""
    room = Capacity(units=10**9, cost={"voice": 1, "live": 1, "async": 1})
    wishes: list[Command] = [
        PutPool(key=KEY, at=now(), command_id="pool", actor="bench"),
        PutQueue(key=KEY, at=now(), command_id="queue", actor="bench", queue_id="everyone"),
    ]
    for n in range(AGENTS):
        wishes += [
            PutAgent(
                key=KEY, at=now(), command_id=f"hire{n}", actor="bench", agent_id=f"agent{n}", skills={"public": 5},
                capacity=room,
            ),
            SetPresence(
                key=KEY, at=now(), command_id=f"there{n}", actor="bench", agent_id=f"agent{n}", status="available",
                lease_seconds=86_400,
            ),
        ]  # fmt: skip
    return [command_draft(wish) for wish in wishes]


def opened(n: int) -> Draft:
    return fact(
        ContactOpened(
            key=KEY, at=now(), contact_id=f"con_{n}", message_id=f"msg_{n}", account="brand-on-x", channel="x",
            medium="async", visibility="public", customer_id=f"cus_{n}", occurred_at=now() - SECOND, language="it",
            reach=Reach(followers=12_000, views=45_000), sentiment=-0.4,
        ),
        1,
    )  # fmt: skip


def answered(n: int) -> Draft:
    return fact(
        ResponseObserved(key=KEY, at=now(), contact_id=f"con_{n}", visibility="public", occurred_at=now()), 2
    )


def accepted(n: int) -> Draft:
    return command_draft(
        AcceptOffer(key=KEY, at=now(), command_id=f"accept_{n}", actor="bench", offer_id=f"con_{n}.offer.1")
    )


def closed(n: int) -> Draft:
    return command_draft(CloseContact(key=KEY, at=now(), command_id=f"close_{n}", actor="bench", contact_id=f"con_{n}"))


async def fill(log: Log, contacts: int) -> None:
    """All inputs on the log before anybody reads; commands lie behind what they are about."""
    await log.append(0, [opened(n) for n in range(min(AHEAD, contacts))])
    for start in track(range(0, contacts, 100), description="writing inputs", transient=True):
        some = range(start, min(start + 100, contacts))
        coming = range(min(start + AHEAD, contacts), min(start + AHEAD + 100, contacts))
        await log.append(0, [*(opened(n) for n in coming), *(answered(n) for n in some)])
        await log.append(0, [draft for n in some for draft in (accepted(n), closed(n))])


async def ends(log: Log, topics: Sequence[str]) -> dict[Place, int]:
    return await log.ends([(topic, 0) for topic in topics])


async def router_loop(log: Log, inputs: int) -> float:
    """Seconds from the first decision to the last commit."""
    workers = Workers(RouterCore, log, SystemClock())
    async with workers:
        while 0 not in workers.workers or workers.workers[0].machine is None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        begun = time.perf_counter()
        limit = await ends(log, RouterCore.inputs)
        while not workers.caught_up(limit, 0):  # noqa: ASYNC110 - the figure is good to a few milliseconds
            await asyncio.sleep(0.002)
        return time.perf_counter() - begun


async def written(log: Log) -> list[Draft]:
    """Everything that the router wrote, in sizes: keys and headers as they were, values of as many bytes."""
    limit = await ends(log, OUTPUTS)
    reader = await log.reader(dict.fromkeys(limit, 0))
    drafts: list[Draft] = []
    while any(reader.next_positions()[place] < end for place, end in limit.items()):
        for record in await reader.read(max_records=2_000, wait_seconds=1):
            value = None if record.value is None else os.urandom(len(record.value) // 2).hex().encode()
            drafts.append(Draft(topic=record.topic, key=record.key, value=value, headers=record.headers))
    await reader.close()
    return drafts


async def bare_loop(log: Log, drafts: list[Draft], transactions: int, inputs: int) -> float:
    owner = await log.own("bare", 0)
    reader = await log.reader({(topic, 0): 0 for topic in RouterCore.inputs})
    share = -(-len(drafts) // transactions)
    taken, begun = 0, time.perf_counter()
    for start in range(0, len(drafts), share):
        taken += await read_some(reader, -(-inputs // transactions) if taken < inputs else 0)
        await owner.commit(drafts[start : start + share])
    spent = time.perf_counter() - begun
    await reader.close()
    await owner.close()
    return spent


async def read_some(reader: Reader, most: int) -> int:
    return len(await reader.read(max_records=most, wait_seconds=1)) if most else 0


@asynccontextmanager
async def fresh_log(bootstrap: str, name: str) -> AsyncIterator[Log]:
    await create_topics(bootstrap, TOPICS, partitions=1, topic_prefix=f"{name}.")
    async with open_kafka_log(bootstrap, partitions=1, topic_prefix=f"{name}.") as log:
        yield log


async def one_round(bootstrap: str, name: str, contacts: int) -> tuple[int, float, float, int, int]:
    """(inputs, router's seconds, bare seconds, records written, transactions)"""
    async with fresh_log(bootstrap, name) as log:
        await log.append(0, furnished())
        await fill(log, contacts)
        inputs = sum((await ends(log, (CONTACTS, COMMANDS))).values())
        routed = await router_loop(log, inputs)
        drafts = await written(log)
        transactions = sum(draft.topic.endswith("journal") for draft in drafts)
    async with fresh_log(bootstrap, f"{name}bare") as log:
        await log.append(0, furnished())
        await fill(log, contacts)
        return inputs, routed, await bare_loop(log, drafts, transactions, inputs), len(drafts), transactions


async def measure(contacts: int, rounds: int) -> None:
    columns = "round", "inputs", "transactions", "records out", "router inputs/s", "bare inputs/s", "ratio", "µs/input"
    table = Table(*columns)
    ratios, costs = [], []
    with KafkaBroker(quick_jit=False) as broker:
        await one_round(broker.bootstrap, "warm", min(contacts, 1_000))
        for number in range(1, rounds + 1):
            inputs, routed, bare, records, transactions = await one_round(broker.bootstrap, f"r{number}", contacts)
            ratios.append(bare / routed)
            costs.append(routed / inputs * 1e6)
            row = (number, inputs, transactions, records, f"{inputs / routed:,.0f}", f"{inputs / bare:,.0f}")
            table.add_row(*map(str, row), f"{bare / routed:.2f}", f"{routed / inputs * 1e6:.0f}")
    console = Console()
    console.print(table)
    console.print(f"router loop ÷ bare loop: median {statistics.median(ratios):.2f} (≥ 0.5 binds); "
                  f"{statistics.median(costs):.0f} µs an input (200 is the aim)")  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--contacts", type=int, default=5_000)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    asyncio.run(measure(asked.contacts, asked.rounds))


if __name__ == "__main__":
    main()
