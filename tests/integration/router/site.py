"""The router's API as its callers see it: keys, requests, streams."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from libs.common.auth import Keys, OnWorkspaceCreated, Workspaces
from libs.common.clock import VirtualClock
from libs.common.directory import ReceivedContact
from libs.common.events.contacts import ContactOpened
from libs.common.events.values import Reach
from libs.common.log.port import Log
from libs.common.pools import Pools
from libs.common.postgres import Database
from tests.integration.router.records import AT, decision

DEADLINE_SECONDS = 20


class Received:
    """The contacts that ingest knows of, all of workspace `acme`."""

    def __init__(self, contacts: Iterable[str]) -> None:
        self._contacts = {id_: received(id_) for id_ in contacts}

    async def known(self, workspace: str, contact_id: str) -> bool:
        return await self.find(workspace, contact_id) is not None

    async def find(self, workspace: str, contact_id: str) -> ReceivedContact | None:
        return self._contacts.get(contact_id) if workspace == "acme" else None


def received(contact_id: str) -> ReceivedContact:
    return ReceivedContact(
        contact_id=contact_id, account="brand-on-x", channel="x", medium="async", visibility="public",
        customer_id="cus_1", opened_at=AT, tier="standard", repeat_of=None, reach=Reach(views=300), language="it",
        topics=(), sentiment=0.0, attributes={"order": "A-17"},
    )  # fmt: skip


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has nothing to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


class Site:
    def __init__(
        self, address: str, keys: Keys, log: Log, pools: Pools, clock: VirtualClock, database: Database
    ) -> None:
        self.address = address
        self._database = database
        self._keys = keys
        self._log = log
        self._pools = pools
        self._clients: dict[str, httpx.AsyncClient] = {}
        self.clock = clock
        self._numbers = itertools.count(1)

    async def begin(self) -> None:
        """Workspace `acme` with pool `main`, and an admin's key; and another workspace's."""
        workspaces = Workspaces(self._database, self._keys, self.clock)
        for workspace in ("acme", "other"):
            await workspaces.put(workspace, workspace, OnWorkspaceCreated(make=nothing))
            await self.key(workspace, "admin")
        await self.put("/v1/pools/main", {})

    async def key(self, workspace: str, role: Any, agent: str | None = None) -> None:
        name = agent or (role if workspace == "acme" else f"{workspace}-{role}")
        bearer = await self._keys.put(workspace, f"key-{name}", role, agent=agent)
        headers = {"Authorization": f"Bearer {bearer}"}
        self._clients[name] = httpx.AsyncClient(base_url=self.address, headers=headers, timeout=DEADLINE_SECONDS)

    async def end(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def send(self, method: str, path: str, body: Any = None, by: str = "admin") -> httpx.Response:
        return await self._clients[by].request(method, path, json=body)

    async def put(self, path: str, body: Any, by: str = "admin") -> dict[str, Any]:
        return well(await self.send("PUT", path, body, by))

    async def post(self, path: str, body: Any = None, by: str = "admin") -> dict[str, Any]:
        return well(await self.send("POST", path, body, by))

    async def get(self, path: str, by: str = "admin") -> dict[str, Any]:
        return well(await self.send("GET", path, by=by))

    async def agent(self, agent_id: str = "ann", **fields: Any) -> None:
        """An agent who is there, with a key of their own."""
        await self.put(f"/v1/agents/{agent_id}", {"skills": {"public": 3}, **fields})
        await self.key("acme", "agent", agent_id)
        await self.put(f"/v1/agents/{agent_id}/presence", {"status": "available"}, by=agent_id)

    async def receive(self, contact_id: str, **fields: Any) -> None:
        """What ingest would append; returns when the router's answers show it."""
        event = opened(contact_id, self.clock.now(), **fields)
        draft = decision(event, next(self._numbers))
        await self._log.append(await self.partition(), [draft])
        await self.until(f"/v1/contacts/{contact_id}", lambda contact: contact.get("queue") is not None)

    async def partition(self) -> int:
        return await self._pools.partition("acme", "main")

    async def until(self, path: str, holds: Any) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                response = await self.send("GET", path)
                if response.status_code == 200 and holds(response.json()):
                    return dict(response.json())
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def stream(self, path: str, by: str = "admin") -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        async with self._clients[by].stream("GET", path) as response:
            assert response.status_code == 200
            yield events(response)


async def nothing(_workspace: str) -> None:
    """A workspace of this test begins empty."""


def opened(contact_id: str, at: int, **fields: Any) -> ContactOpened:
    given: dict[str, Any] = {
        "account": "brand-on-x",
        "channel": "x",
        "medium": "async",
        "visibility": "public",
        "customer_id": "cus_1",
        "occurred_at": at,
    }
    ids = {"contact_id": contact_id, "message_id": f"msg_{contact_id}"}
    return ContactOpened(key="acme/main", at=at, **given | ids | fields)


async def offered(site: Site, contact_id: str = "con_1", agent: str = "ann") -> str:
    """The id of the offer that is made to the agent for a contact that just arrived."""
    await site.receive(contact_id)
    path = f"/v1/agents/{agent}/offers"
    page = await site.until(path, lambda page: any(o["contact_id"] == contact_id for o in page["items"]))
    return str(next(o["offer_id"] for o in page["items"] if o["contact_id"] == contact_id))


async def refused(site: Site, method: str, path: str, body: Any = None, by: str = "admin") -> tuple[int, str]:
    response = await site.send(method, path, body, by)
    return response.status_code, response.json()["code"]


TAX = {"requirement": {"all": [{"skill": "tax"}]}, "match": {"tier": "gold"}}
"""A queue that no contact of the tests comes to by itself."""


async def ann_at_work(site: Site, **bobs: int) -> Site:
    """Ann has con_1; Bob, who has these skills and knows tax, is away."""
    await site.key("acme", "supervisor")
    await site.key("acme", "viewer")
    await site.put("/v1/queues/tax", TAX)
    await site.put("/v1/agents/bob", {"skills": {"tax": 2, **bobs}})
    await site.key("acme", "agent", "bob")
    await site.agent("ann")
    await site.post(f"/v1/offers/{await offered(site)}/accept", by="ann")
    return site


def well(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code in (200, 201, 204), response.text
    return dict(response.json()) if response.content else {}


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """(event, data) of a stream, without its heartbeats."""
    name = ""
    async for line in response.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


