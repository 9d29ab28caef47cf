"""What a platform brings: stored once, one contact a conversation, told to the log in order."""

import asyncio
from collections import Counter

import pytest

from libs.common.clock import VirtualClock
from libs.common.events.codec import Envelope
from libs.common.events.contacts import ContactOpened, MessageAdded, ResponseObserved
from libs.common.events.values import Reach, Requirement, SkillNeed
from libs.common.postgres import Database
from services.ingest.limits import AGENTS_MAX
from tests.integration.ingest.house import NOW, House, body, by


def types(facts: list[Envelope]) -> list[str]:
    return [one.event.type for one in facts]


def gapless(facts: list[Envelope]) -> bool:
    """Each contact's facts are numbered 1, 2, 3 … in the order in which they are on the log."""
    expected: Counter[str] = Counter()
    for one in facts:
        expected[one.event.subject] += 1
        if one.sequence != expected[one.event.subject]:
            return False
    return True


async def test_a_first_message_opens_a_contact_with_all_the_router_needs(house: House) -> None:
    await house.put_account(routable=["order_value"])
    answer = await house.post(
        body(
            "1",
            conversation="c",
            occurred_at="2026-11-18T10:00:00+01:00",
            topics=["billing"],
            sentiment=-0.8,
            customer=by("@Mario", tier="gold"),
            reach={"followers": 12_000, "views": 45_000, "reactions": 12, "shares": 30},
            requirement={"all": [{"skill": "billing", "level": 3}, {"skill": "lang:it"}], "exclude_agents": ["bob"]},
            queue="social",
            incident_key="outage-17",
            attributes={"order_value": 12.5, "order": "A-17"},
        )
    )
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert shown | {"state": "received", "repeat_of": None} == shown
    (fact,) = await house.settled(facts=1)
    opened = fact.event
    assert isinstance(opened, ContactOpened)
    assert (opened.contact_id, opened.customer_id) == (shown["contact_id"], shown["customer_id"])
    assert (opened.key, opened.tier, opened.queue, opened.topics) == ("default/main", "gold", "social", ("billing",))
    assert opened.incident_key == "outage-17"
    assert opened.occurred_at == 1_794_992_400_000_000
    assert opened.reach == Reach(followers=12_000, views=45_000, reactions=12, shares=30)
    assert opened.requirement == Requirement(
        all=(SkillNeed(skill="billing", level=3), SkillNeed(skill="lang:it")), exclude_agents=("bob",)
    )
    assert opened.attributes == {"order_value": 12.5}, "only what is routable leaves ingest"
    assert opened.language == "en"


async def test_a_redelivery_is_answered_200_and_changes_nothing(house: House) -> None:
    await house.put_account()
    first = await house.post(body("1", reach={"views": 5}))
    again = await house.post(body("1", reach={"views": 50_000}, text="something else"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert types(await house.settled(facts=1)) == ["contact.opened"]
    messages = (await house.call("GET", f"/v1/contacts/{first.json()['contact_id']}/messages")).json()["items"]
    assert [one["text"] for one in messages] == ["the invoice is wrong again"]


async def test_messages_of_one_conversation_join_one_contact_and_bystanders_too(house: House) -> None:
    await house.put_account()
    first = await house.post(body("1", conversation="c"))
    second = await house.post(body("2", conversation="c"))
    third = await house.post(body("3", conversation="c", customer=by("@luigi"), reach={"followers": 9}))
    assert len({answer.json()["contact_id"] for answer in (first, second, third)}) == 1
    facts = await house.settled(facts=3)
    assert types(facts) == ["contact.opened", "contact.message_added", "contact.message_added"]
    added = facts[2].event
    assert isinstance(added, MessageAdded)
    assert (added.author, added.reach.followers) == ("bystander", 9)
    assert added.customer_id == first.json()["customer_id"] != third.json()["customer_id"]
    assert gapless(facts)


@pytest.mark.parametrize("conversations", [1, 5])
async def test_messages_at_once_make_one_contact_a_conversation(house: House, conversations: int) -> None:
    await house.put_account()
    bodies = [body(str(n), conversation=f"c{n % conversations}") for n in range(20)]
    answers = await asyncio.gather(*(house.post(one) for one in bodies))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["contact_id"] for answer in answers}) == conversations
    assert len({answer.json()["customer_id"] for answer in answers}) == 1
    facts = await house.settled(facts=20)
    assert types(facts).count("contact.opened") == conversations
    assert gapless(facts)


@pytest.mark.parametrize("field", ["prefer_agents", "exclude_agents"])
async def test_a_contact_names_so_many_agents_at_most(house: House, field: str) -> None:
    await house.put_account()
    named = [f"agent{number}" for number in range(AGENTS_MAX + 1)]
    refused = await house.post(body("1", requirement={field: named}))
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == [f"/requirement/{field}"]
    assert (await house.post(body("1", requirement={field: named[1:]}))).status_code == 201


async def test_the_same_message_at_once_counts_once(house: House) -> None:
    await house.put_account()
    answers = await asyncio.gather(*(house.post(body("1", conversation=f"c{n}")) for n in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({answer.json()["contact_id"] for answer in answers}) == 1
    assert types(await house.settled(facts=1)) == ["contact.opened"]


async def test_the_answer_does_not_wait_for_the_log(house: House) -> None:
    await house.put_account()
    house.log.down = True
    answer = await house.post(body("1"))
    assert answer.status_code == 201
    assert house.facts() == []
    house.log.down = False
    assert types(await house.settled(facts=1)) == ["contact.opened"]


@pytest.mark.parametrize(
    ("occurred_at", "taken"),
    [
        ("2026-11-18T11:00:00Z", 1_794_999_600_000_000),
        ("2018-11-21T00:13:13.153Z", 1_542_759_193_153_000),
        ("2026-11-18T11:12:00Z", NOW),
        ("1999-12-31T23:59:59Z", NOW),
    ],
)
async def test_a_time_that_cannot_be_true_becomes_the_time_of_receipt(
    house: House, occurred_at: str, taken: int
) -> None:
    await house.put_account()
    await house.post(body("1", occurred_at=occurred_at))
    (fact,) = await house.settled(facts=1)
    assert isinstance(fact.event, ContactOpened)
    assert fact.event.occurred_at == taken


async def test_a_batch_gives_each_its_result(house: House) -> None:
    await house.put_account()
    contacts = [body("1"), body("2", sentiment=3), body("1"), body("3", account="nobody")]
    answer = await house.call("POST", "/v1/contacts/batch", json={"contacts": contacts})
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [201, 422, 200, 422]
    assert results[0]["contact_id"] == results[2]["contact_id"]
    assert results[1]["problem"]["errors"][0]["pointer"] == "/contacts/1/sentiment"
    assert results[3]["problem"]["errors"][0]["pointer"] == "/contacts/3/account"
    too_many = await house.call("POST", "/v1/contacts/batch", json={"contacts": [{}] * 1_001})
    assert too_many.status_code == 422


async def test_a_response_is_observed_with_its_agent(house: House, clock: VirtualClock) -> None:
    await house.put_account()
    contact_id = (await house.post(body("1"))).json()["contact_id"]
    path = f"/v1/contacts/{contact_id}/responses"
    answer = await house.call("POST", path, json={"agent": "ann", "text": "we look into it", "automatic": True})
    assert answer.status_code == 201, answer.text
    fact = (await house.settled(facts=2))[1]
    assert isinstance(fact.event, ResponseObserved)
    assert (fact.event.agent_id, fact.event.automatic, fact.event.visibility) == ("ann", True, "public")
    assert (fact.sequence, fact.cause) == (2, answer.json()["message_id"])
    assert (await house.call("POST", "/v1/contacts/con_nobody/responses", json={})).status_code == 404
    assert (await house.call("POST", path, "default.agent", json={})).status_code == 404, "not ann's work"


async def test_a_response_whose_answer_was_lost_with_the_process_is_observed_once(
    house: House, database: Database
) -> None:
    await house.put_account()
    contact_id = (await house.post(body("1"))).json()["contact_id"]
    path, once = f"/v1/contacts/{contact_id}/responses", {"idempotency-key": "once"}
    first = await house.call("POST", path, json={}, headers=once)
    await database.pool.execute("UPDATE platform_idempotency SET status = NULL, headers = NULL, body = NULL")
    again = await house.call("POST", path, json={}, headers=once)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert types(await house.settled()) == ["contact.opened", "contact.response_observed"]


async def test_an_agent_answers_for_nobody_else(house: House, database: Database) -> None:
    await house.put_account()
    contact_id = (await house.post(body("1"))).json()["contact_id"]
    await database.pool.execute("UPDATE ingest_contacts SET agent_id = 'ann'")
    path = f"/v1/contacts/{contact_id}/responses"
    given: list[dict[str, str]] = [{"agent": "bob"}, {"agent": "ann"}, {}]
    statuses = [(await house.call("POST", path, "default.agent", json=one)).status_code for one in given]
    assert statuses == [403, 201, 201]


async def test_two_workspaces_know_nothing_of_each_other(house: House) -> None:
    await house.put_account()
    mine = (await house.post(body("1"))).json()
    taken = await house.call("PUT", "/v1/accounts/brand", "other", json={"provider": "generic"})
    assert (taken.status_code, taken.json()["code"]) == (409, "account_taken")
    assert (await house.post(body("2"), "other")).status_code == 422
    for path in (f"contacts/{mine['contact_id']}/messages", f"customers/{mine['customer_id']}", "accounts/brand"):
        assert (await house.call("GET", f"/v1/{path}", "other")).status_code == 404
    theirs = await house.call("PUT", "/v1/accounts/theirs", "other", json={"provider": "generic"})
    assert theirs.status_code == 201
    same_person = (await house.post(body("1", account="theirs"), "other")).json()
    assert same_person["customer_id"] != mine["customer_id"]
    assert sorted(one.event.workspace for one in await house.settled(facts=2)) == ["default", "other"]


async def test_nothing_personal_is_in_the_outbox(house: House, database: Database) -> None:
    await house.put_account()
    house.log.down = True
    canary = "canary-7f3a"
    await house.post(
        body(canary + "1", conversation=canary + "2", customer=by("@" + canary), text=canary, attributes={"a": canary})
    )
    row = await database.pool.fetchrow("SELECT key, value, headers FROM ingest_outbox")
    assert canary not in f"{row['key']} {row['value'].decode()} {row['headers']}"
    house.log.down = False


async def test_an_idempotency_key_repeats_the_answer(house: House) -> None:
    await house.put_account()
    first = await house.post(body("1"), headers={"idempotency-key": "k"})
    again = await house.post(body("1"), headers={"idempotency-key": "k"})
    assert (again.status_code, again.content) == (201, first.content)
    other = await house.post(body("2"), headers={"idempotency-key": "k"})
    assert other.status_code == 422


async def test_waiting_for_a_router_that_is_down_still_answers(house: House) -> None:
    await house.put_account()
    answer = await house.post(body("1"), params={"wait_seconds": 0.05})
    assert answer.status_code == 201
    assert answer.json() | {"state": "received", "queue": None, "position": None} == answer.json()


async def test_messages_and_answers_at_once_are_numbered_without_gaps(house: House) -> None:
    await house.put_account()
    contact_id = (await house.post(body("0", conversation="c"))).json()["contact_id"]
    answers = [house.call("POST", f"/v1/contacts/{contact_id}/responses", json={}) for _ in range(10)]
    messages = [house.post(body(str(n), conversation="c")) for n in range(1, 11)]
    done = await asyncio.gather(*(one for pair in zip(answers, messages, strict=True) for one in pair))
    assert {answer.status_code for answer in done} == {201}
    assert gapless(await house.settled(facts=21))
