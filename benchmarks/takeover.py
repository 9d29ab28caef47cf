"""How long the partitions of a router stand still when its process ends: told to (SIGTERM), or killed (SIGKILL).

    python -m benchmarks.takeover [--rounds 5] [--partitions 4]

Two `omniroute serve router` on a real Kafka and a real PostgreSQL share the partitions. Contacts come to every
partition all the time. In each round one process ends; measured is the longest time that a contact which came after
the signal, on any partition, waited for the first decision about it to be committed. Then a new process takes the
place, and the next round begins when both decide again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from libs.common.drafts import command_draft
from libs.common.events import CONTACTS, ROUTING, SECOND, pool_key
from libs.common.events.codec import decode, encode_headers, encode_value
from libs.common.events.commands import PutPool, PutQueue
from libs.common.events.contacts import ContactOpened
from libs.common.log import Draft, Log
from libs.common.log.kafka import open_kafka_log
from libs.common.postgres import embedded
from tests.kafka.kafka_broker import KafkaBroker, free_ports

EVERY_SECONDS = 0.05
"""Between two contacts of one partition."""
READY_SECONDS_MAX = 60
ROUND_SECONDS_MAX = 120
DECIDED = re.compile(r'^omniroute_decision_seconds_count{service="router"} (\S+)', re.MULTILINE)
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}

_numbers = count(1)


def now() -> int:
    return time.time_ns() // 1_000


@dataclass
class Router:
    """A process of its own."""

    env: dict[str, str]
    folder: Path
    port: int = field(default_factory=lambda: free_ports(1)[0])

    def start(self) -> None:
        said = (self.folder / f"router.{self.port}").open("a")
        command = [sys.executable, "-m", "services.all", "serve", "router"]
        env = self.env | {"OMNIROUTE_PORT": str(self.port)}
        self.process = subprocess.Popen(command, env=env, stdout=said, stderr=subprocess.STDOUT)
        said.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    async def decided(self, client: httpx.AsyncClient) -> float:
        """How many inputs it has decided; 0 while it doesn't answer."""
        with suppress(httpx.TransportError):
            found = DECIDED.search((await client.get(f"http://127.0.0.1:{self.port}/metrics")).text)
            return float(found[1]) if found else 0
        return 0


class Stream:
    """Contacts that come to every partition, and when each was decided about first."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._sent: dict[str, tuple[int, float]] = {}
        self._decided: dict[str, float] = {}
        self._moved = asyncio.Condition()

    async def furnish(self) -> None:
        for partition in range(self._log.partitions):
            key = pool_key("bench", f"pool{partition}")
            pool = PutPool(key=key, at=now(), command_id=f"pool{partition}", actor="bench")
            queue = PutQueue(key=key, at=now(), command_id=f"queue{partition}", actor="bench", queue_id="everyone")
            await self._log.append(partition, [command_draft(pool), command_draft(queue)])

    async def send(self, partition: int) -> None:
        while True:
            number = next(_numbers)
            await self._log.append(partition, [opened(partition, number)])
            self._sent[f"con_{number}"] = partition, time.perf_counter()
            await asyncio.sleep(EVERY_SECONDS)

    async def watch(self) -> None:
        reader = await self._log.reader(await self._log.ends([(ROUTING, n) for n in range(self._log.partitions)]))
        while True:
            records = await reader.read(max_records=1_000, wait_seconds=0.2)
            arrived = time.perf_counter()
            async with self._moved:
                for record in records:
                    subject = decode(record.key, record.value, record.headers).event.subject
                    self._decided.setdefault(subject, arrived)
                self._moved.notify_all()

    async def everywhere(self) -> None:
        """Return when every partition has a decision about a contact that comes from now on."""
        since = time.perf_counter()
        async with asyncio.timeout(ROUND_SECONDS_MAX), self._moved:
            await self._moved.wait_for(lambda: self._partitions_since(since) == self._log.partitions)

    def _partitions_since(self, since: float) -> int:
        decided = (self._sent[contact] for contact in self._decided if contact in self._sent)
        return len({partition for partition, sent in decided if sent > since})

    def longest_wait(self, since: float) -> float:
        """Seconds from coming to being decided about, of all contacts since then that have been."""
        waits = [
            self._decided[contact] - sent
            for contact, (_, sent) in self._sent.items()
            if sent > since and contact in self._decided
        ]
        return max(waits)

    def forget(self) -> None:
        self._sent.clear()
        self._decided.clear()


def opened(partition: int, number: int) -> Draft:
    key = pool_key("bench", f"pool{partition}")
    fact = ContactOpened(
        key=key, at=now(), contact_id=f"con_{number}", message_id=f"msg_{number}", account="brand", channel="email",
        medium="async", visibility="private", customer_id=f"cus_{number}", occurred_at=now() - SECOND,
    )  # fmt: skip
    value = encode_value(fact, sequence=1, cause="")
    return Draft(topic=CONTACTS, key=key, value=value, headers=encode_headers(fact, sequence=1))


async def both_decide(stream: Stream, routers: list[Router], client: httpx.AsyncClient) -> None:
    """Return when each of them has partitions of its own."""
    async with asyncio.timeout(READY_SECONDS_MAX):
        grown = [False]
        while not all(grown):
            before = [await router.decided(client) for router in routers]
            await stream.everywhere()
            grown = [await router.decided(client) > was > 0 for router, was in zip(routers, before, strict=True)]


async def one_round(stream: Stream, routers: list[Router], how: str, client: httpx.AsyncClient) -> float:
    await both_decide(stream, routers, client)
    stream.forget()
    leaving, told = routers.pop(0), time.perf_counter()
    leaving.process.send_signal(SIGNALS[how])
    await asyncio.to_thread(leaving.process.wait)
    await stream.everywhere()
    leaving.start()
    routers.append(leaving)
    return stream.longest_wait(told)


@asynccontextmanager
async def streaming(bootstrap: str, partitions: int) -> AsyncIterator[Stream]:
    async with open_kafka_log(bootstrap, partitions=partitions) as log:
        stream = Stream(log)
        await stream.furnish()
        work = [stream.watch(), *(stream.send(partition) for partition in range(partitions))]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield stream
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def measure(rounds: int, partitions: int) -> dict[str, list[float]]:
    """Signal → seconds of each round."""
    with tempfile.TemporaryDirectory(prefix="omniroute-bench.") as name, KafkaBroker(quick_jit=False) as broker:
        async with embedded(Path(name) / "data") as url:
            env = {key: value for key, value in os.environ.items() if not key.startswith("OMNIROUTE_")}
            env |= {
                "OMNIROUTE_DATABASE_URL": url, "OMNIROUTE_KAFKA": broker.bootstrap, "OMNIROUTE_LOG_LEVEL": "warning",
                "OMNIROUTE_PARTITIONS": str(partitions), "OMNIROUTE_SECRET_KEY": "benchmark-secret-key",
            }  # fmt: skip
            migrate = [sys.executable, "-m", "services.all", "migrate"]
            await asyncio.to_thread(subprocess.run, migrate, env=env, check=True, capture_output=True)
            return await rounds_of(env, Path(name), broker.bootstrap, rounds, partitions)


async def rounds_of(
    env: dict[str, str], folder: Path, bootstrap: str, rounds: int, partitions: int
) -> dict[str, list[float]]:
    routers = [Router(env, folder), Router(env, folder)]
    found: dict[str, list[float]] = {how: [] for how in SIGNALS}
    with ExitStack() as stack:
        for router in routers:
            router.start()
            stack.callback(router.kill)
        async with streaming(bootstrap, partitions) as stream, httpx.AsyncClient(timeout=5) as client:
            for turn in track(range(rounds * len(found)), description="taking over", transient=True):
                how = list(found)[turn % len(found)]
                found[how].append(await one_round(stream, routers, how, client))
    return found


def table_of(found: dict[str, list[float]]) -> Table:
    title = "the longest that a contact waited for its first decision"
    table = Table("the owner gets", "rounds", "median s", "max s", title=title)
    for how, seconds in found.items():
        table.add_row(how, str(len(seconds)), f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}")
    return table


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5, help="of each signal")
    options.add_argument("--partitions", type=int, default=4)
    asked = options.parse_args()
    Console().print(table_of(asyncio.run(measure(asked.rounds, asked.partitions))))


if __name__ == "__main__":
    main()
