"""Builders of what the machine writes, for tests of who reads it."""

from typing import Any

import msgspec

from libs.common.events import ROUTER_STATE, Event
from libs.common.events.codec import encode_headers, encode_value
from libs.common.events.routing import ContactClosed, ContactOffered, ContactQueued
from libs.common.log import Draft
from services.router.core.state import Agent, Contact, Rules

KEY = "acme/main"
AT = 1_795_000_000_000_000


def contact(id_: str = "con_1", **fields: Any) -> Contact:
    given: dict[str, Any] = {
        "rules": Rules(queue="social"),
        "account": "brand-on-x",
        "channel": "x",
        "medium": "async",
        "visibility": "public",
        "customer_id": "cus_1",
        "opened_at": AT,
        "waiting_since": AT,
        "target_seconds": 900,
    }
    return Contact(id=id_, **given | fields)


def agent(id_: str = "ann", **fields: Any) -> Agent:
    return Agent(id=id_, **fields)


def state(kind: str, entity: Any, *, key: str = KEY) -> Draft:
    return Draft(topic=ROUTER_STATE, key=f"{kind}|{key}|{entity.id}", value=msgspec.json.encode(entity))


def gone(kind: str, id_: str, *, key: str = KEY) -> Draft:
    return Draft(topic=ROUTER_STATE, key=f"{kind}|{key}|{id_}", value=None)


def positions(batch: int) -> Draft:
    return Draft(topic=ROUTER_STATE, key="positions", value=msgspec.json.encode({"batch": batch}))


def decision(event: Event, sequence: int) -> Draft:
    value = encode_value(event, sequence=sequence, cause="cmd_1")
    headers = encode_headers(event, sequence=sequence)
    assert event.topic is not None
    return Draft(topic=event.topic, key=event.key, value=value, headers=headers)


def queued(id_: str = "con_1", **fields: Any) -> ContactQueued:
    given: dict[str, Any] = {
        "reason": "opened",
        "queue": "social",
        "account": "brand-on-x",
        "channel": "x",
        "medium": "async",
        "visibility": "public",
        "customer_id": "cus_1",
        "opened_at": AT,
        "waiting_since": AT,
        "target_seconds": 900,
        "terms": {"reach": 0, "sentiment": 0, "tier": 0, "strikes": 0, "raised": 0},
    }
    return ContactQueued(key=KEY, at=AT, contact_id=id_, **given | fields)


def offered(id_: str = "con_1", to: str = "ann") -> ContactOffered:
    return ContactOffered(
        key=KEY,
        at=AT,
        contact_id=id_,
        offer_id=f"{id_}.offer.1",
        agent_id=to,
        queue="social",
        medium="async",
        expires_at=AT + 20_000_000,
        units=20,
        lane="main",
        score=-100,
    )


def closed(id_: str = "con_1") -> ContactClosed:
    return ContactClosed(key=KEY, at=AT + 1, contact_id=id_, agent_id="ann", resolution="solved")
