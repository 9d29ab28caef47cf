"""From a provider's webhook to the offer on an agent's desk, at a steady rate, on a real running process.

    python -m benchmarks.latency [--log postgres|kafka|both] [--seconds 20] [--rate 50]

A fresh `omniroute up` with agents whom nothing fills. Signed X webhooks are sent at their times whether or not the
ones before were answered (open loop); each is a post of another customer. Every agent's desk listens on its own
stream of server-sent events. Measured is what people would notice: from the planned moment of sending to the arrival
of `contact.offered` on the stream, and to the HTTP answer. The senders, the desks, the process, its PostgreSQL and
the broker share this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from services.demo.bots_sender import X_SIGNATURE, x_signature
from services.demo.bots_stream import events
from tests.kafka.kafka_broker import KafkaBroker, free_ports

KEY = "benchmark-admin-key-0123456789"
SECRET = "benchmark"
OWN = "1"
ACCOUNT = "brand-on-x"
AGENTS = 20
ROOM = 1_000_000
OFFER_SECONDS = 600
"""Nobody accepts: one offer a contact, and none expires while it is measured."""
START_SECONDS_MAX = 90
WARM_SECONDS = 4
"""Sent before anything counts: caches, connections, the just-in-time compiler of the broker."""
LATE_SECONDS_MAX = 20
CONNECTIONS_MAX = 200
KEEP_ALIVE_SECONDS = 2
"""Less than the server's: nothing is sent on a connection that is just being closed."""


@dataclass
class Seen:
    """What the senders and the desks noticed."""

    first: int = 0
    """Messages before the first that counts."""
    sent: dict[int, float] = field(default_factory=dict)
    """Message → its planned moment, of those that were answered 2xx."""
    answered: list[float] = field(default_factory=list)
    """Seconds to the answer."""
    refused: int = 0
    offered: dict[str, float] = field(default_factory=dict)
    """Contact → the moment of its first offer."""

    def begin(self, first: int) -> None:
        """From here on it counts."""
        self.first, self.sent, self.answered, self.refused = first, {}, [], 0


@dataclass(frozen=True)
class Figures:
    """Seconds of each message, from its planned moment."""

    log: str
    offered: list[float]
    answered: list[float]
    refused: int


@dataclass(frozen=True)
class House:
    """A process, at its address; what it says is in a file."""

    url: str
    process: subprocess.Popen[bytes]
    said: Path

    def check(self) -> None:
        """Raises RuntimeError once it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"omniroute ended with {self.process.returncode}:\n{self.said.read_text()[-2_000:]}")


@contextmanager
def running(folder: Path, kafka: str | None) -> Iterator[House]:
    """An `omniroute up` of its own; it isn't ready yet."""
    (port,) = free_ports(1)
    env = {name: value for name, value in os.environ.items() if not name.startswith("OMNIROUTE_")}
    env |= {
        "OMNIROUTE_PORT": str(port), "OMNIROUTE_DATA_DIR": str(folder / "data"), "OMNIROUTE_ADMIN_KEY": KEY,
        "OMNIROUTE_LOG_LEVEL": "warning",
    }  # fmt: skip
    if kafka is not None:
        env["OMNIROUTE_KAFKA"] = kafka
    with (folder / "said").open("w") as said:
        command = [sys.executable, "-m", "services.all", "up"]
        process = subprocess.Popen(command, env=env, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield House(f"http://127.0.0.1:{port}", process, folder / "said")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


async def until_ready(client: httpx.AsyncClient, house: House) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            house.check()
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).is_success:
                    return
            await asyncio.sleep(0.1)


async def put(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    (await client.put(path, json=body)).raise_for_status()


async def furnish(client: httpx.AsyncClient) -> None:
    secrets = {"consumer_secret": SECRET, "account_user_id": OWN}
    await put(client, f"/v1/accounts/{ACCOUNT}", {"provider": "x", "secrets": secrets})
    await put(client, "/v1/queues/everyone", {"offer_seconds": OFFER_SECONDS})
    await put(client, "/v1/targets/public", {"metric": "first_response", "seconds": 900, "warn_at": [0.5]})
    capacity = {"units": ROOM, "cost": {"async": 1}}
    for n in range(AGENTS):
        await put(client, f"/v1/agents/agent{n}", {"skills": {"public": 5}, "capacity": capacity})
        await put(client, f"/v1/agents/agent{n}/presence", {"status": "available", "lease_seconds": 3_600})


async def watch(client: httpx.AsyncClient, agent: str, seen: Seen, listening: asyncio.Event) -> None:
    """An agent's desk: when each contact was offered for the first time."""
    async for kind, data in events(client, f"/v1/agents/{agent}/stream", silence_seconds=120):
        listening.set()
        if kind == "contact.offered":
            seen.offered.setdefault(data["contact_id"], time.perf_counter())


def message(number: int) -> tuple[bytes, dict[str, str]]:
    tweet = {
        "id_str": f"{10**18 + number}", "text": "Where is my parcel?", "lang": "en",
        "user": {"id_str": f"{10**9 + number}", "name": "A Customer", "followers_count": number},
        "timestamp_ms": str(int(time.time() * 1_000)),
    }  # fmt: skip
    body = json.dumps({"for_user_id": OWN, "tweet_create_events": [tweet]}).encode()
    return body, {X_SIGNATURE: x_signature(body, SECRET), "content-type": "application/json"}


async def send(client: httpx.AsyncClient, number: int, planned: float, seen: Seen) -> None:
    body, headers = message(number)
    answer = await client.post(f"/v1/accounts/{ACCOUNT}/webhook", content=body, headers=headers)
    if answer.is_success:
        seen.answered.append(time.perf_counter() - planned)
        seen.sent[number] = planned
    else:
        seen.refused += 1


async def send_all(client: httpx.AsyncClient, first: int, rate: float, seconds: float, seen: Seen, shown: str) -> None:
    """Open loop: each at its moment, however long the others take."""
    begun, count = time.perf_counter(), round(rate * seconds)
    with Progress(transient=True) as bar:
        task = bar.add_task(shown, total=count)
        async with asyncio.TaskGroup() as sending:
            for n in range(count):
                planned = begun + n / rate
                await asyncio.sleep(max(0.0, planned - time.perf_counter()))
                sending.create_task(send(client, first + n, planned, seen))
                bar.update(task, advance=1)


async def numbers_of(client: httpx.AsyncClient) -> dict[str, int]:
    """Contact → the number of its message, which is how many followers its customer has."""
    numbers: dict[str, int] = {}
    path: str | None = "/v1/contacts?limit=200"
    while path is not None:
        page = (await client.get(path)).raise_for_status().json()
        numbers |= {one["contact_id"]: one["reach"] for one in page["items"]}
        path = page["next_cursor"] and f"/v1/contacts?limit=200&cursor={page['next_cursor']}"
    return numbers


async def until_offered(client: httpx.AsyncClient, seen: Seen) -> list[float]:
    """Seconds from each planned moment to its offer; inf for what was never offered."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LATE_SECONDS_MAX):
            while len(seen.offered) < seen.first + len(seen.sent):  # noqa: ASYNC110 - desks only note
                await asyncio.sleep(0.05)
    moments = {number: seen.offered.get(contact, math.inf) for contact, number in (await numbers_of(client)).items()}
    return [moments.get(number, math.inf) - planned for number, planned in seen.sent.items()]


async def measure(kafka: str | None, rate: float, seconds: float, shown: str) -> Figures:
    with tempfile.TemporaryDirectory(prefix="omniroute-bench.") as folder, running(Path(folder), kafka) as house:
        limits = httpx.Limits(
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
        )
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=house.url, headers=headers, timeout=30, limits=limits) as client:
            await until_ready(client, house)
            await furnish(client)
            async with desks(client) as seen:
                first = round(rate * WARM_SECONDS)
                await send_all(client, 1, rate, WARM_SECONDS, seen, f"{shown}: warming up")
                seen.begin(first)
                await send_all(client, first + 1, rate, seconds, seen, f"{shown}: {rate:g} webhooks/s")
                return Figures(shown, await until_offered(client, seen), seen.answered, seen.refused)


@asynccontextmanager
async def desks(client: httpx.AsyncClient) -> AsyncIterator[Seen]:
    """All agents listen for as long as the block lasts."""
    seen, listening = Seen(), [asyncio.Event() for _ in range(AGENTS)]
    watching = [asyncio.create_task(watch(client, f"agent{n}", seen, listening[n])) for n in range(AGENTS)]
    try:
        await asyncio.gather(*(one.wait() for one in listening))
        yield seen
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


def milliseconds(seconds: list[float], share: float) -> str:
    """A quantile of the sample, as it is shown."""
    return f"{sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))] * 1e3:,.0f}" if seconds else "–"


def table_of(all_figures: Sequence[Figures], rate: float) -> Table:
    title = f"{rate:g} webhooks a second, milliseconds"
    columns = "log", "webhooks", "answer p50", "answer p99", "offer p50", "offer p99", "refused", "never offered"
    table = Table(*columns, title=title)
    for one in all_figures:
        late = sum(math.isinf(seconds) for seconds in one.offered)
        quantiles = [milliseconds(sample, share) for sample in (one.answered, one.offered) for share in (0.5, 0.99)]
        table.add_row(one.log, str(len(one.answered)), *quantiles, str(one.refused), str(late))
    return table


def figures_of(log: str, rate: float, seconds: float) -> list[Figures]:
    found = []
    if log in ("postgres", "both"):
        found.append(asyncio.run(measure(None, rate, seconds, "PostgreSQL")))
    if log in ("kafka", "both"):
        with KafkaBroker(quick_jit=False) as broker:
            found.append(asyncio.run(measure(broker.bootstrap, rate, seconds, "Kafka")))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--log", choices=("postgres", "kafka", "both"), default="both")
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--rate", type=float, default=50)
    asked = options.parse_args()
    Console().print(table_of(figures_of(asked.log, asked.rate, asked.seconds), asked.rate))


if __name__ == "__main__":
    main()
