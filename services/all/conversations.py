"""`omniroute import`: recorded conversations played through ingest under a virtual clock, with simulated agents.

Everything goes the way that a provider's and an agent's own requests go: signed webhooks and REST, here without a
socket. The clock stands at each message's time and moves on only when nothing is left to do. The agents accept what
they are offered and hold it; the recorded replies are the only answers; a contact is closed after the last recorded
message of its conversation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx
import msgspec

from libs.common import telemetry
from libs.common.auth import OnWorkspaceCreated, Workspaces
from libs.common.clock import VirtualClock
from libs.common.commands import Commands
from libs.common.errors import Conflict
from libs.common.events import SECOND
from libs.common.settings import Settings
from services.all.foundation import founded
from services.all.played import Played, Tally
from services.all.quiet import Quiet
from services.all.recorded import Delivery, Recorded, deliveries
from services.all.rooms import SERVICES, Rooms, open_rooms
from services.all.server import application
from services.ingest.channels.x import SIGNATURE, signature

ACCOUNT_USER: Final = "1"
SECRET: Final = "the consumer secret of an imported account"  # noqa: S105 - it opens nothing but this import
TARGET: Final = {
    "metric": "first_response",
    "seconds": 900,
    "escalate": [{"at": 0.8, "do": "raise_priority"}, {"at": 1.0, "do": "notify", "to": "supervisors"}],
}
CAPACITY: Final = {"units": 10_000, "cost": {"async": 1}}
"""The recorded brands answered whenever they did: no agent of theirs was ever too busy to be assigned."""
LEASE_SECONDS: Final = 30 * 86_400
RENEW_SECONDS: Final = 25 * 86_400
REQUEST_SECONDS_MAX: Final = 30.0
IMPORTS_MAX: Final = 10_000

Progress = Callable[[int, int], None]
"""Told how many messages of how many were delivered."""


async def play(settings: Settings, conversations: Sequence[Recorded], progress: Progress) -> Played:
    """Play them all and report. Raises httpx.HTTPStatusError when omniroute refuses what it must not refuse."""
    coming = deliveries(conversations)
    start = min(delivery.message.instant for delivery in coming)
    virtual = settings.model_copy(update={"clock": start, "rate_limit_per_second": 1_000_000})
    telemetry.configure("import", virtual)
    async with founded(virtual, set_up=True) as foundation, open_rooms(foundation, SERVICES) as rooms:
        tally = await Tally.beginning(foundation.log)
        workspace, key = await new_workspace(foundation.workspaces, rooms.parts[OnWorkspaceCreated])
        async with _player(rooms, workspace, key) as player:
            await player.furnish(sorted({one.brand for one in conversations}))
            for number, delivery in enumerate(coming, start=1):
                await player.deliver(delivery)
                progress(number, len(coming))
        return await tally.counted(workspace, conversations)


async def new_workspace(workspaces: Workspaces, created: OnWorkspaceCreated) -> tuple[str, str]:
    """One that never was, and its admin key: the id of a deleted one is never given again."""
    present = {one.workspace for one in await workspaces.page("import-", IMPORTS_MAX)}
    for name in (f"import-{number}" for number in range(1, IMPORTS_MAX + 1)):
        with suppress(Conflict):
            if name not in present and (key := await workspaces.put(name, name, created)):
                return name, key
    raise Conflict(f"there were {IMPORTS_MAX} imports: no more can be made")


@asynccontextmanager
async def _player(rooms: Rooms, workspace: str, key: str) -> AsyncIterator[Player]:
    transport = httpx.ASGITransport(app=application(rooms, SERVICES))
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://omniroute", headers=headers, timeout=REQUEST_SECONDS_MAX
    ) as client:
        yield Player(client, rooms, workspace)


class Player:
    """The provider, the agents and the clock of an import."""

    def __init__(self, client: httpx.AsyncClient, rooms: Rooms, workspace: str) -> None:
        assert isinstance(rooms.foundation.clock, VirtualClock)
        self._client = client
        self._clock = rooms.foundation.clock
        self._commands: Commands = rooms.parts[Commands]
        self._quiet = Quiet(rooms, self._clock)
        self._workspace = workspace
        self._brands: list[str] = []
        self._renewed_at = 0
        self._contacts: dict[str, str] = {}

    async def furnish(self, brands: Iterable[str]) -> None:
        """An account, a queue, an agent and a target for each brand."""
        self._brands = [brand.lower() for brand in brands]
        for brand in self._brands:
            account = self._account(brand)
            secrets = {"consumer_secret": SECRET, "account_user_id": ACCOUNT_USER}
            requirement = {"all": [{"skill": "public"}, {"skill": brand}]}
            match = {"account": account, "visibility": "public"}
            await self._put(f"/v1/accounts/{account}", {"provider": "x", "secrets": secrets})
            await self._put(f"/v1/queues/{brand}", {"order": 10, "match": match, "requirement": requirement})
            await self._put(f"/v1/agents/{brand}", {"skills": {"public": 5, brand: 5}, "capacity": CAPACITY})
            await self._put(f"/v1/targets/{brand}", TARGET | {"match": match})
        await self._keep_agents_there()

    async def deliver(self, delivery: Delivery) -> None:
        await self._wait_until(max(self._clock.now(), delivery.message.instant))
        await self._post_webhook(delivery)
        await self._quiet.settled()
        await self._accept_offers()
        if delivery.last:
            await self._close(delivery.conversation)

    async def _wait_until(self, instant: int) -> None:
        """Through idle gaps of any length: the agents' clients keep saying that they are there."""
        while instant - self._renewed_at > RENEW_SECONDS * SECOND:
            await self._quiet.advance_to(min(instant, self._renewed_at + RENEW_SECONDS * SECOND))
            await self._keep_agents_there()
        await self._quiet.advance_to(instant)

    async def _keep_agents_there(self) -> None:
        self._renewed_at = self._clock.now()
        for brand in self._brands:
            await self._put(f"/v1/agents/{brand}/presence", {"status": "available", "lease_seconds": LEASE_SECONDS})
        await self._commands.flush()
        await self._quiet.settled()

    async def _post_webhook(self, delivery: Delivery) -> None:
        body = msgspec.json.encode(payload(delivery))
        path = f"/v1/accounts/{self._account(delivery.conversation.brand)}/webhook"
        headers = {SIGNATURE: signature(body, SECRET), "content-type": "application/json"}
        (await self._client.post(path, content=body, headers=headers)).raise_for_status()

    async def _accept_offers(self) -> None:
        for contact in await self._list("/v1/contacts?state=offered&limit=200"):
            await self._post(f"/v1/offers/{contact['offers'][0]['offer_id']}/accept", {})

    async def _close(self, conversation: Recorded) -> None:
        queue = conversation.brand.lower()
        for state in ("assigned", "parked", "waiting"):
            for contact in await self._list(f"/v1/contacts?state={state}&queue={queue}&limit=200"):
                if await self._is_of(contact["contact_id"], conversation):
                    await self._post(f"/v1/contacts/{contact['contact_id']}/close", {"resolution": "recorded"})

    async def _is_of(self, contact_id: str, conversation: Recorded) -> bool:
        """Whether this is the conversation's contact: its first message is the conversation's."""
        if contact_id not in self._contacts:
            messages = await self._list(f"/v1/contacts/{contact_id}/messages?limit=1")
            self._contacts[contact_id] = messages[0]["source_id"]
        return self._contacts[contact_id] == conversation.root.id

    def _account(self, brand: str) -> str:
        return f"{self._workspace}-{brand.lower()}"

    async def _put(self, path: str, body: dict[str, Any]) -> None:
        (await self._client.put(path, json=body)).raise_for_status()

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        (await self._client.post(path, json=body)).raise_for_status()

    async def _list(self, path: str) -> list[dict[str, Any]]:
        answer = await self._client.get(path)
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items


def payload(delivery: Delivery) -> dict[str, Any]:
    """A recorded message as X's own webhook; every message answers the conversation's first."""
    message, root = delivery.message, delivery.conversation.root
    author = ACCOUNT_USER if message.sender == "agent" else message.author
    tweet: dict[str, Any] = {
        "id_str": message.id,
        "text": message.text,
        "timestamp_ms": str(message.instant // 1_000),
        "user": {"id_str": author, "screen_name": message.author},
        "entities": {"user_mentions": [{"id_str": ACCOUNT_USER}]},
    }
    if message is not root:
        tweet["in_reply_to_status_id_str"] = root.id
    return {"for_user_id": ACCOUNT_USER, "tweet_create_events": [tweet]}
