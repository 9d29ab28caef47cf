"""How a bot asks: until it is answered, under one Idempotency-Key, whatever dies on the way."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx

PATIENCE_SECONDS: Final = 240.0
"""A request that nobody answers for so long has failed for good."""
PAUSE_SECONDS_MIN: Final = 0.1
PAUSE_SECONDS_MAX: Final = 2.0
ASK_AGAIN: Final = frozenset({429, 500, 502, 503, 504})


class Unanswered(Exception):
    """Nobody gave a settled answer within the patience."""


async def insist(
    client: httpx.AsyncClient, method: str, path: str, *, key: str | None = None, **request: Any
) -> httpx.Response:
    """The settled answer, a refusal included. Raises Unanswered.

    A lost connection, 429, 5xx and a 409 `in_progress` settle nothing: the same request is sent again, and `key` lets
    the other side know it for the same.
    """
    headers = dict(request.pop("headers", {}))
    if key is not None:
        headers["Idempotency-Key"] = key
    pause, answer = PAUSE_SECONDS_MIN, None
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        answer = await attempt(client, method, path, headers=headers, **request)
        if answer is not None and not is_unsettled(answer):
            return answer
        await asyncio.sleep(max(pause, wanted_pause(answer)))
        pause = min(2 * pause, PAUSE_SECONDS_MAX)
    last = "nobody answered" if answer is None else f"{answer.status_code} {answer.text[:200]}"
    raise Unanswered(f"{method} {path}: {last}")


async def attempt(client: httpx.AsyncClient, method: str, path: str, **request: Any) -> httpx.Response | None:
    """One try; None when the connection was lost or never made."""
    try:
        return await client.request(method, path, **request)
    except httpx.TransportError:
        return None


def is_unsettled(answer: httpx.Response) -> bool:
    return answer.status_code in ASK_AGAIN or (answer.status_code == 409 and code_of(answer) == "in_progress")


def code_of(answer: httpx.Response) -> str:
    """The problem's stable code; empty for anything else."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return ""
    return str(answer.json().get("code", ""))


def wanted_pause(answer: httpx.Response | None) -> float:
    """What the other side asks for, within reason."""
    wanted = "" if answer is None else answer.headers.get("Retry-After", "")
    return min(float(wanted), PAUSE_SECONDS_MAX) if wanted.isdecimal() else 0.0
