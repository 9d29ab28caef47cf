"""What ingest learns from routing and escalations: repeats, strikes, the last agent, whose work it is."""

from typing import Any

import msgspec
import pytest

from libs.common.clock import VirtualClock
from libs.common.events import ROUTING, pool_key
from libs.common.events.codec import instant
from libs.common.events.contacts import ContactOpened, ContactWithdrawn, MessageAdded
from libs.common.events.escalations import TargetBreached
from libs.common.events.routing import (
    ContactAssigned,
    ContactClosed,
    ContactOffered,
    ContactQueued,
    ContactReleased,
    OfferWithdrawn,
)
from libs.common.log import Record
from libs.common.log.port import Place
from libs.common.postgres import Database
from services.ingest.history import History, apply
from services.ingest.leader import Leadership
from tests.integration.ingest.house import NOW, OWN, House, body, by

KEY = pool_key("default", "main")
DAY = 86_400_000_000
LATER = "2026-11-18T11:06:41Z"
"""A second after the clock of the tests."""


def queued(contact_id: str, customer_id: str, repeat_of: str | None = None) -> ContactQueued:
    return ContactQueued(
        key=KEY, at=NOW, contact_id=contact_id, reason="opened", queue="everyone", account="brand", channel="x",
        medium="async", visibility="public", customer_id=customer_id, opened_at=NOW, waiting_since=NOW,
        target_seconds=900, repeat_of=repeat_of,
    )  # fmt: skip


def assigned(contact_id: str, agent: str = "ann") -> ContactAssigned:
    return ContactAssigned(
        key=KEY, at=NOW, contact_id=contact_id, agent_id=agent, queue="everyone", channel="x", medium="async", units=20,
        waited_seconds=1.0,
    )  # fmt: skip


def offered(contact_id: str) -> ContactOffered:
    return ContactOffered(
        key=KEY, at=NOW, contact_id=contact_id, offer_id="o", agent_id="ann", queue="everyone", medium="async",
        expires_at=NOW, units=20, lane="main", score=0,
    )  # fmt: skip


def closed(contact_id: str) -> ContactClosed:
    return ContactClosed(key=KEY, at=NOW, contact_id=contact_id, agent_id="ann", resolution="solved")


def released(contact_id: str) -> ContactReleased:
    return ContactReleased(key=KEY, at=NOW, contact_id=contact_id, agent_id="ann", reason="released")


def offer_ended(contact_id: str) -> OfferWithdrawn:
    return OfferWithdrawn(
        key=KEY, at=NOW, contact_id=contact_id, offer_id="o", agent_id="ann", reason="consult_ended"
    )


def breached(contact_id: str, at: int = NOW) -> TargetBreached:
    return TargetBreached(
        key=KEY, at=at, contact_id=contact_id, target="t", metric="first_response", queue="everyone", channel="x",
        medium="async", visibility="public", due_at=at, seconds=900,
    )  # fmt: skip


async def opened(house: House, source_id: str, **more: Any) -> ContactOpened:
    contact_id = (await house.post(body(source_id, **more))).json()["contact_id"]
    (event,) = [one.event for one in await house.settled() if one.event.subject == contact_id]
    assert isinstance(event, ContactOpened)
    return event


async def test_a_return_after_closing_is_the_routers_repeat(house: House) -> None:
    await house.put_account()
    first = await opened(house, "1", conversation="c")
    repeat = f"{first.contact_id}.r2"
    await house.publish(queued(first.contact_id, first.customer_id))
    await house.publish(closed(first.contact_id))
    back = (await house.post(body("2", conversation="c"))).json()
    added = (await house.settled(facts=2))[1].event
    assert back["contact_id"] == first.contact_id
    assert isinstance(added, MessageAdded)
    assert added.strikes == 1, "a repeat is a strike"
    await house.publish(queued(repeat, first.customer_id, repeat_of=first.contact_id))
    joined = (await house.post(body("3", conversation="c"))).json()
    assert (joined["contact_id"], joined["repeat_of"]) == (repeat, first.contact_id)
    last = (await house.settled(facts=3))[2]
    assert (last.event.subject, last.sequence) == (repeat, 1)
    seen = await house.call("GET", f"/v1/contacts/{repeat}/messages")
    assert [one["source_id"] for one in seen.json()["items"]] == ["1", "2", "3"]


async def test_strikes_are_contacts_that_failed_within_ninety_days_at_most_three(
    house: House, clock: VirtualClock
) -> None:
    await house.put_account()
    past = [await opened(house, str(n)) for n in range(5)]
    assert {one.strikes for one in past} == {0}
    await house.publish(breached(past[0].contact_id))
    await house.publish(breached(past[0].contact_id), sequence=2)
    assert (await opened(house, "once")).strikes == 1
    await house.publish(breached(past[1].contact_id, at=NOW + 60 * DAY))
    assert (await opened(house, "twice")).strikes == 2
    for one in past[2:]:
        await house.publish(breached(one.contact_id))
    assert (await opened(house, "capped")).strikes == 3
    assert (await opened(house, "another", customer=by("@luigi"))).strikes == 0
    clock.move_to(NOW + 100 * DAY)
    assert (await opened(house, "later")).strikes == 1


async def test_the_last_agent_comes_with_the_next_contact(house: House) -> None:
    await house.put_account()
    first = await opened(house, "1")
    await house.publish(assigned(first.contact_id, "ann"))
    await house.publish(assigned(first.contact_id, "bob"), sequence=2)
    assert (await opened(house, "2")).last_agent == "bob"
    assert (await opened(house, "3", customer=by("@luigi"))).last_agent is None


async def test_an_agent_reads_what_is_offered_to_or_owned_by_them(house: House) -> None:
    await house.put_account()
    contact = await opened(house, "1")
    path = f"/v1/contacts/{contact.contact_id}/messages"
    assert (await house.call("GET", path, "default.agent")).status_code == 404
    await house.publish(offered(contact.contact_id))
    assert (await house.call("GET", path, "default.agent")).status_code == 200
    await house.publish(assigned(contact.contact_id, "bob"), sequence=2)
    assert (await house.call("GET", path, "default.agent")).status_code == 404
    assert (await house.call("GET", path, "default.viewer")).status_code == 200


@pytest.mark.parametrize("end", [closed, released, offer_ended], ids=lambda end: end.__name__)
async def test_who_is_asked_for_help_reads_the_conversation_until_the_consult_ends(house: House, end: Any) -> None:
    await house.put_account()
    contact = await opened(house, "1")
    await house.publish(assigned(contact.contact_id, "bob"))
    consult = f"{contact.contact_id}.consult.2"
    paths = [f"/v1/contacts/{one}/messages" for one in (contact.contact_id, consult)]
    assert [(await house.call("GET", path, "default.agent")).status_code for path in paths] == [404, 404]
    await house.publish(offered(consult))
    if end is not offer_ended:
        await house.publish(assigned(consult), sequence=2)
    said = [(await house.call("GET", path, "default.agent")).json() for path in paths]
    assert said[0]["items"] == said[1]["items"] != []
    await house.publish(end(consult), sequence=3)
    assert [(await house.call("GET", path, "default.agent")).status_code for path in paths] == [404, 404]
    assert (await opened(house, "2")).last_agent == "bob"


@pytest.mark.parametrize("end", [closed, released, offer_ended], ids=lambda end: end.__name__)
async def test_who_is_asked_twice_reads_it_until_the_second_consult_ends(house: House, end: Any) -> None:
    await house.put_account()
    contact = await opened(house, "1")
    await house.publish(assigned(contact.contact_id, "bob"))
    one, other = (f"{contact.contact_id}.consult.{number}" for number in (2, 3))
    path = f"/v1/contacts/{contact.contact_id}/messages"
    for consult in (one, other):
        await house.publish(offered(consult))
        await house.publish(assigned(consult), sequence=2)
    await house.publish(end(one), sequence=3)
    assert (await house.call("GET", path, "default.agent")).status_code == 200
    await house.publish(end(other), sequence=3)
    assert (await house.call("GET", path, "default.agent")).status_code == 404


async def test_waiting_tells_the_queue(house: House) -> None:
    await house.put_account()
    contact = await opened(house, "1")
    await house.publish(queued(contact.contact_id, contact.customer_id))
    answer = await house.post(body("1"), params={"wait_seconds": 5})
    assert (answer.status_code, answer.json()["queue"], answer.json()["state"]) == (200, "everyone", "waiting")


@pytest.mark.parametrize(
    ("rule", "since", "state"),
    [
        ("waiting", [], "waiting"),
        ("offered", [offered], "offered"),
        ("assigned", [offered, assigned], "assigned"),
        ("closed", [offered, assigned, closed], "closed"),
    ],
)
async def test_waiting_tells_the_state(house: House, rule: str, since: list[Any], state: str) -> None:
    await house.put_account()
    contact = await opened(house, "1")
    await house.publish(queued(contact.contact_id, contact.customer_id))
    for sequence, decision in enumerate(since, start=2):
        await house.publish(decision(contact.contact_id), sequence)
    answer = await house.post(body("1"), params={"wait_seconds": 5})
    assert (answer.json()["queue"], answer.json()["state"]) == ("everyone", state), rule


async def came_back(house: House) -> ContactOpened:
    """A contact that was answered and closed, and its customer's message after that."""
    await house.put_account()
    first = await opened(house, "1", conversation="c")
    await house.publish(queued(first.contact_id, first.customer_id))
    await house.publish(closed(first.contact_id), 2)
    await house.post(body("2", conversation="c", occurred_at=LATER))
    return first


async def delete(house: House, source_id: str) -> None:
    await house.webhook({"for_user_id": OWN, "tweet_delete_events": [{"status": {"id": source_id}}]})


async def reopened(house: House, first: ContactOpened) -> str:
    repeat = f"{first.contact_id}.r2"
    decision = queued(repeat, first.customer_id, repeat_of=first.contact_id)
    await house.publish(msgspec.structs.replace(decision, reason="reopened", opened_at=instant(LATER)))
    return repeat


async def withdrawn(house: House) -> list[tuple[str, int, str]]:
    facts = await house.settled()
    found = [(one.event, one.sequence) for one in facts if isinstance(one.event, ContactWithdrawn)]
    return [(event.contact_id, sequence, event.reason) for event, sequence in found]


@pytest.mark.parametrize("heard", ["before", "after"])
async def test_a_repeat_is_withdrawn_when_what_reopened_it_is_deleted(house: House, heard: str) -> None:
    first = await came_back(house)
    if heard == "before":
        await reopened(house, first)
    await delete(house, "2")
    if heard == "after":
        await reopened(house, first)
    assert await withdrawn(house) == [(f"{first.contact_id}.r2", 1, "deleted_by_author")]


async def test_a_repeat_stands_while_another_message_waits(house: House) -> None:
    first = await came_back(house)
    await house.post(body("3", conversation="c", occurred_at=LATER))
    await delete(house, "2")
    repeat = await reopened(house, first)
    assert await withdrawn(house) == []
    await delete(house, "3")
    assert await withdrawn(house) == [(repeat, 1, "deleted_by_author")]


@pytest.mark.parametrize("heard", ["before", "after"])
async def test_a_repeat_is_withdrawn_when_its_customer_is_erased(house: House, heard: str) -> None:
    first = await came_back(house)
    if heard == "before":
        await reopened(house, first)
    await house.call("DELETE", f"/v1/customers/{first.customer_id}")
    if heard == "after":
        await reopened(house, first)
    assert await withdrawn(house) == [(f"{first.contact_id}.r2", 1, "customer_erased")]


@pytest.mark.parametrize("start", ["where it stood", "the beginning"])
async def test_reading_again_changes_nothing(house: House, database: Database, start: str) -> None:
    await house.put_account()
    first = await opened(house, "1", conversation="c")
    decisions = [
        queued(first.contact_id, first.customer_id),
        assigned(first.contact_id, "ann"),
        closed(first.contact_id),
        queued(f"{first.contact_id}.r2", first.customer_id, first.contact_id),
    ]
    for sequence, decision in enumerate(decisions):
        await house.publish(decision, sequence)
    before = await snapshot(database)
    if start == "the beginning":
        await database.pool.execute("DELETE FROM ingest_positions")
    again = History(database, house.log, Leadership(database, "another"))
    reader = await again.reader()
    await again.step(reader, wait_seconds=0)
    await reader.close()
    assert await snapshot(database) == before


class Late:
    """A reader that hands out what others have long applied."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        return self.records[:max_records]

    def next_positions(self) -> dict[Place, int]:
        return {}

    async def close(self) -> None:
        self.records = []


async def test_a_process_that_lost_the_lead_sets_nothing_back(house: House, database: Database) -> None:
    await house.put_account()
    contact = await opened(house, "1")
    await house.publish(assigned(contact.contact_id, "ann"))
    await house.publish(assigned(contact.contact_id, "bob"), sequence=2)
    partition = await house.ingest.pools.partition("default", "main")
    stale = Late(house.world.records[ROUTING, partition][:1])
    before = await snapshot(database)
    await History(database, house.log, Leadership(database, "another")).step(stale, wait_seconds=0)
    assert await snapshot(database) == before


async def snapshot(database: Database) -> list[str]:
    tables = ("consults", "contacts", "conversations", "customers", "failures", "positions")
    return [
        str(sorted(str(dict(row)) for row in await database.pool.fetch(f"SELECT * FROM ingest_{table}")))
        for table in tables
    ]


async def test_a_decision_about_the_unknown_is_let_pass(house: House, database: Database) -> None:
    helped = offered("con_a.consult.2")
    for decision in (queued("con_a.r2", "cus_a", "con_a"), assigned("con_a", "ann"), helped, breached("con_a")):
        async with database.transaction() as connection:
            await apply(connection, msgspec.structs.replace(decision, key=pool_key("nowhere", "main")))
    assert await database.pool.fetchval("SELECT count(*) FROM ingest_contacts") == 0
    for table in ("failures", "consults"):
        assert await database.pool.fetchval(f"SELECT count(*) FROM ingest_{table}") == 0
