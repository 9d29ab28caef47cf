"""Ingest as its callers meet it: over HTTP, on a real PostgreSQL and a log in memory."""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from libs.common.events import CONTACTS, ROUTING, Event
from libs.common.events.codec import Envelope, decode, encode_headers, encode_value
from libs.common.log import Draft, LogError, Record
from libs.common.log.memory import MemoryLog, MemoryWorld
from libs.common.outbox import OUTBOX_HEADER, relay_repeats
from services.ingest.api_parts import Ingest

NOW = 1_795_000_000_000_000
PARTITIONS = 3
SECRET = "a consumer secret"
OWN = "123"
WAIT_SECONDS = 10


class FragileLog(MemoryLog):
    """A log in memory that can be down, or can lose the answer to an append that it took."""

    down = False
    forgetful = False

    async def append(self, partition: int, drafts: Any) -> list[int]:
        if self.down:
            raise LogError("down")
        positions = await super().append(partition, drafts)
        if self.forgetful:
            raise LogError("taken, but nobody was told")
        return positions


@dataclass
class House:
    app: FastAPI
    ingest: Ingest
    world: MemoryWorld
    log: FragileLog
    keys: dict[str, str]
    """Workspace (or workspace.role) → API key."""

    def client(self, whose: str = "default") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app)
        headers = {"authorization": f"Bearer {self.keys[whose]}"} if whose else {}
        return httpx.AsyncClient(transport=transport, base_url="http://ingest", headers=headers)

    async def call(self, method: str, path: str, whose: str = "default", **request: Any) -> httpx.Response:
        async with self.client(whose) as client:
            return await client.request(method, path, **request)

    async def put_account(self, account: str = "brand", provider: str = "x", **more: Any) -> httpx.Response:
        secrets = {"consumer_secret": SECRET, "account_user_id": OWN} if provider == "x" else {}
        body = {"provider": provider, "secrets": secrets, **more}
        return await self.call("PUT", f"/v1/accounts/{account}", json=body)

    async def post(self, body: dict[str, Any], whose: str = "default", **more: Any) -> httpx.Response:
        return await self.call("POST", "/v1/contacts", whose, json=body, **more)

    async def webhook(self, payload: Any, account: str = "brand", **headers: str) -> httpx.Response:
        """A signed call of X."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        signed = {"x-twitter-webhooks-signature": sign(raw), "content-type": "application/json", **headers}
        return await self.call("POST", f"/v1/accounts/{account}/webhook", "", content=raw, headers=signed)

    def records(self, topic: str = CONTACTS) -> list[Record]:
        """Everything on the log, as readers who drop repeats see it."""
        seen: dict[int, int] = {}
        found = []
        for partition in range(PARTITIONS):
            for record in self.world.records[topic, partition]:
                if relay_repeats(record.headers, seen.get(partition, 0)):
                    continue
                seen[partition] = int(record.headers.get(OUTBOX_HEADER, 0))
                found.append(record)
        return found

    def facts(self) -> list[Envelope]:
        return [decode(record.key, record.value, record.headers) for record in self.records()]

    async def settled(self, *, facts: int = 0) -> list[Envelope]:
        """The facts on the log, once everything stored is there."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                if await self.ingest.settled() and len(self.facts()) >= facts:
                    return self.facts()
                await asyncio.sleep(0.01)

    async def settled_on_log(self, facts: int) -> None:
        """Wait for records that readers take, whether or not the relay knows that they are there."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                if len(self.records()) >= facts:
                    return
                await asyncio.sleep(0.01)

    async def publish(self, event: Event, sequence: int = 1) -> None:
        """Put a decision of another service on the log, and wait until ingest took notice."""
        topic = event.topic or ROUTING
        draft = Draft(
            topic=topic,
            key=event.key,
            value=encode_value(event, sequence=sequence, cause="test"),
            headers=encode_headers(event, sequence=sequence),
        )
        workspace, pool = event.key.split("/")
        await self.log.append(await self.ingest.pools.partition(workspace, pool), [draft])
        await self.settled()


def sign(raw: bytes, secret: str = SECRET) -> str:
    return "sha256=" + base64.b64encode(hmac.digest(secret.encode(), raw, hashlib.sha256)).decode()


def body(source_id: str = "1", **more: Any) -> dict[str, Any]:
    """A message in the shape of POST /v1/contacts."""
    return {
        "account": "brand",
        "channel": "x",
        "medium": "async",
        "visibility": "public",
        "source_id": source_id,
        "customer": {"identities": [{"channel": "x", "address": "@mario"}]},
        "text": "the invoice is wrong again",
        **more,
    }


def by(address: str, channel: str = "x", **more: Any) -> dict[str, Any]:
    return {"identities": [{"channel": channel, "address": address}], **more}
