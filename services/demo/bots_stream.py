"""Server-sent events as a browser reads them: an event's type and its data."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx


async def events(client: httpx.AsyncClient, path: str, *, silence_seconds: float) -> AsyncIterator[tuple[str, Any]]:
    """(type, data) of each event until the stream ends. Raises httpx.TransportError when it breaks or falls silent
    for longer than `silence_seconds`, httpx.HTTPStatusError when it is refused."""
    timeout = httpx.Timeout(10.0, read=silence_seconds)
    async with client.stream("GET", path, timeout=timeout, headers={"accept": "text/event-stream"}) as answer:
        answer.raise_for_status()
        kind, data = "message", list[str]()
        async for line in answer.aiter_lines():
            if not line:
                if data:
                    yield kind, json.loads("\n".join(data))
                kind, data = "message", []
                continue
            field, _, value = line.partition(":")
            if field == "event":
                kind = value.strip()
            elif field == "data":
                data.append(value.removeprefix(" "))
