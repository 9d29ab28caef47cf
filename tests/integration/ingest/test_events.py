"""CloudEvents: by key in three modes, and signed at an account's webhook."""

import base64
import json
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from libs.common.events.contacts import ContactOpened
from libs.common.postgres import Database
from tests.integration.ingest.house import NOW, House, body

STRUCTURED = {"content-type": "application/cloudevents+json; charset=UTF-8"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of a platform").decode()
PATH = "/v1/accounts/brand/webhook"


def event(source_id: str = "1", **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "contact.message.received",
        "source": "https://chat.example.com/widget/1",
        "id": f"A234-{source_id}",
        "time": "2026-11-18T11:00:00Z",
        "datacontenttype": "application/json",
        "data": body(source_id),
        **more,
    }


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name not in names}


async def test_a_structured_event_is_a_message_at_the_events_time(house: House) -> None:
    await house.put_account()
    answer = await house.call("POST", "/v1/events", content=json.dumps(event()), headers=STRUCTURED)
    assert [one["status"] for one in answer.json()["results"]] == [201]
    (fact,) = await house.settled(facts=1)
    assert isinstance(fact.event, ContactOpened)
    assert fact.event.occurred_at == 1_794_999_600_000_000


async def test_a_binary_event_is_the_same_message(house: House) -> None:
    await house.put_account()
    headers = {f"ce-{name}": value for name, value in event().items() if name not in ("data", "datacontenttype")}
    content = json.dumps(event()["data"])
    first = await house.call(
        "POST", "/v1/events", content=content, headers=headers | {"content-type": "application/json"}
    )
    again = await house.call("POST", "/v1/events", content=json.dumps(event()), headers=STRUCTURED)
    assert [answer.json()["results"][0]["status"] for answer in (first, again)] == [201, 200]


async def test_a_batch_is_taken_whole_or_refused_whole(house: House, database: Database) -> None:
    await house.put_account()
    bad = json.dumps([event("1"), {"specversion": "1.0", "id": "x"}])
    refused = await house.call("POST", "/v1/events", content=bad, headers=BATCHED)
    pointers = [error["pointer"] for error in refused.json()["errors"]]
    assert (refused.status_code, pointers) == (422, ["/1/source", "/1/type"])
    assert await database.pool.fetchval("SELECT count(*) FROM ingest_messages") == 0
    taken = await house.call("POST", "/v1/events", content=json.dumps([event("1"), event("2")]), headers=BATCHED)
    assert [one["status"] for one in taken.json()["results"]] == [201, 201]
    empty = await house.call("POST", "/v1/events", content="[]", headers=BATCHED)
    assert (empty.status_code, empty.json()) == (200, {"results": []})


@pytest.mark.parametrize(
    ("rule", "sent", "status"),
    [
        ("base64 is data too", {**without(event(), "data"),
         "data_base64": base64.b64encode(json.dumps(body()).encode()).decode()}, 200),
        ("time is optional", without(event(), "time"), 200),
        ("extensions mean nothing", event(traceparent="00-a"), 200),
        ("no id", without(event(), "id"), 422),
        ("an empty source", event(source=""), 422),
        ("another version", event(specversion="0.3"), 422),
        ("another type", event(type="com.example.other"), 422),
        ("a time without zone", event(time="2026-11-18T11:00:00"), 422),
        ("a number for a time", event(time=5), 422),
        ("a day for a time", event(time="2026-11-18"), 422),
        ("a week's day for a time", event(time="2026-W47-3T11:00:00Z"), 422),
        ("a time without seconds", event(time="2026-11-18T11:00Z"), 422),
        ("a time with an offset", event(time="2026-11-18T12:00:00.5+01:00"), 200),
        ("a name that is none", {**event(), "Not-A-Name": "x"}, 422),
        ("no data", without(event(), "data"), 422),
        ("data of another shape", event(data={"hello": 1}), 422),
        ("data that isn't JSON", event(datacontenttype="text/xml", data="<a/>"), 422),
        ("both kinds of data", event(data_base64="e30="), 422),
        ("base64 that is none", {**without(event(), "data"), "data_base64": "é"}, 422),
        ("no object", 5, 422),
    ],
)  # fmt: skip
async def test_what_an_event_may_be(house: House, rule: str, sent: Any, status: int) -> None:
    await house.put_account()
    answer = await house.call("POST", "/v1/events", content=json.dumps(sent), headers=STRUCTURED)
    assert answer.status_code == status, (rule, answer.text)


async def test_other_media_types_are_refused(house: House) -> None:
    answer = await house.call("POST", "/v1/events", content="<a/>", headers={"content-type": "application/xml"})
    assert answer.status_code == 415


def signed(content: str, *, secret: str = WEBHOOK_SECRET, seconds: int = NOW // 1_000_000) -> dict[str, str]:
    """As the reference library signs."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = Webhook(key).sign("msg_1", _moment(seconds), content)
    return STRUCTURED | {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{'A' * 43}= {signature}",
    }


def _moment(seconds: int) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("rule", "headers", "status"),
    [
        ("signed", {}, 200),
        ("unsigned", {"webhook-signature": None}, 401),
        ("stale", {"seconds": NOW // 1_000_000 - 301}, 403),
        ("from the future", {"seconds": NOW // 1_000_000 + 301}, 403),
        ("with another secret", {"secret": "whsec_" + base64.b64encode(b"x" * 24).decode()}, 403),
        ("a timestamp that is none", {"webhook-timestamp": "soon"}, 403),
    ],
)
async def test_a_platforms_signature(house: House, rule: str, headers: dict[str, Any], status: int) -> None:
    await house.put_account(provider="generic", secrets={"webhook_secret": WEBHOOK_SECRET})
    content = json.dumps(event(data=without(body(), "account")))
    options = {name: value for name, value in headers.items() if name in ("secret", "seconds")}
    sent = signed(content, **options) | {name: value for name, value in headers.items() if name.startswith("webhook")}
    sent = {name: value for name, value in sent.items() if value is not None}
    answer = await house.call("POST", PATH, "", content=content, headers=sent)
    assert answer.status_code == status, (rule, answer.text)


async def test_a_signed_event_speaks_for_its_own_account_only(house: House) -> None:
    await house.put_account(provider="generic", secrets={"webhook_secret": WEBHOOK_SECRET})
    content = json.dumps(event(data=body(account="another")))
    answer = await house.call("POST", PATH, "", content=content, headers=signed(content))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/data/account")


async def test_a_refusal_repeats_nothing_of_what_was_sent(house: House) -> None:
    await house.put_account()
    canary = "canary@51d0.example"
    wrong = body(attributes={f"{canary} 1": {}}, topics=[canary], customer={"identities": [{canary: 1}]})
    for answer in (
        await house.call("POST", "/v1/events", content=json.dumps(event(data=wrong)), headers=STRUCTURED),
        await house.call("POST", "/v1/events", content=json.dumps({**event(), f"{canary}!": 1}), headers=STRUCTURED),
        await house.call("POST", "/v1/contacts/batch", json={"contacts": [wrong]}),
    ):
        assert "errors" in answer.text
        assert canary not in answer.text
