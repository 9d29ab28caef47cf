"""The recorded calls of X and what each must become, over HTTP."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from libs.common.events.codec import instant
from libs.common.events.contacts import Message
from tests.integration.ingest.house import House


def recorded(test_data: Path) -> list[dict[str, Any]]:
    document = json.loads((test_data / "webhooks" / "index.json").read_text())
    return [one for one in document["vectors"] if one["provider"] == "x"]


async def send(house: House, vector: dict[str, Any], account: str) -> httpx.Response:
    request = vector["request"]
    path = f"/v1/accounts/{account}/webhook?{urlsplit(request['url']).query}"
    content = base64.b64decode(request.get("body_b64", ""))
    return await house.call(request["method"], path, "", content=content, headers=request["headers"])


async def test_each_becomes_what_it_must(house: House, test_data: Path) -> None:
    vectors = recorded(test_data)
    assert vectors
    for vector in vectors:
        before = len(await house.settled())
        account = vector["id"]
        await house.put_account(account, secrets=vector["secret"])
        earlier = [one for one in vectors if one["id"] == vector.get("duplicate_of")]
        answers = [await send(house, one, account) for one in (*earlier, vector)]
        expect = vector["expect"]
        assert {answer.status_code for answer in answers} <= set(expect["status_in"]), vector["id"]
        if "response" in expect:
            assert answers[-1].json() == expect["response"]["json"]
        facts = await house.settled(facts=before + expect["n_contacts"])
        mine = [one.event for one in facts if isinstance(one.event, Message) and one.event.account == account]
        assert len(mine) == expect["n_contacts"], vector["id"]
        for message, expected in zip(mine, expect["events"], strict=True):
            await check(house, message, expected)


async def check(house: House, message: Message, expected: dict[str, Any]) -> None:
    assert (message.channel, message.visibility, message.kind) == (
        expected["channel"], expected["visibility"], expected["kind"],
    )  # fmt: skip
    assert message.reach.followers == expected["author"]["followers"]
    if "ts" in expected:
        assert message.occurred_at == instant(expected["ts"])
    (said,) = (await house.call("GET", f"/v1/contacts/{message.contact_id}/messages")).json()["items"]
    assert (said["text"], said["source_id"]) == (expected["text"], expected["provider_message_id"])
    assert said["sender"]["address"] == expected["author"]["id"]
    assert said["sender"]["handle"] == expected["author"]["handle"]


async def test_a_recorded_reply_joins_its_conversation(house: House, test_data: Path) -> None:
    by_id = {vector["id"]: vector for vector in recorded(test_data)}
    await house.put_account(secrets=by_id["x-mention-extended"]["secret"])
    for name in ("x-mention-extended", "x-reply-high-reach", "x-dup-mention"):
        assert (await send(house, by_id[name], "brand")).status_code == 200
    facts = await house.settled(facts=2)
    assert [one.event.type for one in facts] == ["contact.opened", "contact.message_added"]
    assert len({one.event.subject for one in facts}) == 1
    await send(house, by_id["x-tweet-delete"], "brand")
    assert len(await house.settled()) == 2, "the customer's second message still waits"
