"""An agent who is interrupted, as callers see it."""

from typing import Any

from prometheus_client import REGISTRY

from tests.integration.router.site import Site

CALL = {"channel": "phone", "medium": "voice", "visibility": "private"}
CAPACITY = {"interrupted_by": {"async": ["voice"]}, "wake_up_reserve": 20}


async def take(site: Site, contact_id: str, **fields: Any) -> dict[str, Any]:
    await site.receive(contact_id, **fields)
    await site.until(f"/v1/contacts/{contact_id}", lambda contact: contact["state"] == "offered")
    return await site.post(f"/v1/offers/{contact_id}.offer.1/accept", by="ann")


def paused_so_far() -> float:
    return REGISTRY.get_sample_value("omniroute_contacts_paused_total", {"medium": "async"}) or 0


async def test_a_call_pauses_a_post_and_it_goes_on(site: Site) -> None:
    await site.agent(capacity=CAPACITY)
    await take(site, "con_post")
    before = paused_so_far()
    await take(site, "con_call", **CALL)
    post = await site.get("/v1/contacts/con_post")
    assert (post["state"], post["agent"], post["paused"], post["paused_for"]) == ("assigned", "ann", True, "con_call")
    assert (post["pause_left_seconds"], paused_so_far()) == (450.0, before + 1)
    assert (await site.get("/v1/agents/ann"))["used_units"] == 120
    shown = await site.get("/v1/contacts/con_post/explanation")
    assert shown["text"].endswith("; paused for con_call, 7:30 of its budget left")
    await site.post("/v1/contacts/con_call/close", {}, by="ann")
    post = await site.until("/v1/contacts/con_post", lambda contact: not contact["paused"])
    assert (post["state"], post["paused_for"]) == ("assigned", None)
    kinds = [event["type"] for event in (await site.get("/v1/contacts/con_post/events"))["items"]]
    assert kinds[-3:] == ["contact.assigned", "contact.paused", "contact.resumed"]


async def test_the_reserve_is_explained(site: Site) -> None:
    await site.agent(capacity={"units": 60, **CAPACITY})
    await take(site, "con_parked")
    await site.post("/v1/contacts/con_parked/park", {})
    for number in range(2):
        await take(site, f"con_{number}")
    await site.receive("con_new")
    (candidate,) = (await site.get("/v1/contacts/con_new/explanation"))["candidates"]
    assert candidate["why"] == "at capacity 40/60, 20 kept for paused and parked work"
