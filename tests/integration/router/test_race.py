"""Two hundred agents race over REST for the same offers, on a real Kafka."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from libs.common.auth import Keys
from libs.common.events import TOPICS
from libs.common.events.commands import Command, PutAgent, SetPresence
from libs.common.events.values import Capacity
from libs.common.log import Draft
from libs.common.log.kafka import open_kafka_log
from libs.common.log.port import Log
from libs.common.log.topics import create_topics
from libs.common.postgres import Database
from services.auditor.history import audit
from services.demo.bots_requests import insist
from tests.integration.router.conftest import PARTITIONS
from tests.integration.router.records import AT, decision
from tests.integration.router.site import DEADLINE_SECONDS, Site, opened

AGENTS = 200
CONTACTS = 50
ASKED_AT_ONCE = 5
UNITS = 20
"""What an agent has, and what a contact costs."""


@pytest.fixture
async def port(kafka_bootstrap: str) -> AsyncIterator[Log]:
    prefix = f"race{uuid4().hex[:8]}."
    await create_topics(kafka_bootstrap, TOPICS, partitions=PARTITIONS, topic_prefix=prefix)
    async with open_kafka_log(kafka_bootstrap, partitions=PARTITIONS, topic_prefix=prefix) as log:
        yield log


class Racers:
    """The agents, each with a key of their own and room for one contact."""

    def __init__(self, site: Site, keys: Keys, client: httpx.AsyncClient) -> None:
        self._site = site
        self._keys = keys
        self._client = client
        self._headers: dict[str, dict[str, str]] = {}
        self.answers: Counter[int] = Counter()
        self.winners: dict[str, set[str]] = {}
        """Contact → who was told that it is theirs."""

    async def come(self, port: Log) -> None:
        """As many requests would have it, but at once."""
        commands: list[Draft] = []
        for agent in (f"agent{number:03}" for number in range(AGENTS)):
            bearer = await self._keys.put("acme", f"key-{agent}", "agent", agent=agent)
            self._headers[agent] = {"Authorization": f"Bearer {bearer}"}
            capacity = Capacity(units=UNITS)
            commands.append(command(PutAgent, agent, skills={"public": 3}, capacity=capacity))
            commands.append(command(SetPresence, agent, status="available", lease_seconds=3_600))
        await port.append(await self._site.partition(), commands)
        last = await self._site.until(f"/v1/agents/agent{AGENTS - 1:03}", lambda one: one["status"] == "available")
        assert last["capacity"]["units"] == UNITS

    async def round(self) -> int:
        """Whoever has an offer accepts it, one of those for each contact twice at once; how many offers there were."""
        contacts = await in_state(self._site, "offered")
        assert all(len(contact["offers"]) <= ASKED_AT_ONCE for contact in contacts)
        asked = [
            (contact["contact_id"], offer["offer_id"], offer["agent"])
            for contact in contacts
            for offer in contact["offers"]
        ]
        await asyncio.gather(*(self._accept(*one) for one in [*asked, *asked[::ASKED_AT_ONCE]]))
        return len(asked)

    async def steal(self) -> None:
        """Somebody accepts what another is offered."""
        first, second = (await in_state(self._site, "offered"))[:2]
        await self._accept(first["contact_id"], first["offers"][0]["offer_id"], second["offers"][0]["agent"])

    async def _accept(self, contact: str, offer: str, agent: str) -> None:
        """As a desk asks: a busy server is asked again, under the same key."""
        path, key = f"/v1/offers/{offer}/accept", uuid4().hex
        answer = await insist(self._client, "POST", path, key=key, headers=self._headers[agent])
        self.answers[answer.status_code] += 1
        if answer.is_success:
            assert answer.json()["agent"] == agent
            self.winners.setdefault(contact, set()).add(agent)
        else:
            assert answer.status_code in (403, 409), answer.text
            assert answer.json()["state"]["contact_id"] == contact


def command(kind: type[Command], agent: str, **fields: Any) -> Draft:
    about = {"command_id": f"cmd_{kind.type}_{agent}", "actor": "admin", "agent_id": agent}
    return decision(kind(key="acme/main", at=AT, **about, **fields), 1)


async def in_state(site: Site, state: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await site.get(f"/v1/contacts?state={state}&limit=200"))["items"]
    return items


@pytest.mark.timeout(180)
async def test_of_two_hundred_who_race_each_contact_has_one_winner(site: Site, port: Log, database: Database) -> None:
    keys = Keys(database, site.clock, b"k" * 32)
    await site.put("/v1/queues/all", {"parallel_offers": ASKED_AT_ONCE, "offer_seconds": 3_600})
    limits, timeout = httpx.Limits(max_connections=AGENTS), httpx.Timeout(DEADLINE_SECONDS, pool=None)
    async with httpx.AsyncClient(base_url=site.address, timeout=timeout, limits=limits) as client:
        racers = Racers(site, keys, client)
        await racers.come(port)
        facts = [decision(opened(f"con_{n:02}", site.clock.now()), 1) for n in range(1, CONTACTS + 1)]
        await port.append(await site.partition(), facts)
        await site.until(f"/v1/contacts/con_{CONTACTS:02}", lambda contact: contact["queue"])
        assert sum(len(one["offers"]) for one in await in_state(site, "offered")) == AGENTS
        await racers.steal()
        assert racers.answers == {403: 1}
        while await racers.round():
            pass
    assigned = {one["contact_id"]: {one["agent"]} for one in await in_state(site, "assigned")}
    assert racers.winners == assigned
    assert len(assigned) == len({agent for (agent,) in assigned.values()}) == CONTACTS
    agents = (await site.get("/v1/agents?limit=200"))["items"]
    assert Counter(one["used_units"] for one in agents) == {UNITS: CONTACTS, 0: AGENTS - CONTACTS}
    assert set(racers.answers) == {200, 403, 409}
    report = await audit(port)
    assert not report.violations, report.violations[:5]
    assert report.events["offer.accepted"] == report.events["contact.assigned"] == CONTACTS
