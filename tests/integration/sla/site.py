"""The SLA service as callers and the router see it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from libs.common.clock import VirtualClock
from libs.common.events import ESCALATIONS, ROUTING, SECOND, Event
from libs.common.events.codec import encode_headers, encode_value
from libs.common.keys import Keys
from libs.common.log.port import Draft, Log
from services.sla.projection import SlaProjection as Projection

DEADLINE_SECONDS = 20


class Site:
    def __init__(
        self,
        client: httpx.AsyncClient,
        keys: Keys,
        port: Log,
        clock: VirtualClock,
        projection: Projection,
        partitions: int,
    ) -> None:
        self._client = client
        self._keys = keys
        self._bearers: dict[str, str] = {}
        self.port = port
        self.clock = clock
        self.projection = projection
        self.partitions = partitions

    async def send(self, method: str, path: str, body: Any = None, by: str = "acme/admin") -> httpx.Response:
        if by not in self._bearers:
            workspace, role = by.split("/")
            agent = "ann" if role == "agent" else None
            self._bearers[by] = await self._keys.put(workspace, f"key-{role}", role, agent=agent)  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {self._bearers[by]}"}
        return await self._client.request(method, path, json=body, headers=headers)

    async def put(self, path: str, body: Any) -> dict[str, Any]:
        response = await self.send("PUT", path, body)
        assert response.status_code in {200, 201}, response.text
        return dict(response.json())

    async def get(self, path: str, by: str = "acme/admin") -> dict[str, Any]:
        response = await self.send("GET", path, by=by)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def tell(self, *events: Event) -> None:
        """Append to partition 0 what ingest and the router would."""
        for event in events:
            await self.port.append(0, [draft(event)])

    async def until(self, contact_id: str, kind: str) -> None:
        """Return once an event of this type about the contact is published and can be read."""
        reader = await self.port.reader({(ESCALATIONS, 0): 0})
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                records = await reader.read(max_records=100, wait_seconds=DEADLINE_SECONDS)
                about = [r for r in records if r.headers["ce_subject"] == contact_id]
                if any(record.headers["ce_type"] == kind for record in about):
                    break
            await reader.close()
            await self.projection.caught_up()

    async def advance(self, seconds: float) -> None:
        """Move the clock; a record that no clock minds wakes the machine."""
        self.clock.move_to(self.clock.now() + round(seconds * SECOND))


def draft(event: Event) -> Draft:
    assert event.topic is not None
    return Draft(
        topic=event.topic,
        key=event.key,
        value=encode_value(event, sequence=1, cause=""),
        headers=encode_headers(event, sequence=1),
    )


__all__ = ["ROUTING", "Site", "draft"]
