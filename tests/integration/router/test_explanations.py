"""Why an agent is idle and a queue isn't moving, over REST."""

from tests.integration.router.site import Site
from tests.integration.router.test_api import offered, refused

TAX = {"requirement": {"all": [{"skill": "tax"}]}, "match": {"visibility": "public"}}


async def test_why_an_agent_is_idle_and_a_queue_is_not_moving(site: Site) -> None:
    await site.key("acme", "viewer")
    await site.put("/v1/queues/tax", TAX)
    await site.agent("ann")
    await site.agent("bob", skills={"public": 3, "tax": 1})
    await site.put("/v1/agents/bob/presence", {"status": "away", "reason": "lunch"}, by="bob")
    await site.receive("con_1")
    await site.receive("con_2", occurred_at=site.clock.now() - 60_000_000)
    idle = await site.get("/v1/agents/ann/explanation", by="ann")
    assert idle["reasons"] == [{"why": "skill tax 0 < 1", "contacts": 2, "first": "con_2"}]
    assert (idle["status"], idle["waiting"], idle["looked_at"], idle["holds"]) == ("available", 2, 2, [])
    assert idle["next_change_at"] == idle["lease_until"] is not None
    still = await site.get("/v1/queues/tax/explanation", by="viewer")
    assert (still["waiting"], still["first"]["contact_id"]) == (2, "con_2")
    assert still["agents"] == [
        {"why": "away: lunch", "agents": 1, "first": "bob"}, {"why": "skill tax 0 < 1", "agents": 1, "first": "ann"},
    ]  # fmt: skip
    contact = await site.get("/v1/contacts/con_2/explanation", by="viewer")
    assert {one["why"] for one in contact["candidates"]} == {one["why"] for one in still["agents"]}
    assert still["first"]["candidates"] == contact["candidates"]


async def test_what_an_agent_holds_and_when_nothing_waits(site: Site) -> None:
    await site.agent("ann")
    await site.post(f"/v1/offers/{await offered(site)}/accept", by="ann")
    busy = await site.get("/v1/agents/ann/explanation", by="ann")
    assert busy["holds"] == [{"contact_id": "con_1", "state": "assigned", "units": 20}]
    assert busy["text"] == "holds 1 contact, 20/120 units; nothing waits"
    await site.put("/v1/queues/quiet", {})
    quiet = await site.get("/v1/queues/quiet/explanation")
    assert (quiet["waiting"], quiet["first"], quiet["agents"], quiet["text"]) == (0, None, [], "nothing waits")


async def test_who_may_ask(site: Site) -> None:
    await site.agent("ann")
    await site.agent("bob")
    await site.put("/v1/queues/tax", TAX)
    assert await refused(site, "GET", "/v1/agents/bob/explanation", by="ann") == (403, "forbidden")
    assert await refused(site, "GET", "/v1/queues/tax/explanation", by="ann") == (403, "forbidden")
    assert await refused(site, "GET", "/v1/agents/ann/explanation", by="other-admin") == (404, "not_found")
    assert await refused(site, "GET", "/v1/queues/tax/explanation", by="other-admin") == (404, "not_found")
