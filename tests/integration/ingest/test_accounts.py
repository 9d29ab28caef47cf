"""Accounts: secrets go in and never come out; what isn't built is refused."""

from typing import Any

import pytest

from libs.common.postgres import Database
from tests.integration.ingest.house import OWN, SECRET, House, body

OUR_ANSWER = {"id_str": "3", "user": {"id_str": OWN}, "text": "we look into it", "in_reply_to_status_id_str": "2"}


async def test_an_account_is_created_shown_replaced_and_deleted(house: House) -> None:
    url = "https://care.example.com/v1/accounts/brand/webhook"
    created = await house.put_account(public_url=url, routable=["order_value"])
    shown = await house.call("GET", "/v1/accounts/brand")
    assert (created.status_code, created.json()) == (201, shown.json())
    assert shown.json() == {
        "account": "brand", "provider": "x", "pool": "main", "public_url": url, "routable": ["order_value"],
        "secret_names": ["account_user_id", "consumer_secret"],
    }  # fmt: skip
    replaced = await house.call("PUT", "/v1/accounts/brand", json={"provider": "x"})
    assert (replaced.status_code, replaced.json()["routable"]) == (200, [])
    assert replaced.json()["secret_names"] == ["account_user_id", "consumer_secret"], "left out: kept"
    assert (await house.call("GET", "/v1/accounts")).json()["items"] == [replaced.json()]
    assert (await house.call("DELETE", "/v1/accounts/brand")).status_code == 204
    assert (await house.call("DELETE", "/v1/accounts/brand")).status_code == 404
    assert (await house.post(body())).status_code == 422


async def test_secrets_are_sealed(house: House, database: Database) -> None:
    answer = await house.put_account()
    stored = await database.pool.fetchval("SELECT t::text || encode(secrets, 'escape') FROM ingest_accounts AS t")
    assert SECRET not in answer.text
    assert SECRET not in stored


async def test_accounts_come_in_pages(house: House) -> None:
    for name in ("a", "b", "c"):
        await house.put_account(name, "generic")
    first = (await house.call("GET", "/v1/accounts", params={"limit": 2})).json()
    rest = (await house.call("GET", "/v1/accounts", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["account"] for one in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("rule", "more", "code", "pointer"),
    [
        ("a provider that isn't built", {"provider": "twilio"}, "not_supported", "/provider"),
        ("a pool that isn't there", {"pool": "nowhere"}, "unknown_pool", "/pool"),
        ("a secret that is missing", {"secrets": {}}, "invalid", "/secrets/consumer_secret"),
        (
            "a secret of another provider",
            {"secrets": {"consumer_secret": "s", "token": "t"}},
            "invalid",
            "/secrets/token",
        ),
        ("an address that is none", {"public_url": "here"}, "invalid", "/public_url"),
        ("a field that is none", {"colour": "red"}, "invalid", "/colour"),
    ],
)
async def test_what_an_account_may_not_be(
    house: House, rule: str, more: dict[str, Any], code: str, pointer: str
) -> None:
    wrong = {"provider": "x", "secrets": {"consumer_secret": "s"}} | more
    answer = await house.call("PUT", "/v1/accounts/brand", json=wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, code), rule
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_an_account_stays_in_its_pool(house: House) -> None:
    await house.put_account(provider="generic")
    moved = await house.put_account(provider="generic", pool="sales")
    assert (moved.status_code, moved.json()["errors"][0]["pointer"]) == (422, "/pool")


async def test_what_follows_on_an_old_contact_goes_to_its_own_pool(house: House) -> None:
    """Although its account was made anew in another."""
    await house.put_account(provider="generic")
    contact_id = (await house.post(body("1", conversation="c"))).json()["contact_id"]
    await house.call("DELETE", "/v1/accounts/brand")
    await house.put_account(provider="x", pool="sales")
    await house.post(body("2", conversation="c"))
    await house.webhook({"for_user_id": OWN, "tweet_create_events": [OUR_ANSWER]})
    for source_id in ("1", "2"):
        await house.webhook({"for_user_id": OWN, "tweet_delete_events": [{"status": {"id": source_id}}]})
    facts = await house.settled(facts=4)
    assert [(one.event.subject, one.sequence) for one in facts] == [(contact_id, n) for n in (1, 2, 3, 4)]
    assert {record.partition for record in house.records()} == {await house.ingest.pools.partition("default", "main")}


async def test_a_deleted_workspace_takes_no_webhooks_and_keeps_no_account_id(house: House, database: Database) -> None:
    put = {"provider": "x", "secrets": {"consumer_secret": SECRET}}
    await house.call("PUT", "/v1/accounts/brand", "other", json=put)
    await database.pool.execute("UPDATE platform_workspaces SET deleted_at = 1 WHERE workspace = 'other'")
    refused = await house.webhook({"for_user_id": OWN, "tweet_create_events": []})
    challenged = await house.call("GET", "/v1/accounts/brand/webhook", "", params={"crc_token": "a"})
    assert (refused.status_code, challenged.status_code) == (404, 404)
    assert (await house.put_account(pool="sales")).status_code == 201
    assert (await house.webhook({"for_user_id": OWN, "tweet_create_events": []})).status_code == 200
    assert await database.pool.fetchval("SELECT workspace FROM ingest_accounts") == "default"


@pytest.mark.parametrize(
    ("rule", "secret", "status"),
    [
        ("24 bytes", "whsec_" + "QUJD" * 8, 201),
        ("words of one's own", "a long secret, no base64", 201),
        ("nothing", "whsec_", 422),
        ("no base64", "whsec_a long secret, no base64", 422),
        ("15 bytes", "whsec_" + "QUJD" * 5, 422),
        ("15 bytes without the prefix", "QUJD" * 5, 422),
        ("few words", "a secret", 422),
    ],
)
async def test_how_long_a_platforms_secret_must_be(house: House, rule: str, secret: str, status: int) -> None:
    answer = await house.put_account(provider="generic", secrets={"webhook_secret": secret})
    assert answer.status_code == status, rule
    if status == 422:
        assert answer.json()["errors"][0]["pointer"] == "/secrets/webhook_secret"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/accounts/brand", {"default"}),
        ("GET", "/v1/accounts/brand", {"default", "default.integration", "default.viewer"}),
        ("DELETE", "/v1/accounts/brand", {"default"}),
        ("POST", "/v1/contacts", {"default", "default.integration"}),
        ("POST", "/v1/contacts/batch", {"default", "default.integration"}),
        ("POST", "/v1/events", {"default", "default.integration"}),
        ("POST", "/v1/contacts/con_a/responses", {"default", "default.integration", "default.agent"}),
        ("GET", "/v1/customers/cus_a", {"default", "default.integration", "default.viewer"}),
        ("POST", "/v1/customers/cus_a/merge", {"default", "default.integration"}),
        ("DELETE", "/v1/customers/cus_a", {"default"}),
    ],
)
async def test_who_may_what(house: House, method: str, path: str, allowed: set[str]) -> None:
    statuses = {
        whose: (await house.call(method, path, whose)).status_code
        for whose in ("", "default", "default.integration", "default.viewer", "default.agent")
    }
    assert statuses.pop("") == 401
    assert {whose for whose, status in statuses.items() if status != 403} == allowed


RAW = b'{"account":"brand","channel":"x","source_id":"1","customer":{"identities":[{"channel":"x","address":"@m"}]}%s}'


@pytest.mark.parametrize(
    ("rule", "raw", "status"),
    [
        ("the least there is", RAW % b"", 201),
        ("a key twice", RAW % b',"text":"a","text":"b"', 400),
        ("NaN", RAW % b',"sentiment":NaN', 400),
        ("1e999", RAW % b',"sentiment":1e999', 400),
        ("U+0000", RAW % b',"text":"\\u0000"', 400),
        ("a lone surrogate", RAW % b',"text":"\\ud800"', 400),
        ("no JSON", b"{", 400),
        ("no UTF-8", RAW % b',"text":"\xff"', 400),
        ("too deep", b"[" * 40 + b"]" * 40, 400),
        ("an unknown field", RAW % b',"colour":"red"', 422),
        ("false for a number", RAW % b',"reach":{"views":false}', 422),
        ("a string for a number", RAW % b',"reach":{"views":"5"}', 422),
        ("a negative reach", RAW % b',"reach":{"views":-1}', 422),
        ("10^18 views", RAW % b',"reach":{"views":1000000000000000000}', 422),
        ("a time without zone", RAW % b',"occurred_at":"2026-11-18T11:00:00"', 422),
        ("a number for a time", RAW % b',"occurred_at":5', 422),
        ("a sentiment of 2", RAW % b',"sentiment":2', 422),
        ("a topic with a space", RAW % b',"topics":["my bill"]', 422),
        ("a level of 6", RAW % b',"requirement":{"all":[{"skill":"a","level":6}]}', 422),
        ("a nested attribute", RAW % b',"attributes":{"a":{}}', 422),
        ("a queue with a slash", RAW % b',"queue":"a/b"', 422),
        ("an unknown account", (RAW % b"").replace(b"brand", b"nobody"), 422),
        ("nobody", (RAW % b"").replace(b'{"channel":"x","address":"@m"}', b""), 422),
        ("an empty address", (RAW % b"").replace(b"@m", b" "), 422),
    ],
)
async def test_what_a_message_may_be(house: House, database: Database, rule: str, raw: bytes, status: int) -> None:
    await house.put_account()
    answer = await house.call("POST", "/v1/contacts", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == status, (rule, answer.text)
    assert await database.pool.fetchval("SELECT count(*) FROM ingest_messages") == (status == 201)
