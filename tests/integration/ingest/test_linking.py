"""A contact that goes on elsewhere opens there exactly once, with its age."""

from typing import Any

import pytest

from libs.common.clock import VirtualClock
from libs.common.events import pool_key
from libs.common.events.contacts import ContactOpened, ContactWithdrawn, MessageAdded
from libs.common.events.routing import ContactCallbackRequested, ContactReferred
from libs.common.postgres import Database
from tests.integration.ingest.house import NOW, OWN, House, body, by
from tests.integration.ingest.test_history import KEY, opened

MINUTE = 60_000_000
SALES = pool_key("default", "sales")


@pytest.fixture
async def brand(house: House) -> House:
    await house.put_account(routable=["order"])
    return house


async def first(house: House, **more: Any) -> ContactOpened:
    return await opened(house, "1", conversation="c", attributes={"order": "A-17"}, **more)


def referred(contact: ContactOpened, sequence: int = 3, **more: Any) -> ContactReferred:
    fields: dict[str, Any] = {"to_pool": "sales", "to_queue": "leads", "closes": True} | more
    return ContactReferred(
        key=KEY, at=NOW + MINUTE, contact_id=contact.contact_id, waiting_since=NOW - MINUTE,
        linked_id=f"{contact.contact_id}.linked.{sequence}", **fields,
    )  # fmt: skip


def called(contact: ContactOpened, callback_at: int | None = None) -> ContactCallbackRequested:
    return ContactCallbackRequested(
        key=KEY, at=NOW + MINUTE, contact_id=contact.contact_id, waiting_since=NOW - MINUTE, closes=True,
        linked_id=f"{contact.contact_id}.linked.4", callback_at=callback_at,
    )  # fmt: skip


async def linked_facts(house: House) -> list[Any]:
    return [one for one in await house.settled() if ".linked." in one.event.subject]


async def test_what_is_referred_opens_in_the_other_pool_with_its_age(brand: House) -> None:
    contact = await first(brand)
    await brand.publish(referred(contact), 3)
    (fact,) = await linked_facts(brand)
    event = fact.event
    assert isinstance(event, ContactOpened)
    linked_id = f"{contact.contact_id}.linked.3"
    assert (event.key, event.contact_id, event.linked_to) == (SALES, linked_id, contact.contact_id)
    assert (event.occurred_at, event.queue, event.customer_id) == (NOW - MINUTE, "leads", contact.customer_id)
    assert (event.message_id, event.attributes, event.channel) == (contact.message_id, {"order": "A-17"}, "x")
    assert (fact.sequence, fact.cause) == (1, f"{contact.contact_id}.routing.3")


async def test_read_again_from_the_beginning_it_opens_once(brand: House, database: Database) -> None:
    contact = await first(brand)
    await brand.publish(referred(contact), 3)
    await database.pool.execute("DELETE FROM ingest_positions")
    await brand.publish(referred(contact), 3)
    assert len(await linked_facts(brand)) == 1


async def test_its_conversation_goes_on_there(brand: House) -> None:
    contact = await first(brand)
    await brand.publish(referred(contact), 3)
    back = (await brand.post(body("2", conversation="c"))).json()
    assert back["contact_id"] == f"{contact.contact_id}.linked.3"
    added = (await linked_facts(brand))[1]
    assert isinstance(added.event, MessageAdded)
    assert (added.event.key, added.sequence) == (SALES, 2)
    seen = (await brand.call("GET", f"/v1/contacts/{back['contact_id']}/messages")).json()["items"]
    assert {one["contact_id"] for one in seen} == {back["contact_id"]}


async def test_what_was_said_before_we_knew_of_it_is_in_the_opening(brand: House) -> None:
    contact = await first(brand)
    await brand.post(body("2", conversation="c", reach={"views": 9_000}))
    await brand.publish(referred(contact), 3)
    (fact,) = await linked_facts(brand)
    assert fact.event.reach.views == 9_000


async def test_a_contact_that_goes_on_itself_keeps_its_conversation(brand: House) -> None:
    contact = await first(brand)
    await brand.publish(referred(contact, closes=False), 3)
    assert (await brand.post(body("2", conversation="c"))).json()["contact_id"] == contact.contact_id
    assert len(await linked_facts(brand)) == 1


async def test_what_its_author_deletes_is_withdrawn_where_it_went(brand: House) -> None:
    contact = await first(brand)
    await brand.publish(referred(contact), 3)
    await brand.webhook({"for_user_id": OWN, "tweet_delete_events": [{"status": {"id": "1"}}]})
    withdrawn = (await linked_facts(brand))[1].event
    assert isinstance(withdrawn, ContactWithdrawn)
    assert (withdrawn.key, withdrawn.contact_id) == (SALES, f"{contact.contact_id}.linked.3")


async def test_an_erased_customers_contact_opens_nowhere(brand: House) -> None:
    contact = await first(brand)
    await brand.call("DELETE", f"/v1/customers/{contact.customer_id}")
    await brand.publish(referred(contact), 3)
    await brand.publish(called(contact, NOW + 5 * MINUTE), 4)
    assert await linked_facts(brand) == []


async def test_without_its_pool_it_opens_where_it_was(brand: House) -> None:
    contact = await first(brand)
    await brand.publish(referred(contact, to_pool="gone"), 3)
    (fact,) = await linked_facts(brand)
    assert fact.event.key == KEY


async def test_a_merged_customer_is_the_kept_one(brand: House) -> None:
    contact = await first(brand)
    other = await opened(brand, "9", customer=by("@luigi"))
    path = f"/v1/customers/{other.customer_id}/merge"
    assert (await brand.call("POST", path, json={"customer_id": contact.customer_id})).status_code < 300
    await brand.publish(referred(contact), 3)
    (fact,) = await linked_facts(brand)
    assert fact.event.customer_id == other.customer_id


# -- calls ------------------------------------------------------------------------------------------------------


async def test_who_is_called_back_waits_for_a_call_with_the_same_age(brand: House) -> None:
    contact = await first(brand)
    await brand.publish(called(contact), 4)
    (fact,) = await linked_facts(brand)
    event = fact.event
    assert (event.channel, event.medium, event.visibility, event.key) == ("voice", "voice", "private", KEY)
    assert (event.occurred_at, event.reach.views, event.linked_to) == (NOW - MINUTE, 0, contact.contact_id)


async def test_a_call_for_later_opens_at_its_time_and_once(brand: House, clock: VirtualClock) -> None:
    contact = await first(brand)
    due = NOW + 30 * MINUTE
    await brand.publish(called(contact, due), 4)
    clock.move_to(due - 1)
    assert await linked_facts(brand) == []
    clock.move_to(due)
    (fact,) = await linked_facts(brand)
    assert (fact.event.occurred_at, fact.event.medium) == (due, "voice")
    assert await brand.ingest.callbacks.step() == 0


async def test_a_call_for_later_is_forgotten_with_its_customer(brand: House, clock: VirtualClock) -> None:
    contact = await first(brand)
    await brand.publish(called(contact, NOW + 30 * MINUTE), 4)
    await brand.call("DELETE", f"/v1/customers/{contact.customer_id}")
    clock.move_to(NOW + 60 * MINUTE)
    assert await linked_facts(brand) == []


