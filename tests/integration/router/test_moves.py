"""Moves over REST: transfer, assignment, referral, call-back; an agent's work and a queue's; many at once."""

import asyncio
from typing import Any

import pytest

from libs.common.events import ROUTING
from libs.common.log.memory import MemoryWorld
from tests.integration.router.site import Site, ann_at_work, offered, refused


@pytest.fixture
async def desk(site: Site) -> Site:
    """Ann has con_1; Bob knows tax, and is away."""
    return await ann_at_work(site, public=3)


async def comes(site: Site, agent: str = "bob") -> None:
    await site.put(f"/v1/agents/{agent}/presence", {"status": "available"}, by=agent)


async def test_an_agent_transfers_to_a_queue(desk: Site) -> None:
    before = await desk.get("/v1/contacts/con_1")
    state = await desk.post("/v1/contacts/con_1/transfer", {"queue": "tax"}, by="ann")
    assert (state["state"], state["queue"], state["agent"]) == ("waiting", "tax", None)
    after = await desk.get("/v1/contacts/con_1")
    assert (after["state"], after["queue"], after["agent"]) == ("waiting", "tax", None)
    assert (after["opened_at"], after["waiting_since"]) == (before["opened_at"], before["waiting_since"])
    await comes(desk)
    offers = await desk.until("/v1/agents/bob/offers", lambda page: bool(page["items"]))
    assert offers["items"][0]["queue"] == "tax"


async def test_an_agent_transfers_to_another(desk: Site) -> None:
    await comes(desk)
    state = await desk.post("/v1/contacts/con_1/transfer", {"agent": "bob"}, by="ann")
    assert (state["state"], state["agent"]) == ("assigned", "bob")
    assert (await desk.get("/v1/contacts/con_1", by="bob"))["agent"] == "bob"
    assert (await desk.get("/v1/agents/ann"))["used_units"] == 0


async def test_whoever_meets_a_requirement(desk: Site) -> None:
    await comes(desk)
    await desk.post("/v1/contacts/con_1/transfer", {"requirement": {"all": [{"skill": "tax", "level": 2}]}})
    offers = await desk.until("/v1/agents/bob/offers", lambda page: bool(page["items"]))
    assert offers["items"][0]["contact_id"] == "con_1"


REFUSED: list[tuple[str, str, Any, int, str, str | None]] = [
    ("one goal",                "transfer", {},                               422, "invalid", "/queue"),
    ("and no second",           "transfer", {"queue": "tax", "agent": "bob"}, 422, "invalid", "/queue"),
    ("a queue that is there",   "transfer", {"queue": "nowhere"},             422, "unknown_queue", "/queue"),
    ("an agent who is",         "transfer", {"agent": "ghost"},               422, "unknown_agent", "/agent"),
    ("of the same pool",        "transfer", {"agent": "sue"},                 422, "another_pool", "/agent"),
    ("its queues too",          "transfer", {"queue": "leads"},               422, "another_pool", "/queue"),
    ("nothing else",            "transfer", {"queue": "tax", "quueue": "x"},  422, "invalid", "/quueue"),
    ("a level of 1 to 5",       "transfer", {"requirement": {"all": [{"skill": "a", "level": 9}]}}, 422, "invalid",
     "/requirement/all/0/level"),
    ("who is there",            "transfer", {"agent": "bob"},                 409, "agent_not_available", None),
    ("who is there, or force",  "assign",   {"agent": "bob"},                 409, "agent_not_available", None),
    ("an agent of its pool",    "assign",   {"agent": "sue", "forced": True}, 422, "another_pool", "/agent"),
    ("another pool",            "refer",    {"pool": "main"},                 422, "same_pool", None),
    ("a pool that is there",    "refer",    {"pool": "nowhere"},              422, "unknown_pool", "/pool"),
    ("that pool's queue",       "refer",    {"pool": "sales", "queue": "tax"}, 422, "another_pool", "/queue"),
    ("a time with a zone",      "callback", {"callback_at": "2026-11-22T09:30:00"}, 422, "invalid", "/callback_at"),
    ("a time to come",          "callback", {"callback_at": "2020-11-22T09:30:00Z"}, 422, "invalid", None),
    ("a word of its own",       "close",    {"resolution": "referred"},       422, "invalid", "/resolution"),
]  # fmt: skip


async def test_what_is_refused(desk: Site) -> None:
    await desk.put("/v1/pools/sales", {})
    await desk.put("/v1/queues/leads", {"pool": "sales"})
    await desk.put("/v1/agents/sue", {"pool": "sales"})
    for rule, path, body, status, code, pointer in REFUSED:
        response = await desk.send("POST", f"/v1/contacts/con_1/{path}", body)
        problem = response.json()
        assert (response.status_code, problem["code"]) == (status, code), rule
        assert [one["pointer"] for one in problem["errors"]][:1] == ([pointer] if pointer else []), rule
    assert (await desk.get("/v1/contacts/con_1"))["agent"] == "ann"


async def test_why_an_agent_is_not_given_it(desk: Site) -> None:
    await desk.put("/v1/agents/bob/presence", {"status": "away", "reason": "lunch"}, by="bob")
    problem = (await desk.send("POST", "/v1/contacts/con_1/assign", {"agent": "bob"})).json()
    assert problem["state"]["why"] == "away: lunch"


FORBIDDEN: list[tuple[str, str, Any]] = [
    ("ann", "contacts/con_1/assign", {"agent": "bob"}), ("ann", "agents/ann/requeue", {}),
    ("ann", "queues/tax/drain", {"to": "everyone"}), ("bob", "contacts/con_1/transfer", {"queue": "tax"}),
    ("bob", "contacts/con_1/refer", {"pool": "sales"}), ("viewer", "contacts/con_1/callback", {}),
    ("ann", "contacts/bulk", {"operation": "close", "contact_ids": ["con_1"]}),
]  # fmt: skip


async def test_who_may_not(desk: Site) -> None:
    await desk.put("/v1/pools/sales", {})
    for by, path, body in FORBIDDEN:
        assert await refused(desk, "POST", f"/v1/{path}", body, by=by) == (403, "forbidden"), path


async def test_a_supervisor_forces_an_assignment(desk: Site) -> None:
    state = await desk.post("/v1/contacts/con_1/assign", {"agent": "bob", "forced": True}, by="supervisor")
    assert (state["state"], state["agent"]) == ("assigned", "bob")
    events = (await desk.get("/v1/contacts/con_1/events"))["items"]
    assert (events[-1]["type"], events[-1]["forced"]) == ("contact.assigned", True)


# -- notes ------------------------------------------------------------------------------------------------------


async def test_a_note_is_a_record_for_who_works_on_it_and_not_on_the_log(desk: Site, world: MemoryWorld) -> None:
    note = "Frau Huber ruft um drei an"
    await desk.post("/v1/contacts/con_1/transfer", {"queue": "tax", "note": note}, by="ann")
    (kept,) = (await desk.get("/v1/contacts/con_1/notes"))["items"]
    assert (kept["text"], kept["author"], kept["contact_id"]) == (note, "agent:ann", "con_1")
    assert await refused(desk, "GET", "/v1/contacts/con_1/notes", by="bob") == (404, "not_found")
    records = [record for place in world.records.values() for record in place]
    assert records
    assert not any(b"Huber" in (record.value or b"") for record in records)


async def test_a_note_goes_when_the_contact_does_not_move(desk: Site) -> None:
    body = {"agent": "bob", "note": "for Bob"}
    assert (await desk.send("POST", "/v1/contacts/con_1/transfer", body)).status_code == 409
    assert (await desk.get("/v1/contacts/con_1/notes"))["items"] == []


# -- linked contacts --------------------------------------------------------------------------------------------


async def test_a_referral_is_on_the_log_for_ingest(desk: Site, world: MemoryWorld) -> None:
    await desk.put("/v1/pools/sales", {})
    state = await desk.post("/v1/contacts/con_1/refer", {"pool": "sales", "note": "wants ten of them"}, by="ann")
    assert (state["state"], state["linked_id"].rpartition(".")[0]) == ("closed", "con_1.linked")
    contact = await desk.get("/v1/contacts/con_1")
    assert (contact["state"], contact["resolution"]) == ("closed", "referred")
    records = [one for place, rs in world.records.items() if place[0] == ROUTING for one in rs]
    assert [one.headers["ce_type"] for one in records].count("contact.referred") == 1


async def test_a_linked_contact_shows_where_it_comes_from_and_its_notes(desk: Site) -> None:
    await desk.post("/v1/contacts/con_1/callback", {"close": False, "note": "after five"})
    await desk.receive("con_1.linked.9", linked_to="con_1")
    assert (await desk.get("/v1/contacts/con_1.linked.9"))["linked_to"] == "con_1"
    assert [one["text"] for one in (await desk.get("/v1/contacts/con_1.linked.9/notes"))["items"]] == ["after five"]
    assert (await desk.get("/v1/contacts/con_1"))["state"] == "assigned"


# -- many -------------------------------------------------------------------------------------------------------


async def test_everything_that_an_agent_holds(desk: Site) -> None:
    await offered(desk, "con_2")
    state = await desk.post("/v1/agents/ann/requeue", by="supervisor")
    assert state["requeued"] == ["con_1", "con_2"]
    assert await refused(desk, "POST", "/v1/agents/ghost/requeue") == (404, "not_found")


async def test_a_queue_is_drained(desk: Site) -> None:
    await desk.put("/v1/agents/ann/presence", {"status": "away"}, by="ann")
    await desk.put("/v1/queues/old", {"order": 1})
    for number in range(2, 5):
        await desk.receive(f"con_{number}")
    state = await desk.post("/v1/queues/old/drain", {"to": "tax"}, by="supervisor")
    assert (state["queue_id"], state["to"], state["waiting"]) == ("old", "tax", 3)
    assert (await desk.get("/v1/queues/old"))["draining_to"] == "tax"
    desk.clock.move_to(desk.clock.now() + 200_000)
    await desk.until("/v1/contacts?queue=tax", lambda page: len(page["items"]) == 3)
    await desk.until("/v1/queues/old", lambda queue: queue["draining_to"] is None)
    assert await refused(desk, "POST", "/v1/queues/old/drain", {"to": "nowhere"}) == (422, "unknown_queue")
    assert await refused(desk, "POST", "/v1/queues/old/drain", {"to": "old"}) == (422, "invalid")


@pytest.mark.parametrize(("operation", "fields", "shown"), [
    ("close",    {"resolution": "spam"},            {"state": "closed", "resolution": "spam"}),
    ("transfer", {"queue": "tax"},                  {"state": "waiting", "queue": "tax"}),
    ("assign",   {"agent": "bob", "forced": True},  {"state": "assigned", "agent": "bob"}),
    ("park",     {"reason": "awaiting_parts"},      {"state": "parked"}),
    ("resume",   {},                                {"state": "assigned", "agent": "ann"}),
])  # fmt: skip
async def test_many_at_once_each_with_a_result(desk: Site, operation: str, fields: Any, shown: Any) -> None:
    body = {"operation": operation, "contact_ids": ["con_1", "con_ghost"], **fields}
    done, ghost = (await desk.post("/v1/contacts/bulk", body, by="supervisor"))["results"]
    assert (done["status"], done["contact_id"], done["state"]["state"]) == (200, "con_1", shown["state"])
    assert (ghost["status"], ghost["contact_id"], ghost["problem"]["code"]) == (404, "con_ghost", "not_found")
    contact = await desk.get("/v1/contacts/con_1")
    assert shown.items() <= contact.items()


async def test_a_priority_for_many(desk: Site) -> None:
    ids = [f"con_{number}" for number in range(2, 30)]
    await asyncio.gather(*(desk.receive(one) for one in ids))
    body = {"operation": "priority", "contact_ids": ids, "boost": 0.2}
    results = (await desk.post("/v1/contacts/bulk", body))["results"]
    assert [(one["contact_id"], one["status"]) for one in results] == [(one, 200) for one in ids]


REFUSED_FOR_ALL: list[tuple[str, Any, str]] = [
    ("it is named",              {"contact_ids": ["con_1"]},                                      "/operation"),
    ("a known operation",        {"operation": "erase", "contact_ids": ["con_1"]},                "/operation"),
    ("somebody",                 {"operation": "close", "contact_ids": []},                       "/contact_ids"),
    ("a thousand at most",       {"operation": "close", "contact_ids": [f"c{n}" for n in range(1_001)]},
     "/contact_ids"),
    ("each once",                {"operation": "close", "contact_ids": ["a", "b", "a"]},          "/contact_ids/0"),
    ("the operation's fields",   {"operation": "close", "contact_ids": ["a"], "queue": "tax"},    "/queue"),
    ("what it needs",            {"operation": "assign", "contact_ids": ["a"]},                   "/agent"),
    ("one goal",                 {"operation": "transfer", "contact_ids": ["a"]},                 "/queue"),
]  # fmt: skip


async def test_what_is_refused_for_all(desk: Site) -> None:
    for rule, body, pointer in REFUSED_FOR_ALL:
        response = await desk.send("POST", "/v1/contacts/bulk", body)
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer), rule
