"""The notifier as its callers meet it: over HTTP, on a real PostgreSQL and a log in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import httpx
from fastapi import FastAPI

from libs.common.auth import Caller, Keys, Workspaces
from libs.common.clock import VirtualClock
from libs.common.events import PUBLIC_TOPICS, Event
from libs.common.events.codec import encode_headers, encode_value
from libs.common.events.contacts import CustomerLeft
from libs.common.events.escalations import EscalationRaised
from libs.common.events.routing import ContactClosed
from libs.common.http import build_app
from libs.common.idempotency import Idempotency
from libs.common.log import Draft, Log
from libs.common.log.memory import MemoryLog, MemoryWorld
from libs.common.postgres import Database
from libs.common.secrets import SecretBox
from services.notifier.__main__ import Notifier, router, running
from tests.integration.notifier.receiver import SECRET, WAIT_SECONDS

MASTER_KEY = b"a master key of the tests"
NOW = 1_795_000_000_000_000
PARTITIONS = 2


def closed(contact: str, workspace: str = "default") -> ContactClosed:
    return ContactClosed(key=f"{workspace}/main", at=NOW, contact_id=contact, resolution="solved")


def left(contact: str, workspace: str = "default") -> CustomerLeft:
    return CustomerLeft(key=f"{workspace}/main", at=NOW, contact_id=contact, occurred_at=NOW)


def raised(contact: str, to: str, workspace: str = "default") -> EscalationRaised:
    return EscalationRaised(
        key=f"{workspace}/main",
        at=NOW,
        contact_id=contact,
        target="t",
        metric="first_response",
        queue="social",
        channel="x",
        step=0,
        share=1.0,
        do="notify",
        to=to,
    )


@dataclass
class Desk:
    """One installation: its database and log outlive the notifier that runs on them."""

    database: Database
    clock: VirtualClock
    keys: Keys
    given: dict[str, str]
    world: MemoryWorld = field(default_factory=lambda: MemoryWorld(PARTITIONS))
    sequences: Counter[tuple[Any, ...]] = field(default_factory=Counter)

    @asynccontextmanager
    async def open(self, log: Log | None = None, database: Database | None = None) -> AsyncIterator[Open]:
        """A process of the notifier."""
        async with running(
            log or MemoryLog(self.world),
            database or self.database,
            self.clock,
            box=SecretBox(MASTER_KEY),
            allow_private=[ip_network("127.0.0.0/8")],
        ) as notifier:
            memory = Idempotency(self.database, self.clock, MASTER_KEY, alone=True)
            parts = {Notifier: notifier, Keys: self.keys, Idempotency: memory}
            yield Open(self, notifier, build_app("notifier", [router], parts))

    def draft(self, event: Event, **headers: str) -> Draft:
        assert event.topic is not None
        counted = event.key, event.topic, event.subject
        self.sequences[counted] += 1
        sequence = self.sequences[counted]
        value = encode_value(event, sequence=sequence, cause="test")
        all_headers = encode_headers(event, sequence=sequence) | headers
        return Draft(topic=event.topic, key=event.key, value=value, headers=all_headers)

    def publish(self, *events: Event, partition: int = 0) -> None:
        self.world.append(partition, [self.draft(event) for event in events])

    def ends(self) -> dict[tuple[str, int], int]:
        places = [(topic, partition) for topic in PUBLIC_TOPICS for partition in range(PARTITIONS)]
        return {place: len(self.world.records[place]) for place in places}

    async def delete_workspace(self, workspace: str) -> None:
        root = Caller("admin", "default", "root")
        await Workspaces(self.database, self.keys, self.clock).delete(workspace, by=root)

    async def feed(self, workspace: str = "default") -> list[tuple[int, str]]:
        """(position, event id) of everything that is stored."""
        rows = await self.database.pool.fetch(
            "SELECT position, event_id FROM notifier_feed WHERE workspace = $1 ORDER BY position", workspace
        )
        return [(row[0], row[1]) for row in rows]


@dataclass
class Open:
    desk: Desk
    notifier: Notifier
    app: FastAPI

    def client(self, whose: str = "default") -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.desk.given[whose]}"} if whose else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url="http://notifier", headers=headers
        )

    async def call(self, method: str, path: str, whose: str = "default", **request: Any) -> httpx.Response:
        async with self.client(whose) as client:
            return await client.request(method, path, **request)

    async def subscribe(
        self, name: str, url: str, events: Sequence[str] = ("*",), whose: str = "default", **more: Any
    ) -> httpx.Response:
        body = {"to": {"webhook": url}, "events": list(events), "secret": SECRET, **more}
        return await self.call("PUT", f"/v1/subscriptions/{name}", whose, json=body)

    async def stored(self) -> None:
        """Everything on the log is stored."""
        ends = self.desk.ends()
        await eventually(lambda: _at_once(self.notifier.caught_up(ends)))

    async def deliveries(self, whose: str = "default", **query: str) -> list[dict[str, Any]]:
        answer = await self.call("GET", "/v1/deliveries", whose, params=query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def delivered(self, count: int, state: str = "delivered", whose: str = "default") -> list[dict[str, Any]]:
        """The deliveries of this state, once there are so many."""

        async def enough() -> bool:
            return len(await self.deliveries(whose, state=state)) == count

        await eventually(enough)
        return await self.deliveries(whose, state=state)

    async def failed(self, attempts: int) -> None:
        """Once the only pending delivery has failed so often."""

        async def noted() -> bool:
            pending = await self.deliveries(state="pending")
            return bool(pending) and pending[0]["attempts"] == attempts

        await eventually(noted)


async def _at_once(value: bool) -> bool:
    return value


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Look until it holds: what a table says can't be waited for."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await holds():  # noqa: ASYNC110 - nobody tells that a table has changed
            await asyncio.sleep(0.01)
