"""X as it calls: one table, each row a call and what must follow."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from libs.common.events.contacts import ContactOpened, MessageAdded, ResponseObserved
from libs.common.postgres import Database
from services.ingest.metrics import WEBHOOK_EVENTS_IGNORED, WEBHOOKS_REJECTED
from tests.integration.ingest.house import OWN, SECRET, House, sign

MILLISECONDS = 1_794_999_600_000


def user(user_id: str, **more: Any) -> dict[str, Any]:
    return {"id": int(user_id), "id_str": user_id, "name": "Mario Rossi", "screen_name": "mario", **more}


def post(post_id: str, author: str = "77", **more: Any) -> dict[str, Any]:
    return {
        "id": int(post_id),
        "id_str": post_id,
        "text": "@brand my line is down &amp; nobody answers",
        "user": user(author, followers_count=1_200),
        "timestamp_ms": str(MILLISECONDS),
        "entities": {"user_mentions": [{"id_str": OWN}]},
        **more,
    }


def reply(post_id: str, parent: str, author: str = "77", **more: Any) -> dict[str, Any]:
    return post(post_id, author, in_reply_to_status_id_str=parent, **more)


def posts(*all_of_them: dict[str, Any]) -> dict[str, Any]:
    return {"for_user_id": OWN, "tweet_create_events": list(all_of_them)}


def direct(message_id: str, sender: str, recipient: str, text: str = "ciao") -> dict[str, Any]:
    created = {"sender_id": sender, "target": {"recipient_id": recipient}, "message_data": {"text": text}}
    return {
        "for_user_id": OWN,
        "direct_message_events": [
            {
                "type": "message_create",
                "id": message_id,
                "created_timestamp": str(MILLISECONDS),
                "message_create": created,
            }
        ],
        "users": {sender: {"id": sender, "name": "Mario", "screen_name": "mario", "followers_count": 5}},
    }


def deletion(post_id: str) -> dict[str, Any]:
    status = {"id": post_id, "user_id": "77"}
    return {"for_user_id": OWN, "tweet_delete_events": [{"status": status, "timestamp_ms": str(MILLISECONDS)}]}


def activity(kind: str) -> dict[str, Any]:
    return {"for_user_id": OWN, kind: [{"anything": 1}]}


OPENED, ADDED = "contact.opened", "contact.message_added"
ANSWERED, WITHDRAWN = "contact.response_observed", "contact.withdrawn"


@dataclass
class Case:
    """Calls in order, and the types of the facts that they come to, by contact in order of opening."""

    rule: str
    calls: list[Any]
    facts: list[list[str]] = field(default_factory=list)


CASES = [
    Case("a mention opens a contact", [posts(post("1"))], [[OPENED]]),
    Case("a redelivery changes nothing", [posts(post("1")), posts(post("1"))], [[OPENED]]),
    Case("a reply joins its parent's conversation", [posts(post("1")), posts(reply("2", "1"))], [[OPENED, ADDED]]),
    Case("… however deep", [posts(post("1"), reply("2", "1"), reply("3", "2"))], [[OPENED, ADDED, ADDED]]),
    Case("a reply to the unknown roots there", [posts(reply("2", "1")), posts(post("1"))], [[OPENED, ADDED]]),
    Case("two posts are two contacts", [posts(post("1"), post("2"))], [[OPENED], [OPENED]]),
    Case("bystanders join", [posts(post("1"), reply("2", "1", "88"))], [[OPENED, ADDED]]),
    Case("our own post is none", [posts(post("1", OWN))]),
    Case("our own reply to a contact is a response", [posts(post("1"), reply("2", "1", OWN))], [[OPENED, ANSWERED]]),
    Case("… once", [posts(post("1")), *[posts(reply("2", "1", OWN))] * 2], [[OPENED, ANSWERED]]),
    Case("… and an answer to it joins", [posts(post("1"), reply("2", "1", OWN), reply("3", "2"))],
         [[OPENED, ANSWERED, ADDED]]),
    Case("our own reply to a stranger is none", [posts(reply("2", "1", OWN))]),
    Case("our own reply that comes before what it answers is a response all the same",
         [posts(reply("2", "1", OWN), reply("3", "1", OWN)), posts(post("1"))], [[OPENED, ANSWERED, ANSWERED]]),
    Case("… and nothing twice", [posts(reply("2", "1", OWN)), posts(post("1")), posts(reply("2", "1", OWN))],
         [[OPENED, ANSWERED]]),
    Case("… but not one that is older than that", [posts(reply("2", "1", OWN, timestamp_ms=str(MILLISECONDS - 1))),
         posts(post("1"))], [[OPENED]]),
    Case("whoever answers our own post is a customer of their own",
         [posts(post("1", OWN), reply("2", "1"), reply("3", "1", "88"), reply("4", "2"))], [[OPENED, ADDED], [OPENED]]),
    Case("a retweet is none", [posts(post("2", retweeted_status=post("1")))]),
    Case("a quote is a contact", [posts(post("2", is_quote_status=True, entities={}))], [[OPENED]]),
    Case("a private message opens", [direct("5", "77", OWN)], [[OPENED]]),
    Case("private messages of two people are one conversation", [direct("5", "77", OWN), direct("6", "77", OWN)],
         [[OPENED, ADDED]]),
    Case("our own private message is a response", [direct("5", "77", OWN), direct("6", OWN, "77")],
         [[OPENED, ANSWERED]]),
    Case("our own first private message is none", [direct("5", OWN, "77")]),
    Case("a private message between others is none", [direct("5", "77", "88")]),
    Case("deleting what opened the contact withdraws it", [posts(post("1")), deletion("1")], [[OPENED, WITHDRAWN]]),
    Case("… once", [posts(post("1")), deletion("1"), deletion("1")], [[OPENED, WITHDRAWN]]),
    Case("… not while another message waits", [posts(post("1"), reply("2", "1")), deletion("1")], [[OPENED, ADDED]]),
    Case("… until that is deleted too", [posts(post("1"), reply("2", "1")), deletion("1"), deletion("2")],
         [[OPENED, ADDED, WITHDRAWN]]),
    Case("… nor when only a later one goes", [posts(post("1"), reply("2", "1")), deletion("2")], [[OPENED, ADDED]]),
    Case("… and what was answered doesn't wait", [posts(post("1"), reply("2", "1", OWN)), deletion("1")],
         [[OPENED, ANSWERED, WITHDRAWN]]),
    Case("deleting the unknown is nothing", [deletion("9")]),
    Case("likes, follows, typing and the rest are none",
         [activity(kind) for kind in ("favorite_events", "follow_events", "block_events", "mute_events",
          "direct_message_indicate_typing_events", "direct_message_mark_read_events", "events_of_next_year")]),
    Case("a revoked app is none", [{"user_event": {"revoke": {"source": {"user_id": "1"}}}}]),
    Case("an empty list is none", [posts()]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
async def test_what_a_call_comes_to(house: House, case: Case) -> None:
    await house.put_account()
    for call in case.calls:
        answer = await house.webhook(call)
        assert answer.status_code == 200, answer.text
    found: dict[str, list[str]] = {}
    for one in await house.settled(facts=sum(map(len, case.facts))):
        found.setdefault(one.event.subject, []).append(one.event.type)
    assert sorted(found.values()) == sorted(case.facts)


async def test_a_mention_is_read_as_x_means_it(house: House) -> None:
    await house.put_account()
    long = {"full_text": "@brand il pagamento &lt;è&gt; stato rifiutato di nuovo, perché?"}
    counts: Any = {"favorite_count": 120, "retweet_count": 45, "reply_count": 30, "quote_count": 5}
    await house.webhook(posts(post("1065035365336141825", truncated=True, extended_tweet=long, lang="ro", **counts)))
    (fact,) = await house.settled(facts=1)
    opened = fact.event
    assert isinstance(opened, ContactOpened)
    assert (opened.channel, opened.medium, opened.visibility, opened.kind) == ("x", "async", "public", "mention")
    assert (opened.reach.followers, opened.reach.reactions, opened.reach.shares) == (1_200, 150, 50)
    assert (opened.occurred_at, opened.language) == (MILLISECONDS * 1_000, "it")
    page = await house.call("GET", f"/v1/contacts/{opened.contact_id}/messages")
    (message,) = page.json()["items"]
    assert message["text"] == "@brand il pagamento <è> stato rifiutato di nuovo, perché?"
    assert message["source_id"] == "1065035365336141825"
    assert message["sender"] == {"channel": "x", "address": "77", "handle": "mario", "name": "Mario Rossi"}


@pytest.mark.parametrize(
    ("rule", "more", "occurred_at"),
    [
        (
            "created_at where there is no timestamp",
            {"created_at": "Wed Nov 18 11:00:00 +0000 2026"},
            MILLISECONDS * 1_000,
        ),
        ("receipt where neither can be read", {"created_at": "yesterday"}, 1_795_000_000_000_000),
        ("receipt where it lies in the future", {"timestamp_ms": "1795000301000"}, 1_795_000_000_000_000),
        ("receipt where it is absurd", {"timestamp_ms": "9" * 400}, 1_795_000_000_000_000),
    ],
)
async def test_when_a_post_was_made(house: House, rule: str, more: dict[str, Any], occurred_at: int) -> None:
    await house.put_account()
    await house.webhook(posts(post("1", **({"timestamp_ms": None} | more))))
    (fact,) = await house.settled(facts=1)
    assert isinstance(fact.event, ContactOpened)
    assert fact.event.occurred_at == occurred_at, rule


async def test_a_private_answer_is_observed_as_private(house: House) -> None:
    await house.put_account()
    await house.webhook(direct("5", "77", OWN))
    await house.webhook(direct("6", OWN, "77"))
    _, fact = await house.settled(facts=2)
    assert isinstance(fact.event, ResponseObserved)
    assert (fact.event.visibility, fact.event.agent_id, fact.event.automatic) == ("private", None, False)


async def test_replies_that_came_first_are_numbered_after_their_contact(house: House) -> None:
    await house.put_account()
    await house.webhook(posts(reply("2", "1", OWN), post("1"), reply("3", "1")))
    facts = await house.settled(facts=3)
    assert [(one.event.type, one.sequence) for one in facts] == [(OPENED, 1), (ANSWERED, 2), (ADDED, 3)]
    page = await house.call("GET", f"/v1/contacts/{facts[0].event.subject}/messages")
    assert {one["contact_id"] for one in page.json()["items"]} == {facts[0].event.subject}


async def test_a_reply_and_what_it_answers_at_once_find_each_other(house: House) -> None:
    await house.put_account()
    calls = [one for n in range(0, 40, 2) for one in (reply(f"{n + 1}", f"{n}", OWN), post(f"{n}"))]
    await asyncio.gather(*(house.webhook(posts(one)) for one in calls))
    types = [one.event.type for one in await house.settled(facts=40)]
    assert (types.count(OPENED), types.count(ANSWERED)) == (20, 20)


async def test_a_bystander_widens_the_reach(house: House) -> None:
    await house.put_account()
    await house.webhook(posts(post("1"), reply("2", "1", user=user("88", followers_count=90_000))))
    _, fact = await house.settled(facts=2)
    assert isinstance(fact.event, MessageAdded)
    assert (fact.event.author, fact.event.reach.followers) == ("bystander", 90_000)


async def test_a_deleted_post_leaves_no_text(house: House, database: Database) -> None:
    await house.put_account()
    await house.webhook(posts(post("1"), reply("2", "1")))
    await house.webhook(deletion("2"))
    rows = await database.pool.fetch("SELECT text, deleted_at FROM ingest_messages ORDER BY ordinal")
    assert [(row["text"] is None, row["deleted_at"] is None) for row in rows] == [(False, True), (True, False)]


async def test_redeliveries_at_once_make_one_contact(house: House) -> None:
    await house.put_account()
    await asyncio.gather(*(house.webhook(posts(post("1"), reply("2", "1"))) for _ in range(8)))
    assert [one.event.type for one in await house.settled(facts=2)] == [OPENED, ADDED]


RAW = json.dumps(posts(post("1"))).encode()
LONG_PARENT = json.dumps(posts(reply("2", "1" * 257))).encode()
LONG_RECIPIENT = json.dumps(direct("5", OWN, "7" * 257)).encode()


@pytest.mark.parametrize(
    ("rule", "raw", "signature", "statuses", "reason"),
    [
        ("unsigned", RAW, None, {401}, "unsigned"),
        ("signed with another secret", RAW, sign(RAW, "another"), {403}, "bad_signature"),
        ("signed for other bytes", RAW + b" ", sign(RAW), {403}, "bad_signature"),
        ("no base64", RAW, "sha256=ü", {403}, "bad_signature"),
        ("for another account", RAW.replace(b'"123"', b'"124"', 1), "", {403}, "wrong_account"),
        ("no JSON", b"{", "", {400}, "unreadable"),
        ("a key twice", b'{"for_user_id": "123", "for_user_id": "123"}', "", {400}, "unreadable"),
        ("no object", b"[]", "", {422}, "unreadable"),
        ("nothing", b"", "", {400}, "unreadable"),
        (
            "a post without an id",
            b'{"for_user_id": "123", "tweet_create_events": [{"id": 1}]}',
            "",
            {422},
            "unreadable",
        ),
        ("a list that is none", b'{"for_user_id": "123", "tweet_create_events": {}}', "", {422}, "unreadable"),
        ("for nobody", b'{"tweet_create_events": []}', "", {422}, "unreadable"),
        ("a parent without bounds", LONG_PARENT, "", {422}, "unreadable"),
        ("a recipient without bounds", LONG_RECIPIENT, "", {422}, "unreadable"),
        ("\\u0000", RAW.replace(b"Mario", b"\\u0000"), "", {400}, "unreadable"),
        ("a lone surrogate", RAW.replace(b"Mario", b"\\ud800"), "", {400}, "unreadable"),
    ],
)
async def test_what_is_refused_changes_nothing(
    house: House, database: Database, rule: str, raw: bytes, signature: str | None, statuses: set[int], reason: str
) -> None:
    await house.put_account()
    before = WEBHOOKS_REJECTED.labels("x", reason)._value.get()
    headers = {} if signature is None else {"x-twitter-webhooks-signature": signature or sign(raw)}
    encoded = {name: value.encode() for name, value in headers.items()}
    answer = await house.call("POST", "/v1/accounts/brand/webhook", "", content=raw, headers=encoded)
    assert answer.status_code in statuses, rule
    assert WEBHOOKS_REJECTED.labels("x", reason)._value.get() == before + 1
    assert await database.pool.fetchval("SELECT count(*) FROM ingest_messages") == 0


async def test_the_challenge(house: House) -> None:
    await house.put_account()
    path = "/v1/accounts/brand/webhook"
    token = "9b4507b3-9040-4669-9ca3-6b94edb50553"
    answer = await house.call("GET", path, "", params={"crc_token": token})
    assert answer.json() == {"response_token": sign(token.encode(), SECRET)}
    assert (await house.call("GET", path, "")).status_code == 400
    assert (await house.call("GET", "/v1/accounts/nobody/webhook", "")).status_code == 404


@pytest.mark.parametrize("token", [json.dumps(posts(post("1"))), '{"for_user_id":"123"}', "{}", "a b", "ü", "a" * 257])
async def test_the_challenge_signs_nothing_that_could_be_a_call(house: House, token: str) -> None:
    await house.put_account()
    answer = await house.call("GET", "/v1/accounts/brand/webhook", "", params={"crc_token": token})
    assert answer.status_code == 400
    assert sign(token.encode(), SECRET) not in answer.text


async def test_what_is_ignored_is_counted_under_bounded_names(house: House) -> None:
    await house.put_account()
    before = WEBHOOK_EVENTS_IGNORED.labels("x", "unknown")._value.get()
    await house.webhook(activity("events_of_next_year"))
    assert WEBHOOK_EVENTS_IGNORED.labels("x", "unknown")._value.get() == before + 1
