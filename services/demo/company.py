"""A made-up company, so that a newcomer sees contacts move: its rules, its agents, and customers who don't stop.

All by public REST and server-sent events, as anybody could. Nobody in it exists.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, Final

import httpx

from services.demo.bots import Behaviour, run_agent
from services.demo.bots_requests import insist
from services.demo.bots_sender import Sender, each_second

X_ACCOUNT: Final = "demo-on-x"
X_SECRET: Final = "nobody-elses-consumer-secret"  # noqa: S105 - of an account that X doesn't know
X_USER: Final = "1000000000000000001"
HOUSE_ACCOUNT: Final = "demo-service"

POSTS_A_SECOND: Final = 0.25
DIRECT_A_SECOND: Final = 0.35
STORMS_A_SECOND: Final = 1 / 60
STORM_POSTS: Final = 12
STORM_POSTS_A_SECOND: Final = 5.0
REQUEST_SECONDS_MAX: Final = 30.0
SOURCE_ID_BITS: Final = 60
LEFT_OVER_MAX: Final = 100

BEHAVIOUR: Final = Behaviour(handle_seconds=(3.0, 10.0))
CAPACITY: Final = {"units": 40, "cost": {"voice": 40, "live": 20, "async": 20}, "max": {"voice": 1},
                   "interrupted_by": {"async": ["voice", "live"]}}  # fmt: skip

AGENTS: Final[dict[str, tuple[str, dict[str, int]]]] = {
    "ada": ("Ada", {"public": 4, "mail": 3, "lang:en": 5, "lang:it": 3}),
    "bruno": ("Bruno", {"public": 2, "mail": 2, "lang:it": 5}),
    "carla": ("Carla", {"public": 3, "mail": 4, "lang:it": 5, "lang:en": 4}),
    "dario": ("Dario", {"phone": 4, "lang:it": 5}),
    "emma": ("Emma", {"chat": 4, "mail": 2, "public": 1, "lang:en": 5}),
    "franco": ("Franco", {"chat": 2, "phone": 2, "lang:it": 5}),
    "greta": ("Greta", {"public": 3, "chat": 3, "lang:en": 4}),
    "hugo": ("Hugo", {"phone": 3, "mail": 2, "lang:en": 5}),
}

LINE_MAX: Final = 6
"""Posts beyond so many in line, in a storm, go to whoever may answer in public, in any language."""

QUEUES: Final[dict[str, dict[str, Any]]] = {
    "social": {"name": "Social care", "order": 10, "match": {"visibility": "public"},
               "requirement": {"all": [{"skill": "public", "level": 2}]}, "language_skill": True,
               "relax": [{"after_seconds": 30, "requirement": {"all": [{"skill": "public"}]}}],
               "overflow": {"queue": "everyone", "longer_than": LINE_MAX}},
    "phone": {"name": "Phone", "order": 20, "match": {"medium": "voice"}, "requirement": {"all": [{"skill": "phone"}]}},
    "chat": {"name": "Chat", "order": 30, "match": {"medium": "live"}, "requirement": {"all": [{"skill": "chat"}]}},
    "mail": {"name": "E-mail", "order": 40, "match": {"channel": "email"},
             "requirement": {"all": [{"skill": "mail"}]}},
}  # fmt: skip
QUEUE_RULES: Final = {"offer_seconds": 10, "wrap_up_seconds": 3}

PROMISES: Final[dict[str, tuple[dict[str, str], int]]] = {
    "posts-in-a-minute": ({"visibility": "public"}, 60),
    "calls-at-once": ({"medium": "voice"}, 20),
    "chats-in-45-seconds": ({"medium": "live"}, 45),
    "mails-in-three-minutes": ({"channel": "email"}, 180),
}
LADDER: Final = [{"at": 0.8, "do": "raise_priority"}, {"at": 1.0, "do": "notify", "to": "supervisors"}]

POSTS: Final = (
    ("en", "My parcel has been on its way for nine days. Anybody there?"),
    ("en", "Charged twice this month. How do I get it back?"),
    ("en", "Your app signs me out every morning."),
    ("it", "Il pacco doveva arrivare lunedì e nessuno risponde."),
    ("it", "Mi avete addebitato due volte lo stesso ordine!"),
)
STORM: Final = ("en", "The whole site is down and I can't check out! Please do something.")
LETTERS: Final = (
    "I would like to return an order; the address on the label is not mine.",
    "Please send me a copy of last month's invoice.",
    "Vorrei cambiare la taglia dell'ultimo ordine.",
)
DIRECT: Final = (("phone", "voice"), ("chat", "live"), ("chat", "live"), *(("email", "async"),) * 4)


def configuration() -> list[tuple[str, dict[str, Any]]]:
    """What is PUT where, in this order."""
    x = {"provider": "x", "secrets": {"consumer_secret": X_SECRET, "account_user_id": X_USER}}
    ladder = {"metric": "first_response", "warn_at": [0.5], "escalate": LADDER}
    return [
        (f"/v1/accounts/{X_ACCOUNT}", x),
        (f"/v1/accounts/{HOUSE_ACCOUNT}", {"provider": "generic"}),
        *((f"/v1/queues/{name}", body | QUEUE_RULES) for name, body in QUEUES.items()),
        *((f"/v1/targets/{id_}", {"match": match, "seconds": s} | ladder) for id_, (match, s) in PROMISES.items()),
        *(
            (f"/v1/agents/{id_}", {"name": name, "skills": skills, "capacity": CAPACITY})
            for id_, (name, skills) in AGENTS.items()
        ),
    ]


async def run_company(url: str, admin_key: str, rng: Random) -> None:
    """Furnish the company and keep it busy until cancelled. Raises Unanswered and httpx.HTTPStatusError."""
    headers = {"authorization": f"Bearer {admin_key}"}
    never = asyncio.Event()
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=REQUEST_SECONDS_MAX) as client:
        for path, body in configuration():
            (await insist(client, "PUT", path, json=body)).raise_for_status()
        await send_home(client)
        async with asyncio.TaskGroup() as tasks:
            for agent in AGENTS:
                tasks.create_task(run_agent(client, agent, BEHAVIOUR, Random(rng.random()), never))
            customers = Customers(Sender(client, rng), rng, never)
            for crowd in (customers.post(), customers.write_and_call(), customers.storm()):
                tasks.create_task(crowd)


async def send_home(client: httpx.AsyncClient) -> None:
    """Whoever waited when the demo was stopped has left by now."""
    waiting = await insist(client, "GET", "/v1/contacts", params={"state": "waiting", "limit": LEFT_OVER_MAX})
    for contact in waiting.json()["items"]:
        await insist(client, "POST", f"/v1/contacts/{contact['contact_id']}/abandon", json={"reason": "customer_left"})


class Customers:
    """They write and call at random moments; every answer that the company owes is somebody's."""

    def __init__(self, sender: Sender, rng: Random, until: asyncio.Event) -> None:
        self._sender = sender
        self._rng = rng
        self._until = until

    async def post(self) -> None:
        while await each_second(self._rng, POSTS_A_SECOND, self._until):
            await self._send_post(*self._rng.choice(POSTS))

    async def storm(self) -> None:
        """Now and then many complain of the same at once."""
        while await each_second(self._rng, STORMS_A_SECOND, self._until):
            for _ in range(STORM_POSTS):
                await each_second(self._rng, STORM_POSTS_A_SECOND, self._until)
                await self._send_post(*STORM)

    async def write_and_call(self) -> None:
        while await each_second(self._rng, DIRECT_A_SECOND, self._until):
            channel, medium = self._rng.choice(DIRECT)
            (await self._sender.post_contact(self.direct(channel, medium))).raise_for_status()

    async def _send_post(self, language: str, text: str) -> None:
        answer = await self._sender.post_x(X_ACCOUNT, X_SECRET, self.tweet(language, text), account_user=X_USER)
        answer.raise_for_status()

    def tweet(self, language: str, text: str) -> dict[str, Any]:
        """A mention by somebody new, whom few or very many follow."""
        author, followers = self._id(), int(10 ** self._rng.uniform(1.0, 5.5))
        return {
            "id_str": self._id(), "text": text, "lang": language,
            "user": {"id_str": author, "name": "Demo customer", "screen_name": f"demo_{author[-6:]}",
                     "followers_count": followers},
            "entities": {"user_mentions": [{"id_str": X_USER}]},
        }  # fmt: skip

    def direct(self, channel: str, medium: str) -> dict[str, Any]:
        address = f"demo-{self._id()}@example.com" if channel == "email" else f"demo-{self._id()}"
        return {
            "account": HOUSE_ACCOUNT, "channel": channel, "medium": medium, "source_id": self._id(),
            "customer": {"identities": [{"channel": channel, "address": address}]},
            "text": None if medium == "voice" else self._rng.choice(LETTERS),
        }  # fmt: skip

    def _id(self) -> str:
        return str(self._rng.getrandbits(SOURCE_ID_BITS))
