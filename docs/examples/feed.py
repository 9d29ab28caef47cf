"""Every public event of a workspace, from where you stopped: the feed, with Last-Event-ID.

    python feed.py http://127.0.0.1:8080 $KEY 0
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any

import httpx

QUIET_SECONDS = 60
"""The feed says something every 15 seconds; after so long a silence the connection is dead."""


async def follow(url: str, key: str, position: int) -> AsyncGenerator[tuple[int, str, dict[str, Any]], None]:
    """(position, type, event) of everything behind a position, for ever. Keep the last position with your results."""
    async with httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(10, read=QUIET_SECONDS)) as client:
        while True:
            headers = {"Authorization": f"Bearer {key}", "Last-Event-ID": str(position)}
            try:
                async with client.stream("GET", "/v1/feed", headers=headers) as response:
                    response.raise_for_status()
                    field: dict[str, str] = {}
                    async for line in response.aiter_lines():
                        name, _, value = line.partition(": ")
                        if line:
                            field[name] = value
                            continue
                        if "data" in field:  # A line with nothing but a comment is a heartbeat.
                            position = int(field["id"])
                            yield position, field["event"], json.loads(field["data"])
                        field = {}
            except httpx.TransportError:
                await asyncio.sleep(1)


async def main() -> None:
    url, key, position = sys.argv[1:]
    async for event in follow(url, key, int(position)):
        print(*event)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
