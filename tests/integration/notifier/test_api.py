"""Subscriptions and deliveries over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.notifier.desk import Open, closed
from tests.integration.notifier.receiver import SECRET, Receiver

URL = "https://example.com/hook"


def body(**more: Any) -> dict[str, Any]:
    return {"to": {"webhook": URL}, "events": ["target.*", "escalation.raised"], **more}


async def put(opened: Open, name: str = "ops", whose: str = "default", **more: Any) -> Any:
    return await opened.call("PUT", f"/v1/subscriptions/{name}", whose, json=body(**more))


async def test_a_secret_of_ones_own_is_never_read_back(opened: Open) -> None:
    made = await put(opened, secret=SECRET, filter={"queue": "social"})
    assert made.status_code == 201
    read = await opened.call("GET", "/v1/subscriptions/ops")
    listed = await opened.call("GET", "/v1/subscriptions")
    for answer in (made, read, listed):
        assert SECRET not in answer.text
        assert "secret" not in answer.text
    assert read.json() == made.json() == listed.json()["items"][0]
    assert (read.json()["to"], read.json()["state"]) == ({"webhook": URL}, "enabled")
    assert read.json()["filter"] == {"queue": "social"}
    stored = await opened.desk.database.pool.fetchval("SELECT secret FROM notifier_subscriptions")
    assert SECRET.encode() not in stored


async def test_a_secret_that_is_made_is_shown_once_and_stays(opened: Open) -> None:
    made = (await put(opened)).json()["secret"]
    assert made.startswith("whsec_")
    replaced = await put(opened, events=["contact.closed"])
    assert (replaced.status_code, "secret" in replaced.json()) == (200, False)
    async with Receiver(secret=made) as receiver:
        await opened.call(
            "PUT", "/v1/subscriptions/ops", json={"to": {"webhook": receiver.url}, "events": ["contact.closed"]}
        )
        opened.desk.publish(closed("c1"))
        await receiver.taken(1)


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("slack", {"to": {"slack": "https://hooks.slack.com/x"}}, "not_supported", "/to/slack"),
    ("e-mail", {"to": {"email": "ann@example.com"}}, "not_supported", "/to/email"),
    ("slack beside a webhook", {"to": {"webhook": URL, "slack": "x"}}, "not_supported", "/to/slack"),
    ("nowhere", {"to": {}}, "invalid", "/to/webhook"),
    ("plain http", {"to": {"webhook": "http://example.com/"}}, "invalid", "/to/webhook"),
    ("inside", {"to": {"webhook": "https://10.0.0.1/"}}, "invalid", "/to/webhook"),
    ("another address", {"to": {"webhook": URL, "fax": "1"}}, "invalid", "/to/fax"),
    ("no events", {"events": []}, "invalid", "/events"),
    ("an unknown event", {"events": ["contact.closed", "contact.vanished"]}, "invalid", "/events/1"),
    ("an internal event", {"events": ["command.decided"]}, "invalid", "/events/0"),
    ("a strange pattern", {"events": ["*.closed"]}, "invalid", "/events/0"),
    ("an unknown filter", {"filter": {"customer_id": "cus_1"}}, "invalid", "/filter"),
    ("a filter that is no text", {"filter": {"queue": 5}}, "invalid", "/filter/queue"),
    ("a filter that nothing carries", {"events": ["contact.closed"], "filter": {"to": "x"}}, "invalid", "/filter"),
    ("a poor secret", {"secret": "whsec_abc"}, "invalid", "/secret"),
    ("an unknown field", {"retries": 5}, "invalid", "/retries"),
]


@pytest.mark.parametrize(("rule", "more", "code", "pointer"), REFUSED)
async def test_what_is_refused(opened: Open, rule: str, more: dict[str, Any], code: str, pointer: str) -> None:
    answer = await put(opened, **more)
    told = answer.json()
    assert (answer.status_code, told["code"], told["errors"][0]["pointer"]) == (422, code, pointer), rule
    assert (await opened.call("GET", "/v1/subscriptions")).json()["items"] == []


@pytest.mark.parametrize(
    ("whose", "method", "path", "status"),
    [
        ("viewer", "PUT", "/v1/subscriptions/ops", 403),
        ("integration", "PUT", "/v1/subscriptions/ops", 403),
        ("viewer", "DELETE", "/v1/subscriptions/ops", 403),
        ("viewer", "POST", "/v1/subscriptions/ops/test", 403),
        ("viewer", "GET", "/v1/subscriptions/ops", 200),
        ("integration", "GET", "/v1/deliveries", 200),
        ("agent", "GET", "/v1/subscriptions", 403),
        ("other", "GET", "/v1/subscriptions/ops", 404),
        ("other", "DELETE", "/v1/subscriptions/ops", 404),
        ("other", "POST", "/v1/subscriptions/ops/test", 404),
        ("", "GET", "/v1/subscriptions/ops", 401),
    ],
)
async def test_who_may_do_what(opened: Open, whose: str, method: str, path: str, status: int) -> None:
    await put(opened, secret=SECRET)
    request = {"json": body()} if method == "PUT" else {}
    assert (await opened.call(method, path, whose, **request)).status_code == status


async def test_a_test_is_sent_at_once_and_told(opened: Open, receiver: Receiver) -> None:
    await opened.subscribe("ops", receiver.url)
    told = await opened.call("POST", "/v1/subscriptions/ops/test")
    assert told.json() == {"delivered": True, "status": 204, "failure": None}
    assert receiver.got[0].body["type"] == "subscription.test"
    receiver.judge = lambda _: 401
    told = await opened.call("POST", "/v1/subscriptions/ops/test")
    assert told.json() == {"delivered": False, "status": 401, "failure": "refused"}
    assert await opened.deliveries() == []


async def test_deliveries_come_in_pages_and_by_state(opened: Open, receiver: Receiver) -> None:
    await opened.subscribe("ops", receiver.url)
    await opened.subscribe("all", receiver.url)
    opened.desk.publish(*(closed(f"c{n}") for n in range(5)))
    await opened.delivered(10)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await opened.call("GET", "/v1/deliveries", params={"limit": "3", **cursor})).json()
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == len(set(seen)) == 10
    assert len(await opened.deliveries(subscription="ops")) == 5
    assert await opened.deliveries(state="dead") == []


async def test_what_cant_be_sent_again(opened: Open, receiver: Receiver) -> None:
    receiver.judge = lambda _: 500
    await opened.subscribe("ops", receiver.url)
    opened.desk.publish(closed("c1"))
    await opened.failed(1)
    [pending] = await opened.deliveries()
    again = await opened.call("POST", f"/v1/deliveries/{pending['id']}/redeliver")
    assert (again.status_code, again.json()["state"]) == (409, "pending")
    assert (await opened.call("POST", "/v1/deliveries/dlv_0/redeliver")).status_code == 404


async def test_a_workspace_has_a_bounded_number_of_subscriptions(opened: Open) -> None:
    await put(opened, secret=SECRET)
    await opened.desk.database.pool.execute(
        "INSERT INTO notifier_subscriptions SELECT workspace, 's' || n, url, events, filter, secret, NULL, NULL, 1, 1"
        " FROM notifier_subscriptions, generate_series(2, 100) AS n"
    )
    assert (await put(opened, "one-more")).status_code == 409
    assert (await put(opened, "s2")).status_code == 200
    assert (await put(opened, "ops", "other")).status_code == 201
