"""Several asked at once, accepted by the queue, missed, and agents who leave when they are free, over REST."""

from datetime import timedelta
from typing import Any

import pytest

from libs.common.events.codec import EPOCH
from tests.integration.router.site import Site

SECOND = 1_000_000
TOGETHER = {"parallel_offers": 2, "wrap_up_seconds": 30}


async def asked(site: Site, *agents: str, **queue: Any) -> list[str]:
    """A contact for which these are asked at once; the ids of the offers."""
    await site.put("/v1/queues/all", TOGETHER | queue)
    for agent in agents:
        await site.agent(agent)
    await site.receive("con_1")
    contact = await site.until("/v1/contacts/con_1", lambda contact: len(contact["offers"]) == len(agents))
    assert [offer["agent"] for offer in contact["offers"]] == [*agents]
    return [offer["offer_id"] for offer in contact["offers"]]


async def at_work(site: Site) -> None:
    (offer,) = await asked(site, "ann")
    await site.post(f"/v1/offers/{offer}/accept", by="ann")


def at(instant: int) -> str:
    return (EPOCH + timedelta(microseconds=instant)).isoformat()


async def test_each_who_is_asked_has_an_offer_of_their_own(site: Site) -> None:
    ids = await asked(site, "ann", "bob")
    for agent, offer in zip(("ann", "bob"), ids, strict=True):
        (one,) = (await site.get(f"/v1/agents/{agent}/offers", by=agent))["items"]
        assert (one["offer_id"], one["contact_id"]) == (offer, "con_1")
        assert (await site.get(f"/v1/agents/{agent}", by=agent))["used_units"] == 20
        assert (await site.get("/v1/contacts/con_1", by=agent))["state"] == "offered"
    chosen = [one["agent"] for one in (await site.get("/v1/contacts/con_1/explanation"))["candidates"] if one["chosen"]]
    assert chosen == ["ann", "bob"]
    assert (await site.get("/v1/stats"))["capacity_used"] == 40


async def test_one_of_them_wins_and_the_other_is_told(site: Site) -> None:
    anns, bobs = await asked(site, "ann", "bob")
    assert (await site.post(f"/v1/offers/{bobs}/accept", by="bob"))["agent"] == "bob"
    late = await site.send("POST", f"/v1/offers/{anns}/accept", by="ann")
    assert (late.status_code, late.json()["code"]) == (409, "offer_ended")
    assert (late.json()["state"]["state"], late.json()["state"]["agent"]) == ("assigned", "bob")
    assert [(await site.get(f"/v1/agents/{one}"))["used_units"] for one in ("ann", "bob")] == [0, 20]
    assert (await site.get("/v1/agents/ann/offers", by="ann"))["items"] == []


async def test_nobody_accepts_anothers_offer(site: Site) -> None:
    _, bobs = await asked(site, "ann", "bob")
    response = await site.send("POST", f"/v1/offers/{bobs}/accept", by="ann")
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert [one["agent"] for one in response.json()["state"]["offers"]] == ["ann", "bob"]


async def test_a_queue_is_read_as_it_was_put(site: Site) -> None:
    body = {"offer_seconds_by_medium": {"voice": 15}, "parallel_offers": 3, "auto_accept": ["live", "voice"]}
    put = await site.put("/v1/queues/calls", body)
    assert {name: put[name] for name in body} == body
    assert put == await site.get("/v1/queues/calls")


async def test_what_a_queue_accepts_for_its_agents_is_assigned_at_once(site: Site) -> None:
    await site.put("/v1/queues/all", {"auto_accept": ["async"]})
    await site.agent("ann")
    await site.receive("con_1")
    contact = await site.until("/v1/contacts/con_1", lambda contact: contact["state"] == "assigned")
    assert contact["agent"] == "ann"
    events = (await site.get("/v1/contacts/con_1/events"))["items"]
    assert [event["type"] for event in events] == [
        "contact.queued", "contact.offered", "offer.accepted", "contact.assigned",
    ]  # fmt: skip
    assert events[2]["automatic"] is True


async def test_who_misses_offers_is_sent_away(site: Site) -> None:
    await site.put("/v1/queues/all", {"offers_max": 9})
    await site.agent("ann", missed_offers_max=2)
    await site.receive("con_1")
    for _ in range(2):
        await site.until("/v1/contacts/con_1", lambda contact: contact["offers"])
        site.clock.move_to(site.clock.now() + 20 * SECOND)
        await site.until("/v1/contacts/con_1", lambda contact: not expired(site, contact))
    ann = await site.until("/v1/agents/ann", lambda agent: agent["status"] == "away")
    assert (ann["reason"], ann["missed_offers"], ann["missed_offers_max"]) == ("missed_offers", 2, 2)


def expired(site: Site, contact: dict[str, Any]) -> bool:
    """Whether an offer that the contact shows has had its time."""
    return any(offer["expires_at"] <= at(site.clock.now()).replace("+00:00", "Z") for offer in contact["offers"])


async def test_three_may_be_missed_unless_it_is_said(site: Site) -> None:
    assert (await site.put("/v1/agents/ann", {}))["missed_offers_max"] == 3


# -- leaving ----------------------------------------------------------------------------------------------------


async def test_a_break_begins_when_the_last_contact_leaves(site: Site) -> None:
    await at_work(site)
    lunch = {"status": "away", "reason": "lunch", "when_free": True}
    asked_for = await site.put("/v1/agents/ann/presence", lunch, by="ann")
    assert (asked_for["status"], asked_for["reason"], asked_for["next_status"]) == ("busy", "lunch", "away")
    await site.post("/v1/contacts/con_1/close", by="ann")
    await site.post("/v1/agents/ann/wrap-up/complete", by="ann")
    ann = await site.get("/v1/agents/ann")
    assert (ann["status"], ann["reason"], ann["next_status"]) == ("away", "lunch", None)


async def test_a_repeated_wish_to_leave_is_a_heartbeat(site: Site, world: Any) -> None:
    await at_work(site)
    lunch = {"status": "away", "reason": "lunch", "when_free": True}
    first = await site.put("/v1/agents/ann/presence", lunch, by="ann")
    site.clock.move_to(site.clock.now() + 30 * SECOND)
    await site.put("/v1/agents/ann/presence", lunch, by="ann")
    await site.until("/v1/agents/ann", lambda agent: agent["lease_until"] > first["lease_until"])
    types = [r.headers["ce_type"] for place, rs in world.records.items() if "commands" in place[0] for r in rs]
    assert (types.count("agent.set_presence"), types.count("agent.renew_leases")) == (2, 1)


async def test_a_shift_ends(site: Site) -> None:
    await site.agent("ann")
    until = at(site.clock.now() + 600 * SECOND)
    shown = await site.put("/v1/agents/ann/presence", {"status": "available", "until": until, "lease_seconds": 900})
    assert shown["until"] == until.replace("+00:00", "Z")
    site.clock.move_to(site.clock.now() + 600 * SECOND)
    ann = await site.until("/v1/agents/ann", lambda agent: agent["status"] == "offline")
    assert (ann["reason"], ann["until"]) == ("shift_ended", None)


@pytest.mark.parametrize(("rule", "body", "pointer"), [
    ("who stays doesn't wait to leave",  {"status": "available", "when_free": True},                   "/when_free"),
    ("a shift ends later than now",      {"status": "available", "until": "2020-01-01T00:00:00Z"},     "/until"),
    ("who isn't there has no shift",     {"status": "offline", "until": "2100-01-01T00:00:00Z"},       "/until"),
    ("a time needs a zone",              {"status": "available", "until": "2100-01-01T00:00:00"},      "/until"),
])  # fmt: skip
async def test_a_presence_that_makes_no_sense(site: Site, rule: str, body: dict[str, Any], pointer: str) -> None:
    await site.agent("ann")
    response = await site.send("PUT", "/v1/agents/ann/presence", body)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer), rule


async def test_a_wrap_up_is_extended_within_its_bound(site: Site) -> None:
    await at_work(site)
    await site.post("/v1/contacts/con_1/close", by="ann")
    before = (await site.get("/v1/contacts/con_1"))["wrap_up_until"]
    path, body = "/v1/agents/ann/wrap-up/extend", {"contact_id": "con_1", "seconds": 40}
    extended = await site.post(path, body, by="ann")
    contact = await site.get("/v1/contacts/con_1")
    assert extended["wrap_up_until"].removesuffix(".000000Z") == contact["wrap_up_until"].removesuffix("Z") > before
    refused = await site.send("POST", path, body, by="ann")
    assert (refused.status_code, refused.json()["code"]) == (422, "wrap_up_too_long")
    assert refused.json()["state"]["extendable_seconds"] == 20
    await site.key("acme", "agent", "eve")
    assert (await site.send("POST", path, body, by="eve")).status_code == 403
