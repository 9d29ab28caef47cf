"""A company under load: agents who work, customers who write, and the senders' own ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import httpx

from libs.common.pools import partition_of
from services.demo.bots import Behaviour, Worked, run_agent
from services.demo.bots_requests import insist
from services.demo.bots_sender import Ledger, Sender

PARTITIONS: Final = 4
AGENTS_PER_POOL: Final = 4
KEY: Final = "the-admin-key-of-a-test"
WORKSPACE: Final = "default"
X_SECRET: Final = "the secret of an account that doesn't exist"
X_USER: Final = "7"
SETTLED_SECONDS_MAX: Final = 150
BEHAVIOUR: Final = Behaviour(
    think_seconds=(0.05, 0.4), handle_seconds=(0.1, 1.0), vanish_seconds=(12.0, 15.0), lease_seconds=8, vanish=0.005,
)  # fmt: skip
UNANSWERED_MAX: Final = 16
"""Messages that wait for their answer: who is slow is not buried."""
SHARE_X: Final = 0.2
SHARE_REPEATED: Final = 0.1


def pools() -> list[str]:
    """One in every partition."""
    found: dict[int, str] = {}
    for number in range(1_000):
        name = f"pool{number}"
        found.setdefault(partition_of(WORKSPACE, name, PARTITIONS), name)
        if len(found) == PARTITIONS:
            break
    return [found[partition] for partition in sorted(found)]


class Company:
    def __init__(self, client: httpx.AsyncClient, rng: Random) -> None:
        self.ledger = Ledger()
        self.worked: list[Worked] = []
        self._client = client
        self._rng = rng
        self._sent = 0
        self._room = asyncio.Semaphore(UNANSWERED_MAX)
        self._bodies: list[dict[str, Any]] = []

    async def furnish(self) -> None:
        ladder = [{"at": 0.8, "do": "raise_priority"}, {"at": 1.0, "do": "notify", "to": "leads"},
                  {"at": 2.0, "do": "notify", "to": "boss"}]  # fmt: skip
        first = {"metric": "first_response", "seconds": 5, "warn_at": [0.5], "escalate": ladder}
        await self._put("/v1/targets/first", first)
        await self._put("/v1/targets/whole", {"metric": "resolution", "seconds": 12, "warn_at": [0.5, 0.8]})
        for pool in pools():
            await self._put(f"/v1/pools/{pool}", {})
            await self._put(f"/v1/queues/q-{pool}", {"pool": pool, "offer_seconds": 5})
            await self._put(f"/v1/accounts/web-{pool}", {"provider": "generic", "pool": pool})
            secrets = {"consumer_secret": X_SECRET, "account_user_id": X_USER}
            await self._put(f"/v1/accounts/x-{pool}", {"provider": "x", "pool": pool, "secrets": secrets})
            for agent in self._agents(pool):
                await self._put(f"/v1/agents/{agent}", {"pool": pool, "skills": {"public": 5}})

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """The agents, for as long as the block lasts."""
        until = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            working = [
                tasks.create_task(run_agent(self._client, agent, BEHAVIOUR, Random(self._rng.random()), until))
                for pool in pools()
                for agent in self._agents(pool)
            ]
            try:
                yield
            finally:
                until.set()
        self.worked = [task.result() for task in working]

    async def write(self, rate: float, until: asyncio.Event) -> None:
        """Customers write, `rate` a second, until they are told to stop; every message is acknowledged in the end."""
        async with asyncio.TaskGroup() as tasks:
            while not until.is_set():
                await self._room.acquire()
                tasks.create_task(self._write_one()).add_done_callback(lambda _: self._room.release())
                await asyncio.sleep(self._rng.expovariate(rate))

    async def settled(self) -> None:
        """Until every contact is closed. Fails with what is left."""
        wanted = len(self.ledger.acked)
        for _ in range(SETTLED_SECONDS_MAX):
            if await self._count("closed") >= wanted:
                return
            await asyncio.sleep(1)
        left = {state: await self._count(state) for state in ("waiting", "offered", "assigned", "parked", "closed")}
        raise AssertionError(f"{wanted} were acknowledged; {left}")

    async def _count(self, state: str) -> int:
        count, cursor = 0, ""
        while True:
            answer = await insist(self._client, "GET", f"/v1/contacts?state={state}&limit=200{cursor}")
            page = answer.raise_for_status().json()
            count += len(page["items"])
            if page["next_cursor"] is None:
                return count
            cursor = f"&cursor={page['next_cursor']}"

    async def _write_one(self) -> None:
        self._sent += 1
        number, pool = self._sent, self._rng.choice(pools())
        sender = Sender(self._client, Random(self._rng.random()), self.ledger)
        chance = self._rng.random()
        if chance < SHARE_X:
            user = {"id_str": f"9{number}", "screen_name": f"customer{number}"}
            mentions = {"user_mentions": [{"id_str": X_USER}]}
            tweet = {"id_str": str(10**12 + number), "text": "it is broken", "user": user, "entities": mentions}
            answer = await sender.post_x(f"x-{pool}", X_SECRET, tweet, account_user=X_USER)
        else:
            body = message(pool, number)
            answer = await sender.post_contact(body)
            if chance > 1 - SHARE_REPEATED:
                answer = await sender.repeat(body)
                assert answer.status_code == 200, answer.text
        answer.raise_for_status()

    @staticmethod
    def _agents(pool: str) -> list[str]:
        return [f"{pool}-agent{number}" for number in range(AGENTS_PER_POOL)]

    async def _put(self, path: str, body: dict[str, Any]) -> None:
        answer = await insist(self._client, "PUT", path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"


def message(pool: str, number: int) -> dict[str, Any]:
    return {
        "account": f"web-{pool}", "channel": "email", "medium": "async", "visibility": "private",
        "source_id": f"source-{number}", "conversation": f"conversation-{number}", "text": "it is broken",
        "customer": {"identities": [{"channel": "email", "address": f"customer{number}@example.com"}]},
    }  # fmt: skip


async def write_under_fire(company: Company, killing: Coroutine[Any, Any, None], rate: float, contacts: int) -> None:
    """Customers write for as long as the killing lasts, and until there were so many of them."""
    until = asyncio.Event()
    writing = asyncio.create_task(company.write(rate, until))
    try:
        await killing
        while len(company.ledger.acked) < contacts and not writing.done():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
    finally:
        until.set()
        await writing
