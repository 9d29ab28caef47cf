"""A little of everything that leaves a trace in the metrics, through the public REST alone."""

import urllib.error
from typing import Any
from uuid import uuid4

from tests.e2e.house import House

AGENT = "ann"
TARGET_SECONDS = 900
ALWAYS_LATE = {"seconds": 1, "escalate": [{"at": 0.5, "do": "raise_priority"}], "warn_at": []}


def open_shop(house: House) -> None:
    """An account, an agent who is there, two promises (one that can't be kept), and a hook that nobody answers."""
    secrets = {"webhook_secret": "whsec_YSBzZWNyZXQgb2YgMjQgYnl0ZXMhISE="}
    house.call("PUT", "/v1/accounts/shop", {"provider": "generic", "secrets": secrets})
    capacity = {"units": 400, "cost": {"voice": 120, "live": 40, "async": 20}}
    house.call(
        "PUT",
        f"/v1/agents/{AGENT}",
        {"name": "Ann", "pool": "main", "skills": {"public": 5}, "capacity": capacity},
    )
    house.call("PUT", f"/v1/agents/{AGENT}/presence", {"status": "available", "lease_seconds": 600})
    promise = {"metric": "first_response", "goal": 0.9, "calendar": "always"}
    house.call("PUT", "/v1/targets/kept", promise | {"match": {"channel": "x"}, "seconds": TARGET_SECONDS})
    house.call("PUT", "/v1/targets/missed", promise | {"match": {"channel": "email"}} | ALWAYS_LATE)
    hook = {"to": {"webhook": "https://nobody.invalid/hook"}, "events": ["contact.assigned"], "filter": {}}
    house.call("PUT", "/v1/subscriptions/ops", hook)


def an_hour(house: House) -> None:
    """One customer is answered, one waits for a skill that nobody has, and a forged webhook is refused."""
    write(house, "email", "private", {"all": [{"skill": "law"}]})
    contact_id = write(house, "x", "public", None)
    for offer in house.call("GET", f"/v1/agents/{AGENT}/offers")["items"]:
        house.call("POST", f"/v1/offers/{offer['offer_id']}/accept", {})
    answer = {"agent": AGENT, "occurred_at": now(house), "visibility": "public", "text": "Hello", "automatic": False}
    house.call("POST", f"/v1/contacts/{contact_id}/responses", answer)
    house.call("POST", f"/v1/contacts/{contact_id}/close", {"resolution": "solved"})
    forge(house)


def write(house: House, channel: str, visibility: str, requirement: Any) -> str:
    contact = {
        "account": "shop",
        "channel": channel,
        "medium": "async",
        "visibility": visibility,
        "source_id": uuid4().hex,
        "conversation": uuid4().hex,
        "occurred_at": now(house),
        "customer": {"identities": [{"channel": channel, "address": f"{uuid4().hex}@example.com"}]},
        "text": "Where is my order?",
        "reach": {"followers": 500, "views": 20},
        "requirement": requirement,
    }
    answer = house.call("POST", "/v1/contacts?wait_seconds=5", contact)
    contact_id: str = answer["contact_id"]
    return contact_id


def forge(house: House) -> None:
    try:
        house.call("POST", "/v1/accounts/shop/webhook", {"forged": True})
    except urllib.error.HTTPError as refusal:
        assert refusal.code == 401  # noqa: PT017 - the refusal is the traffic, not the test
    else:
        raise AssertionError("a forged webhook was taken")


def now(house: House) -> str:
    """The house's own time, so that no event is dated ahead of it."""
    at: str = house.call("GET", "/v1/stats")["at"]
    return at
