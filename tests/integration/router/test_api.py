"""Whatever the router's API promises, asked of a running one."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.integration.router.site import DEADLINE_SECONDS, Site, offered, refused

QUEUE: dict[str, Any] = {
    "name": "Social care",
    "pool": "main",
    "order": 10,
    "match": {"visibility": "public"},
    "requirement": {"all": [{"skill": "public", "level": 2}]},
    "relax": [{"after_seconds": 60, "requirement": {}}],
    "offer_seconds": 20,
    "offers_max": 5,
    "wrap_up_seconds": 30,
    "last_agent_seconds": 45,
}

INTERRUPTED = {"interrupted_by": {"voice": ["voice"]}}


# -- agents -----------------------------------------------------------------------------------------------------


async def test_an_agent_is_read_as_it_was_put(site: Site) -> None:
    body = {
        "name": "Ann",
        "pool": "main",
        "skills": {"public": 3, "lang:it": 5},
        "preferred_queues": [],
        "capacity": {
            "units": 120, "cost": {"voice": 120, "live": 40, "async": 20}, "max": {"voice": 1},
            "interrupted_by": {"async": ["live", "voice"]}, "wake_up_reserve": 20,
        },
    }  # fmt: skip
    put = await site.put("/v1/agents/ann", body)
    assert put == await site.get("/v1/agents/ann")
    assert {**put, **body} == put | {"capacity": body["capacity"]}
    assert (put["status"], put["used_units"]) == ("offline", 0)


async def test_an_agents_name_is_not_on_the_log(site: Site, world: Any) -> None:
    await site.put("/v1/agents/ann", {"name": "Annamaria Rossi"})
    records = [record for place in world.records.values() for record in place]
    assert records
    assert not any(b"Annamaria" in (record.value or b"") for record in records)


@pytest.mark.parametrize(
    ("rule", "path", "body", "code"),
    [
        ("nothing interrupts a call", "/v1/agents/bob", {"capacity": INTERRUPTED}, "invalid"),
        ("the pool must exist", "/v1/agents/bob", {"pool": "nowhere"}, "unknown_pool"),
        ("levels end at 5", "/v1/agents/bob", {"skills": {"public": 6}}, "invalid"),
        ("unknown fields", "/v1/agents/bob", {"nmae": "Bob"}, "invalid"),
        ("at most five at once", "/v1/queues/q", {"parallel_offers": 6}, "invalid"),
        ("a medium is known", "/v1/queues/q", {"auto_accept": ["fax"]}, "invalid"),
        ("a time-out lasts a second", "/v1/queues/q", {"offer_seconds_by_medium": {"voice": 0}}, "invalid"),
        ("misses aren't negative", "/v1/agents/bob", {"missed_offers_max": -1}, "invalid"),
        ("an optional term is bounded too", "/v1/pools/main/policy", {"weights": {"urgency": 0.3}}, "invalid"),
        ("no step is over before", "/v1/queues/q", {"relax": [QUEUE["relax"][0] | {"after_seconds": -1}]}, "invalid"),
        ("a step is skipped or not", "/v1/queues/q", {"relax": [QUEUE["relax"][0] | {"skip": "soon"}]}, "invalid"),
        ("a queue names no agents", "/v1/queues/q", {"requirement": {"prefer_agents": ["ann"]}}, "invalid"),
        ("a group has two at least", "/v1/queues/q", {"group_max": 1}, "invalid"),
        ("a group isn't for several", "/v1/queues/q", {"group_by_incident": True, "parallel_offers": 2},
         "not_supported"),
        ("a language has levels to 5", "/v1/queues/q", {"language_level": 6}, "invalid"),
        ("a boost is bounded", "/v1/pools/main/policy", {"weights": {"reach": 0.3}}, "invalid"),
    ],
)  # fmt: skip
async def test_what_is_refused(site: Site, rule: str, path: str, body: Any, code: str) -> None:
    assert await refused(site, "PUT", path, body) == (422, code), rule


async def test_the_pointer_names_the_field_that_is_wrong(site: Site) -> None:
    response = await site.send("PUT", "/v1/agents/ann", {"capacity": INTERRUPTED})
    assert response.json()["errors"][0]["pointer"] == "/capacity/interrupted_by/voice"


@pytest.mark.parametrize("kind", ["agents", "queues"])
async def test_a_pool_is_for_life(site: Site, kind: str) -> None:
    await site.put("/v1/pools/sales", {})
    await site.put(f"/v1/{kind}/one", {"pool": "main"})
    assert await refused(site, "PUT", f"/v1/{kind}/one", {"pool": "sales"}) == (422, "pool_is_for_life")


async def test_who_was_deleted_may_come_back_in_another_pool(site: Site) -> None:
    await site.put("/v1/pools/sales", {})
    await site.put("/v1/agents/ann", {"pool": "main"})
    assert (await site.send("DELETE", "/v1/agents/ann")).status_code == 204
    assert await refused(site, "GET", "/v1/agents/ann") == (404, "not_found")
    assert (await site.put("/v1/agents/ann", {"pool": "sales"}))["pool"] == "sales"


async def test_lists_come_in_pages(site: Site) -> None:
    for agent in ("ann", "bob", "cat"):
        await site.put(f"/v1/agents/{agent}", {})
    first = await site.get("/v1/agents?limit=2")
    rest = await site.get(f"/v1/agents?limit=2&cursor={first['next_cursor']}")
    assert [one["agent_id"] for one in (*first["items"], *rest["items"])] == ["ann", "bob", "cat"]
    assert rest["next_cursor"] is None


async def test_a_repeated_presence_is_a_heartbeat(site: Site, world: Any) -> None:
    await site.agent("ann")
    before = await site.get("/v1/agents/ann")
    site.clock.move_to(site.clock.now() + 30_000_000)
    await site.put("/v1/agents/ann/presence", {"status": "available"}, by="ann")
    renewed = await site.until("/v1/agents/ann", lambda agent: agent["lease_until"] > before["lease_until"])
    assert renewed["status"] == "available"
    types = [r.headers["ce_type"] for place, rs in world.records.items() if "commands" in place[0] for r in rs]
    assert types.count("agent.set_presence") == 1
    assert types.count("agent.renew_leases") == 1


# -- roles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        ("viewer", "PUT", "/v1/agents/bob", {}),
        ("supervisor", "PUT", "/v1/queues/q", {}),
        ("integration", "POST", "/v1/contacts/con_1/priority", {"boost": 0.1}),
        ("viewer", "POST", "/v1/contacts/con_1/close", {}),
        ("ann", "PUT", "/v1/agents/bob/presence", {"status": "available"}),
        ("ann", "GET", "/v1/agents/bob/offers", None),
        ("ann", "GET", "/v1/agents/bob/stream", None),
        ("ann", "GET", "/v1/stats", None),
    ],
)
async def test_what_a_role_may_not_do(site: Site, role: str, method: str, path: str, body: Any) -> None:
    await site.key("acme", "agent" if role == "ann" else role, "ann" if role == "ann" else None)
    await site.put("/v1/agents/bob", {})
    assert await refused(site, method, path, body, by=role) == (403, "forbidden")


async def test_nothing_of_another_workspace_is_found(site: Site) -> None:
    await site.agent("ann")
    offer = await offered(site)
    paths = ["/v1/agents/ann", "/v1/agents/ann/offers", "/v1/contacts/con_1", "/v1/contacts/con_1/events",
             "/v1/contacts/con_1/explanation", "/v1/pools/main", "/v1/pools/main/policy"]  # fmt: skip
    for path in paths:
        assert await refused(site, "GET", path, by="other-admin") == (404, "not_found"), path
    for path in (f"/v1/offers/{offer}/accept", "/v1/contacts/con_1/close", "/v1/agents/ann/wrap-up/complete"):
        assert await refused(site, "POST", path, by="other-admin") == (404, "not_found"), path
    assert (await site.get("/v1/contacts", by="other-admin"))["items"] == []


async def test_an_agent_sees_only_its_own_contacts(site: Site) -> None:
    await site.agent("ann")
    await offered(site)
    await site.key("acme", "agent", "eve")
    assert (await site.get("/v1/contacts/con_1", by="ann"))["contact_id"] == "con_1"
    assert await refused(site, "GET", "/v1/contacts/con_1", by="eve") == (404, "not_found")


# -- work -------------------------------------------------------------------------------------------------------


async def test_an_offer_is_accepted_once(site: Site) -> None:
    await site.agent("ann")
    offer = await offered(site)
    assert (await site.post(f"/v1/offers/{offer}/accept", by="ann"))["state"] == "assigned"
    assert (await site.post(f"/v1/offers/{offer}/accept", by="ann"))["state"] == "assigned"
    contact = await site.get("/v1/contacts/con_1")
    assert (contact["state"], contact["agent"], contact["offers"]) == ("assigned", "ann", [])
    assert (await site.get("/v1/agents/ann"))["used_units"] == 20


async def test_who_comes_second_is_told_the_present_state(site: Site) -> None:
    await site.agent("ann")
    offer = await offered(site)
    await site.post(f"/v1/offers/{offer}/decline", {"reason": "busy"}, by="ann")
    response = await site.send("POST", f"/v1/offers/{offer}/accept", by="ann")
    assert response.status_code == 409
    assert response.json()["state"]["contact_id"] == "con_1"


async def test_an_agent_cannot_take_anothers_offer(site: Site) -> None:
    await site.agent("ann")
    offer = await offered(site)
    await site.key("acme", "agent", "eve")
    assert (await site.send("POST", f"/v1/offers/{offer}/accept", by="eve")).status_code in (403, 404, 409)
    assert (await site.get("/v1/contacts/con_1"))["state"] == "offered"


async def test_a_contact_from_its_offer_to_its_end(site: Site) -> None:
    await site.put("/v1/queues/social", QUEUE)
    await site.agent("ann")
    await site.post(f"/v1/offers/{await offered(site)}/accept", by="ann")
    assert (await site.post("/v1/contacts/con_1/close", {"resolution": "solved"}, by="ann"))["state"] == "wrap_up"
    await site.post("/v1/agents/ann/wrap-up/complete", by="ann")
    contact = await site.get("/v1/contacts/con_1")
    assert (contact["state"], contact["resolution"], contact["agent"]) == ("closed", "solved", "ann")
    types = [event["type"] for event in (await site.get("/v1/contacts/con_1/events"))["items"]]
    assert types == [
        "contact.queued", "contact.offered", "offer.accepted", "contact.assigned",
        "contact.wrap_up_started", "contact.wrap_up_ended", "contact.closed",
    ]  # fmt: skip


async def test_parked_and_resumed(site: Site) -> None:
    await site.agent("ann")
    await site.post(f"/v1/offers/{await offered(site)}/accept", by="ann")
    since = (await site.get("/v1/contacts/con_1"))["waiting_since"]
    assert (await site.post("/v1/contacts/con_1/park", by="ann"))["state"] == "parked"
    assert (await site.get("/v1/contacts/con_1"))["waiting_since"] == since, "nobody has answered yet"
    assert (await site.post("/v1/contacts/con_1/resume", by="ann"))["state"] == "assigned"


async def test_released_and_abandoned(site: Site) -> None:
    await site.agent("ann")
    await site.post(f"/v1/offers/{await offered(site)}/accept", by="ann")
    await site.post("/v1/contacts/con_1/release", by="ann")
    await site.post("/v1/contacts/con_1/abandon")
    contact = await site.get("/v1/contacts/con_1")
    assert (contact["state"], contact["resolution"]) == ("abandoned", "customer_left")


async def test_what_waits_has_a_position_and_a_score(site: Site) -> None:
    await site.receive("con_1")
    await site.receive("con_2")
    await site.post("/v1/contacts/con_2/priority", {"boost": 0.25, "reason": "vip"})
    first, second = await site.get("/v1/contacts/con_2"), await site.get("/v1/contacts/con_1")
    assert (first["position"], second["position"]) == (1, 2)
    assert (first["score"], second["score"]) == (-0.675, -0.9)


async def test_contacts_are_found_by_what_they_are(site: Site) -> None:
    await site.agent("ann")
    await offered(site)
    for query in ("state=offered", "channel=x", "customer=cus_1", "queue=everyone"):
        assert len((await site.get(f"/v1/contacts?{query}"))["items"]) == 1, query
    for query in ("state=closed", "channel=email", "customer=cus_2", "agent=ann"):
        assert (await site.get(f"/v1/contacts?{query}"))["items"] == [], query


async def test_the_router_knows_nobody_who_is_only_received(site: Site) -> None:
    await site.receive("con_1")
    assert (await site.get("/v1/contacts?state=received"))["items"] == []


async def test_a_contact_that_only_ingest_knows_was_received(site: Site) -> None:
    early = await site.get("/v1/contacts/con_early")
    assert (early["state"], early["reach"], early["queue"]) == ("received", 300, None)
    assert await refused(site, "GET", "/v1/contacts/con_never") == (404, "not_found")
    assert await refused(site, "GET", "/v1/contacts/con_early", by="other-admin") == (404, "not_found")


async def test_attributes_that_stay_off_the_log_are_shown_too(site: Site) -> None:
    await site.receive("con_early")
    contact = await site.get("/v1/contacts/con_early")
    assert (contact["state"], contact["attributes"]) == ("waiting", {"order": "A-17"})


async def test_what_became_of_a_command(site: Site, database: Any) -> None:
    await site.put("/v1/agents/ann", {})
    command_id = await database.pool.fetchval(
        "SELECT command_id FROM platform_commands WHERE workspace = 'acme' ORDER BY asked_at DESC, command_id LIMIT 1"
    )
    assert (await site.get(f"/v1/commands/{command_id}"))["status"] == 200
    assert await refused(site, "GET", f"/v1/commands/{command_id}", by="other-admin") == (404, "not_found")


# -- rules ------------------------------------------------------------------------------------------------------


async def test_a_queue_is_read_as_it_was_put(site: Site) -> None:
    put = await site.put("/v1/queues/social", QUEUE)
    assert put == await site.get("/v1/queues/social") == (await site.get("/v1/queues"))["items"][0]
    assert put["relax"][0]["after_seconds"] == 60
    assert {name: put[name] for name in ("name", "pool", "order", "match", "wrap_up_seconds")} == {
        name: QUEUE[name] for name in ("name", "pool", "order", "match", "wrap_up_seconds")
    }


async def test_a_policy_has_a_version(site: Site) -> None:
    assert (await site.get("/v1/pools/main/policy"))["version"] == 0
    put = await site.put("/v1/pools/main/policy", {"weights": {"reach": 0.2}})
    assert put == await site.get("/v1/pools/main/policy")
    assert put["version"] == 1
    usual = {"sentiment": 0.05, "tier": 0.05, "strikes": 0.1, "velocity": 0, "urgency": 0}
    assert put["weights"] == {"reach": 0.2, **usual}


async def test_only_an_empty_pool_can_be_deleted(site: Site) -> None:
    await site.put("/v1/pools/sales", {"name": "Sales"})
    await site.put("/v1/queues/leads", {"pool": "sales"})
    assert await refused(site, "DELETE", "/v1/pools/sales") == (409, "pool_in_use")
    assert (await site.send("DELETE", "/v1/queues/leads")).status_code == 204
    assert (await site.send("DELETE", "/v1/pools/sales")).status_code == 204
    assert await refused(site, "GET", "/v1/pools/sales") == (404, "not_found")
    assert [pool["pool_id"] for pool in (await site.get("/v1/pools"))["items"]] == ["main"]


# -- now --------------------------------------------------------------------------------------------------------


async def test_the_figures_of_the_moment(site: Site) -> None:
    await site.put("/v1/queues/social", QUEUE)
    await site.agent("ann", capacity={"units": 20})
    await offered(site)
    await site.receive("con_2")
    site.clock.move_to(site.clock.now() + 5_000_000)
    figures = await site.get("/v1/stats")
    assert figures["contacts"] == {"offered": 1, "waiting": 1}
    assert (figures["capacity_units"], figures["capacity_used"]) == (20, 20)
    queue = await site.get("/v1/queues/social/stats")
    assert (queue["waiting"], queue["longest_wait_seconds"], queue["agents"]["available"]) == (1, 5.0, 1)


async def test_a_queue_counts_who_can_take_what_it_asks(site: Site) -> None:
    await site.put("/v1/queues/social", QUEUE)
    await site.put("/v1/agents/ann", {"skills": {"public": 2}})
    await site.put("/v1/agents/bob", {"skills": {"public": 2, "phone": 1}})
    await site.put("/v1/agents/cat", {"skills": {"public": 1}})
    await site.put("/v1/agents/dan", {})
    await site.put("/v1/agents/ann/presence", {"status": "available"})
    await site.put("/v1/agents/cat/presence", {"status": "available"})
    queue = await site.get("/v1/queues/social/stats")
    assert (queue["agents"]["available"], queue["agents"]["offline"]) == (2, 2)
    assert queue["able"] == {"available": 1, "busy": 0, "away": 0, "offline": 1}


async def test_the_figures_are_streamed_when_they_change(site: Site) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS), site.stream("/v1/stats/stream") as events:
        name, figures = await anext(events)
        assert (name, figures["contacts"]) == ("stats", {})
        await site.receive("con_1")
        assert (await anext(events))[1]["contacts"] == {"waiting": 1}


async def test_a_desk_sees_its_snapshot_and_then_what_happens(site: Site) -> None:
    await site.agent("ann")
    async with asyncio.timeout(DEADLINE_SECONDS), site.stream("/v1/agents/ann/stream", by="ann") as events:
        name, snapshot = await anext(events)
        assert (name, snapshot["agent"]["status"], snapshot["offers"]) == ("snapshot", "available", [])
        offer = await offered(site)
        name, event = await anext(events)
        assert (name, event["offer_id"]) == ("contact.offered", offer)
        await site.post(f"/v1/offers/{offer}/accept", by="ann")
        assert [(await anext(events))[0] for _ in range(2)] == ["offer.accepted", "contact.assigned"]


async def test_a_stream_of_nobody_is_refused_before_it_begins(site: Site) -> None:
    response: httpx.Response = await site.send("GET", "/v1/agents/nobody/stream")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
