"""Simulated providers and platforms, and what they were promised: every source id that was answered 2xx."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx

from services.demo.bots_requests import insist

X_SIGNATURE: Final = "x-twitter-webhooks-signature"

Source = tuple[str, str]
"""An account and the provider's id of a message."""


@dataclass(kw_only=True)
class Ledger:
    """What a sender was told: the contact of each source id that was answered 2xx; None where that isn't said."""

    acked: dict[Source, str | None] = field(default_factory=dict)
    refused: dict[Source, int] = field(default_factory=dict)
    repeats: int = 0
    """Acknowledged messages that were sent once more."""
    contradicted: dict[Source, tuple[str, str]] = field(default_factory=dict)
    """Source ids that were answered with two different contacts."""

    def note(self, source: Source, answer: httpx.Response) -> None:
        if not answer.is_success:
            self.refused[source] = answer.status_code
            return
        contact_id = answer.json().get("contact_id")
        before = self.acked.get(source)
        if before is not None and contact_id is not None and before != contact_id:
            self.contradicted[source] = before, contact_id
        self.acked[source] = contact_id or before


class Sender:
    """Posts until it is answered, as providers do: a lost answer means the same message again."""

    def __init__(self, client: httpx.AsyncClient, rng: Random, ledger: Ledger | None = None) -> None:
        """`client` has the base URL and a key that may write contacts."""
        self.ledger = ledger or Ledger()
        self._client = client
        self._rng = rng

    async def post_contact(self, body: dict[str, Any]) -> httpx.Response:
        """`POST /v1/contacts`. Raises Unanswered."""
        key = f"sender-{self._rng.getrandbits(96):024x}"
        answer = await insist(self._client, "POST", "/v1/contacts", key=key, json=body)
        self.ledger.note((body["account"], body["source_id"]), answer)
        return answer

    async def post_x(self, account: str, secret: str, tweet: dict[str, Any], *, account_user: str) -> httpx.Response:
        """A post as X's signed webhook; `tweet` has at least `id_str`, `text` and `user`. Raises Unanswered."""
        body = json.dumps({"for_user_id": account_user, "tweet_create_events": [tweet]}).encode()
        headers = {X_SIGNATURE: x_signature(body, secret), "content-type": "application/json"}
        path = f"/v1/accounts/{account}/webhook"
        answer = await insist(self._client, "POST", path, content=body, headers=headers)
        self.ledger.note((account, tweet["id_str"]), answer)
        return answer

    async def repeat(self, body: dict[str, Any]) -> httpx.Response:
        """An acknowledged contact once more, as a new request: it must change nothing."""
        self.ledger.repeats += 1
        return await self.post_contact(body)


def x_signature(body: bytes, secret: str) -> str:
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    return "sha256=" + base64.b64encode(digest).decode()


async def each_second(rng: Random, rate: float, until: asyncio.Event) -> bool:
    """Wait for the next of `rate` arrivals a second (Poisson); whether there is a next one."""
    try:
        await asyncio.wait_for(until.wait(), rng.expovariate(rate))
    except TimeoutError:
        return True
    return False
