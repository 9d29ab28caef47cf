"""Requirements of a running router: languages, steps, dead ends, and what is told of them."""

from typing import Any

import pytest

from libs.common.events.values import Requirement
from tests.integration.router.site import Site

PUBLIC = {"all": [{"skill": "public", "level": 1}]}
SPECIALISTS: dict[str, Any] = {
    "order": 1, "match": {"channel": "x"}, "requirement": {"all": [{"skill": "tax", "level": 3}]},
    "relax": [{"after_seconds": 60, "requirement": PUBLIC, "skip": "nobody_available", "wait_over_seconds": 90},
              {"after_seconds": 300, "requirement": PUBLIC, "skip": "never", "wait_over_seconds": None}],
    "language_skill": True, "language_level": 2, "fallback_queue": None,
}  # fmt: skip


def without_defaults(step: dict[str, Any]) -> dict[str, Any]:
    return step | {"requirement": {name: needs for name, needs in step["requirement"].items() if needs}}


async def test_a_queue_is_read_as_it_was_put(site: Site) -> None:
    shown = await site.put("/v1/queues/tax", SPECIALISTS)
    shown["relax"] = [without_defaults(step) for step in shown["relax"]]
    assert {name: shown[name] for name in ("relax", "language_skill", "language_level", "fallback_queue")} == {
        name: SPECIALISTS[name] for name in ("relax", "language_skill", "language_level", "fallback_queue")
    }


async def test_the_explanation_tells_the_step_and_who_is_excluded(site: Site) -> None:
    await site.put("/v1/queues/tax", SPECIALISTS)
    await site.agent("ann", skills={"public": 3, "lang:it": 5})
    await site.agent("bob", skills={"public": 3, "lang:it": 5})
    await site.receive("con_1", language="it", requirement=Requirement(prefer_agents=("bob",), exclude_agents=("ann",)))
    explained = await site.until("/v1/contacts/con_1/explanation", lambda one: one["state"] == "offered")
    assert explained["relaxation"] | {"next_at": None} == {
        "step": 1, "steps": 2, "why": "nobody who could take it before this step was available", "next_at": None,
    }  # fmt: skip
    assert explained["relaxation"]["next_at"] is not None
    assert explained["own_requirement"]["exclude_agents"] == ["ann"]
    assert explained["requirement"]["all"] == [{"skill": "public", "level": 1}, {"skill": "lang:it", "level": 2}]
    assert {one["agent"]: one["why"] for one in explained["candidates"]} == {
        "ann": "excluded by the contact", "bob": None,
    }  # fmt: skip


async def test_a_dead_end_goes_to_the_fallback_queue(site: Site) -> None:
    await site.put("/v1/queues/desk", {"order": 2, "match": {"channel": "chat"}})
    await site.put("/v1/queues/tax", {**SPECIALISTS, "relax": [], "fallback_queue": "desk", "language_skill": False})
    await site.agent("ann")
    await site.receive("con_1")
    contact = await site.until("/v1/contacts/con_1", lambda one: one["queue"] == "desk")
    assert not contact["unroutable"]
    events = (await site.get("/v1/contacts/con_1/events"))["items"]
    assert [(one["type"], one["reason"]) for one in events[:2]] == [
        ("contact.queued", "opened"), ("contact.queued", "fallback"),
    ]  # fmt: skip


@pytest.mark.parametrize(("fallback", "code"), [
    ("nowhere", "unknown_queue"), ("tax", "invalid"), ("leads", "another_pool"),
])  # fmt: skip
async def test_a_fallback_is_another_queue_of_the_same_pool(site: Site, fallback: str, code: str) -> None:
    await site.put("/v1/pools/sales", {})
    await site.put("/v1/queues/leads", {"pool": "sales"})
    response = await site.send("PUT", "/v1/queues/tax", {"fallback_queue": fallback})
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert response.json()["errors"][0]["pointer"] == "/fallback_queue"


async def test_an_incident_is_offered_as_one_group(site: Site) -> None:
    await site.put("/v1/queues/outages", {"match": {"channel": "x"}, "group_by_incident": True, "group_max": 5})
    for number in range(1, 4):
        await site.receive(f"con_{number}", incident_key="outage-17")
    await site.agent("ann", capacity={"units": 20})
    path = "/v1/agents/ann/offers"
    page = await site.until(path, lambda page: page["items"])
    assert [(one["contact_id"], one["group_size"]) for one in page["items"]] == [("con_1", 3)]
    await site.post("/v1/offers/con_1.offer.1/accept", by="ann")
    shown = [await site.get(f"/v1/contacts/con_{number}") for number in range(1, 4)]
    assert [(one["state"], one["agent"], one["group"]) for one in shown] == [("assigned", "ann", "con_1")] * 3
    assert (await site.get("/v1/agents/ann"))["used_units"] == 20
    assert (await site.post("/v1/contacts/con_2/break-out", by="ann"))["state"] == "waiting"
    again = await site.send("POST", "/v1/contacts/con_2/break-out")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    contact = await site.get("/v1/contacts/con_2")
    assert (contact["state"], contact["group"], contact["incident_key"]) == ("waiting", None, "outage-17")
