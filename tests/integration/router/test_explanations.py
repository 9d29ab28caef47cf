"""Why a contact stands where it stands, an agent is idle and a queue isn’t moving, over REST."""

import pytest

from libs.common.events.values import Reach
from tests.integration.router.site import Site, offered, refused

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
    assert busy["holds"] == [{"contact_id": "con_1", "state": "assigned", "units": 20, "paused": False}]
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


async def test_an_explanation_says_who_and_who_not_and_why(site: Site) -> None:
    await site.agent("ann", capacity={"units": 20})
    await site.put("/v1/agents/bob", {"skills": {"billing": 3}})
    await site.put("/v1/agents/cat", {"skills": {"public": 3}})
    await offered(site)
    explained = await site.get("/v1/contacts/con_1/explanation")
    assert (explained["state"], explained["score"]["target_seconds"], explained["ahead"]) == ("offered", 900, 0)
    assert {one["agent"]: (one["chosen"], one["why"]) for one in explained["candidates"]} == {
        "ann": (True, None),
        "bob": (False, "skill public 0 < 1"),
        "cat": (False, "offline"),
    }
    await site.receive("con_2")
    second = await site.get("/v1/contacts/con_2/explanation")
    assert second["candidates"][0] == {"agent": "ann", "chosen": False, "why": "at capacity 20/20"}


async def test_a_closed_contact_is_still_explained(site: Site) -> None:
    await site.agent("ann")
    await site.post(f"/v1/offers/{await offered(site)}/accept", by="ann")
    await site.post("/v1/contacts/con_1/close", by="ann")
    explained = await site.get("/v1/contacts/con_1/explanation")
    assert (explained["state"], explained["next_change_at"]) == ("closed", None)
    assert explained["candidates"][0] == {"agent": "ann", "chosen": True, "why": None}


async def test_a_raised_priority_is_explained_in_words(site: Site) -> None:
    await site.receive("con_1", reach=Reach(views=40_000), strikes=2)
    await site.post("/v1/contacts/con_1/priority", {"boost": 0.05})
    explained = await site.get("/v1/contacts/con_1/explanation")
    terms = {term["name"]: term["value"] for term in explained["score"]["terms"]}
    assert terms["raised"] == 0.05
    assert explained["score"]["boost"] == pytest.approx(sum(terms.values()), abs=0.0025), "each is rounded to be shown"
    assert "40,000 can see it and it failed twice before" in explained["text"]
