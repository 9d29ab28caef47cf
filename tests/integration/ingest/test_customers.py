"""Customers: linked by address or by an explicit call, merged, erased."""

import asyncio

from libs.common.events.contacts import ContactOpened, ContactWithdrawn, MessageAdded
from libs.common.postgres import Database
from tests.integration.ingest.house import WAIT_SECONDS, House, body, by

CANARY = "canary-9c1e"
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
ANSWER = """
    INSERT INTO ingest_messages (workspace, message_id, account, conversation, contact_id, author, kind, visibility,
        text, automatic, opens, occurred_at, received_at)
    VALUES ('default', 'msg_slow', 'brand', 'c', $2, 'company', 'response', 'public', $1, false, false, 0, 0)
"""


async def test_identities_that_come_together_are_one_customer(house: House) -> None:
    await house.put_account()
    first = (await house.post(body("1", customer=by("@Mario")))).json()
    both = {"identities": [{"channel": "email", "address": "Mario@Example.com"}, {"channel": "x", "address": "@mario"}]}
    second = (await house.post(body("2", customer=both))).json()
    third = (await house.post(body("3", customer=by("mario@example.com", "email")))).json()
    assert first["customer_id"] == second["customer_id"] == third["customer_id"]
    shown = (await house.call("GET", f"/v1/customers/{first['customer_id']}")).json()
    assert [(one["channel"], one["address"]) for one in shown["identities"]] == [
        ("email", "mario@example.com"),
        ("x", "@mario"),
    ]
    assert len(shown["contacts"]) == 3


async def test_an_address_is_linked_by_an_explicit_call(house: House) -> None:
    await house.put_account()
    mario, luigi = [
        (await house.post(body(who, customer=by(who)))).json()["customer_id"] for who in ("@mario", "@luigi")
    ]
    path, identity = f"/v1/customers/{mario}/identities", {"channel": "sms", "address": "0039 06 1234"}
    statuses = [(await house.call("POST", path, json=identity)).status_code for _ in range(2)]
    taken = await house.call("POST", f"/v1/customers/{luigi}/identities", json=identity)
    assert (statuses, taken.status_code, taken.json()["code"]) == ([201, 200], 409, "identity_taken")
    assert (await house.call("POST", "/v1/customers/cus_none/identities", json=identity)).status_code == 404
    assert (await house.post(body("3", customer=by("+39061234", "sms")))).json()["customer_id"] == mario


async def test_a_merge_makes_one_of_two(house: House) -> None:
    await house.put_account()
    mario = (await house.post(body("1", customer=by("@mario"), conversation="c"))).json()["customer_id"]
    luigi = (await house.post(body("2", customer=by("@luigi")))).json()["customer_id"]
    path = f"/v1/customers/{mario}/merge"
    merged = await house.call("POST", path, json={"customer_id": luigi})
    assert [one["address"] for one in merged.json()["identities"]] == ["@luigi", "@mario"]
    assert (await house.call("GET", f"/v1/customers/{luigi}")).status_code == 404
    await house.post(body("3", customer=by("@luigi"), conversation="c"))
    added = (await house.settled(facts=3))[-1].event
    assert isinstance(added, MessageAdded)
    assert added.author == "customer"
    assert (await house.call("POST", path, json={"customer_id": mario})).status_code == 422
    assert (await house.call("POST", path, json={"customer_id": luigi})).status_code == 404


async def test_an_erased_customer_is_nowhere(house: House, database: Database) -> None:
    await house.put_account()
    given = body(
        CANARY,
        conversation=CANARY,
        customer=by("@" + CANARY),
        text=CANARY,
        attributes={"a": CANARY},
        visibility="private",
    )
    answer = (await house.post(given, headers={"idempotency-key": "k"})).json()
    await house.post(body("other", customer=by("@luigi"), conversation="theirs"))
    await house.post(body("joins", customer=by("@" + CANARY), conversation="theirs", text=CANARY))
    contact, customer = answer["contact_id"], answer["customer_id"]
    await house.call("POST", f"/v1/contacts/{contact}/responses", json={"text": "dear " + CANARY})
    assert (await house.call("DELETE", f"/v1/customers/{customer}", "default.viewer")).status_code == 403
    assert (await house.call("DELETE", f"/v1/customers/{customer}")).status_code == 204
    assert CANARY not in await dump(database)
    assert await database.pool.fetchval("SELECT count(*) FROM platform_idempotency") == 0
    assert (await house.call("GET", f"/v1/customers/{customer}")).status_code == 404
    assert (await house.call("GET", f"/v1/contacts/{contact}/messages")).json()["items"] == []
    facts = await house.settled(facts=5)
    ((withdrawn, sequence),) = [(one.event, one.sequence) for one in facts if isinstance(one.event, ContactWithdrawn)]
    assert (withdrawn.contact_id, withdrawn.reason, sequence) == (contact, "customer_erased", 3)


async def test_who_comes_back_after_erasure_is_somebody_new(house: House) -> None:
    await house.put_account()
    first = (await house.post(body("1", conversation="c"))).json()
    await house.call("DELETE", f"/v1/customers/{first['customer_id']}")
    second = (await house.post(body("2", conversation="c"))).json()
    assert second["customer_id"] != first["customer_id"]
    assert second["contact_id"] != first["contact_id"]
    opened = (await house.settled(facts=3))[-1].event
    assert isinstance(opened, ContactOpened)


async def test_erasing_while_they_write_leaves_nothing_half(house: House, database: Database) -> None:
    """Whoever comes first: afterwards every message's customer exists."""
    await house.put_account()
    first = (await house.post(body("0", conversation="c"))).json()["customer_id"]
    writes = [house.post(body(str(n), conversation=f"c{n % 3}")) for n in range(1, 15)]
    erasures = [house.call("DELETE", f"/v1/customers/{first}") for _ in range(2)]
    answers = await asyncio.gather(*writes[:7], *erasures, *writes[7:])
    assert {answer.status_code for answer in answers} <= {201, 204, 404}
    orphans = """SELECT count(*) FROM ingest_messages AS m WHERE customer_id IS NOT NULL AND NOT EXISTS
                 (SELECT FROM ingest_customers AS c WHERE c.customer_id = m.customer_id)"""
    assert await database.pool.fetchval(orphans) == 0


async def test_what_was_answered_about_a_merged_customer_is_erased_with_the_other(
    house: House, database: Database
) -> None:
    await house.put_account()
    mario = (await house.post(body("1", customer=by("@mario")))).json()["customer_id"]
    given = body("2", customer=by("@luigi"))
    luigi = (await house.post(given, headers={"idempotency-key": "k"})).json()["customer_id"]
    await house.call("POST", f"/v1/customers/{mario}/merge", json={"customer_id": luigi})
    await house.call("DELETE", f"/v1/customers/{mario}")
    assert await database.pool.fetchval("SELECT count(*) FROM platform_idempotency") == 0


async def test_an_erased_customers_contact_takes_no_more_answers(house: House, database: Database) -> None:
    await house.put_account()
    first = (await house.post(body("1"))).json()
    await house.call("DELETE", f"/v1/customers/{first['customer_id']}")
    answer = await house.call("POST", f"/v1/contacts/{first['contact_id']}/responses", json={"text": CANARY})
    assert answer.status_code == 404
    assert CANARY not in await dump(database)


async def test_erasing_waits_for_an_answer_that_is_being_stored(house: House, database: Database) -> None:
    await house.put_account()
    first = (await house.post(body("1"))).json()
    await database.pool.execute("UPDATE ingest_contacts SET state = 'closed'")
    async with database.transaction() as slow:
        await slow.execute("SELECT FROM ingest_contacts FOR UPDATE")
        erasing = asyncio.create_task(house.call("DELETE", f"/v1/customers/{first['customer_id']}"))
        await somebody_waits(database)
        await slow.execute(ANSWER, CANARY, first["contact_id"])
    assert (await erasing).status_code == 204
    assert CANARY not in await dump(database)


async def somebody_waits(database: Database) -> None:
    """For a lock."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            if await database.pool.fetchval(BLOCKED):
                return
            await asyncio.sleep(0.01)


async def test_a_customer_of_a_hundred_addresses_loses_no_message(house: House) -> None:
    await house.put_account()
    customer_id = (await house.post(body("first"))).json()["customer_id"]
    for first in range(0, 108, 9):
        more = by("@mario")["identities"] + [{"channel": "x", "address": f"@{n}"} for n in range(first, first + 9)]
        assert (await house.post(body(str(first), customer={"identities": more}))).status_code == 201
    shown = (await house.call("GET", f"/v1/customers/{customer_id}")).json()
    addresses = {one["address"] for one in shown["identities"]}
    assert addresses == {"@mario", *(f"@{n}" for n in range(99))}


async def dump(database: Database) -> str:
    tables = await database.pool.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(ingest|platform)_'"
    )
    rows = [await database.pool.fetch(f"SELECT t::text FROM {table['relname']} AS t") for table in tables]
    assert len(rows) > 10
    return str(rows)
