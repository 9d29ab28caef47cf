"""Simulated agents: they speak what any desk would speak, public REST and server-sent events, and nothing else.

An agent says that it is there and keeps saying so, watches its stream, accepts what it is offered, answers the
customer and closes. Some offers it declines, some it ignores, and now and then it vanishes with all it holds, to come
back later. Whatever is killed meanwhile, it looks again and goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import httpx

from services.demo.bots_requests import PAUSE_SECONDS_MAX, attempt, insist
from services.demo.bots_stream import events

BEATS_PER_LEASE: Final = 4
LOOKS_MAX: Final = 20
"""How often an accept or close is tried again of what a lagging reader doesn't know yet."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    decline: float = 0.05
    ignore: float = 0.05
    vanish: float = 0.01
    """Shares of the offers that end so."""
    think_seconds: tuple[float, float] = (0.2, 2.0)
    handle_seconds: tuple[float, float] = (2.0, 20.0)
    vanish_seconds: tuple[float, float] = (30.0, 90.0)
    lease_seconds: int = 20
    silence_seconds: float = 30.0
    """A stream that says nothing for so long, not even a ping, is opened again."""
    reply: str = "Thank you for writing. This is solved now."
    resolution: str = "solved"


@dataclass(kw_only=True)
class Worked:
    """What an agent has done so far."""

    accepted: int = 0
    declined: int = 0
    ignored: int = 0
    vanished: int = 0
    answered: int = 0
    closed: int = 0
    too_late: int = 0
    """Accepts and closes that were refused: somebody or a time-out was first."""


async def run_agent(
    client: httpx.AsyncClient, agent_id: str, behaviour: Behaviour, rng: Random, until: asyncio.Event
) -> Worked:
    """Be this agent until `until`; then go offline. Raises Unanswered when omniroute is away for minutes,
    httpx.HTTPStatusError when it refuses what it must not refuse.

    `client` has the base URL and a key that may act for the agent. The same `rng` makes the same choices of the
    same offers.
    """
    desk = Desk(client, agent_id, behaviour, rng)
    while not until.is_set():
        await desk.shift(until)
        if not until.is_set():  # It vanished.
            await sleep_or(until, rng.uniform(*behaviour.vanish_seconds))
    await attempt(client, "PUT", desk.presence_path, json={"status": "offline"})
    return desk.worked


async def sleep_or(until: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(until.wait(), seconds)


class Desk:
    """One agent's work in hand."""

    def __init__(self, client: httpx.AsyncClient, agent_id: str, behaviour: Behaviour, rng: Random) -> None:
        self.worked = Worked()
        self.presence_path = f"/v1/agents/{agent_id}/presence"
        self._client = client
        self._agent = agent_id
        self._behaviour = behaviour
        self._rng = rng
        self._gone = asyncio.Event()
        self._failure: asyncio.Future[None]
        """Of a shift: what went wrong in a piece of its work."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._passed: set[str] = set()
        """Offers that it has decided to ignore."""

    async def shift(self, until: asyncio.Event) -> None:
        """Work until `until`, or until it vanishes."""
        self._gone.clear()
        self._failure = asyncio.get_running_loop().create_future()
        standing = [asyncio.create_task(work) for work in (self._keep_present(), self._watch())]
        ends = [asyncio.create_task(until.wait()), asyncio.create_task(self._gone.wait())]
        try:
            await first_of([*standing, *ends, self._failure])
        finally:
            await end_all([*standing, *ends, *self._tasks.values(), self._failure])
            self._tasks.clear()

    async def _keep_present(self) -> None:
        lease = self._behaviour.lease_seconds
        body = {"status": "available", "lease_seconds": lease}
        while True:
            answer = await attempt(self._client, "PUT", self.presence_path, json=body)
            said = answer is not None and answer.is_success
            await asyncio.sleep(lease / BEATS_PER_LEASE if said else PAUSE_SECONDS_MAX / 4)

    async def _watch(self) -> None:
        path = f"/v1/agents/{self._agent}/stream"
        while True:
            with suppress(httpx.TransportError, httpx.HTTPStatusError):
                async for kind, data in events(self._client, path, silence_seconds=self._behaviour.silence_seconds):
                    self._notice(kind, data)
            await asyncio.sleep(self._rng.uniform(0.1, PAUSE_SECONDS_MAX / 2))

    def _notice(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "snapshot":
                for offer in data["offers"]:
                    self._be_offered(offer)
                for contact in data["contacts"]:
                    if contact["state"] == "assigned":
                        self._begin(contact["contact_id"], self._serve(contact["contact_id"]))
            case "contact.offered":
                self._be_offered(data)
            case "contact.assigned":
                self._begin(data["contact_id"], self._serve(data["contact_id"]))

    # -- offers -------------------------------------------------------------------------------------------------

    def _be_offered(self, offer: dict[str, Any]) -> None:
        offer_id, contact_id = offer["offer_id"], offer["contact_id"]
        if offer_id in self._passed or offer_id in self._tasks:
            return
        chance, way = self._rng.random(), self._behaviour
        if chance < way.vanish:
            self.worked.vanished += 1
            self._gone.set()
        elif chance < way.vanish + way.ignore:
            self.worked.ignored += 1
            self._passed.add(offer_id)
        elif chance < way.vanish + way.ignore + way.decline:
            self._begin(offer_id, self._decline(offer_id))
        else:
            self._begin(offer_id, self._accept(offer_id, contact_id))

    async def _decline(self, offer_id: str) -> None:
        await self._pause(self._behaviour.think_seconds)
        if await self._post(f"/v1/offers/{offer_id}/decline", {"reason": "busy"}):
            self.worked.declined += 1

    async def _accept(self, offer_id: str, contact_id: str) -> None:
        await self._pause(self._behaviour.think_seconds)
        if await self._post(f"/v1/offers/{offer_id}/accept", {}):
            self.worked.accepted += 1
            self._begin(contact_id, self._serve(contact_id))

    # -- contacts -----------------------------------------------------------------------------------------------

    async def _serve(self, contact_id: str) -> None:
        await self._pause(self._behaviour.handle_seconds)
        reply = {"agent": self._agent, "text": self._behaviour.reply}
        if await self._post(f"/v1/contacts/{contact_id}/responses", reply):
            self.worked.answered += 1
        if await self._post(f"/v1/contacts/{contact_id}/close", {"resolution": self._behaviour.resolution}):
            self.worked.closed += 1

    async def _pause(self, between: tuple[float, float]) -> None:
        await asyncio.sleep(self._rng.uniform(*between))

    async def _post(self, path: str, body: dict[str, Any]) -> bool:
        """Whether it was done. Refused means that somebody else, or time, was first."""
        answer = await self._ask(path, body)
        for _ in range(LOOKS_MAX):
            if answer.status_code != 404:
                break
            await asyncio.sleep(PAUSE_SECONDS_MAX / 4)  # It was offered, so it is there: this reader lags behind.
            answer = await self._ask(path, body)
        if answer.status_code not in (404, 409):
            answer.raise_for_status()
        self.worked.too_late += not answer.is_success
        return answer.is_success

    async def _ask(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return await insist(self._client, "POST", path, key=f"bot-{self._rng.getrandbits(96):024x}", json=body)

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start it unless it is being done."""
        if name in self._tasks:
            work.close()
            return
        task = self._tasks[name] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._done(name, done))

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name]
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not self._failure.done():
            self._failure.set_exception(failure)


async def first_of(awaited: list[asyncio.Future[Any]]) -> None:
    """Whatever ends first; what went wrong in it is raised."""
    done, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    for one in done:
        one.result()


async def end_all(tasks: list[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
