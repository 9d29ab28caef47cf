"""Consults over REST: asked for, refused, shown to both, and ended."""

from typing import Any

import pytest

from libs.common.events import ROUTING
from libs.common.log.memory import MemoryWorld
from tests.integration.router.site import Site, ann_at_work, refused


@pytest.fixture
async def desk(site: Site) -> Site:
    """Ann has con_1; Bob knows tax, and is there."""
    await ann_at_work(site)
    await site.put("/v1/agents/bob/presence", {"status": "available"}, by="bob")
    return site


async def asked(desk: Site, **body: Any) -> str:
    """The consult, which Bob has accepted."""
    state = await desk.post("/v1/contacts/con_1/consult", {"queue": "tax"} | body, by="ann")
    await desk.post(f"/v1/offers/{state['consult_id']}.offer.1/accept", by="bob")
    return str(state["consult_id"])


async def test_both_views_name_the_other(desk: Site) -> None:
    before = await desk.get("/v1/contacts/con_1")
    one = await asked(desk)
    contact, consult = await desk.get("/v1/contacts/con_1"), await desk.get(f"/v1/contacts/{one}")
    assert (contact["state"], contact["agent"], contact["consults"], contact["consult_of"]) == (
        "assigned", "ann", [one], None,
    )  # fmt: skip
    assert contact["waiting_since"] == before["waiting_since"]
    assert (consult["state"], consult["agent"], consult["queue"], consult["consult_of"], consult["consults"]) == (
        "assigned", "bob", "tax", "con_1", [],
    )  # fmt: skip


REFUSED: list[tuple[str, str, Any, int, str, str | None]] = [
    ("somebody is asked",       "con_1", {},                                     422, "invalid", "/queue"),
    ("one of the two",          "con_1", {"queue": "tax", "agent": "bob"},       422, "invalid", "/queue"),
    ("nothing else",            "con_1", {"queue": "tax", "quueue": "x"},        422, "invalid", "/quueue"),
    ("a queue that is there",   "con_1", {"queue": "nowhere"},                   422, "unknown_queue", "/queue"),
    ("an agent who is",         "con_1", {"agent": "ghost"},                     422, "unknown_agent", "/agent"),
    ("of the same pool",        "con_1", {"agent": "sue"},                       422, "another_pool", "/agent"),
    ("who is able",             "con_1", {"agent": "eve"},                       409, "agent_not_available", None),
    ("somebody else",           "con_1", {"agent": "ann"},                       422, "own_contact", None),
    ("a contact that is there", "con_9", {"queue": "tax"},                       404, "not_found", None),
]  # fmt: skip


async def test_what_is_refused(desk: Site) -> None:
    await desk.put("/v1/pools/sales", {})
    await desk.put("/v1/agents/sue", {"pool": "sales"})
    await desk.put("/v1/agents/eve", {})
    for rule, contact_id, body, status, code, pointer in REFUSED:
        response = await desk.send("POST", f"/v1/contacts/{contact_id}/consult", body)
        problem = response.json()
        assert (response.status_code, problem["code"]) == (status, code), rule
        assert [one["pointer"] for one in problem["errors"]][:1] == ([pointer] if pointer else []), rule
    assert (await desk.get("/v1/contacts/con_1"))["consults"] == []


async def test_who_may_not(desk: Site) -> None:
    assert await refused(desk, "POST", "/v1/contacts/con_1/consult", {"queue": "tax"}, by="bob") == (403, "forbidden")
    assert await refused(desk, "POST", "/v1/contacts/con_1/consult", {"queue": "tax"}, by="viewer") == (
        403, "forbidden",
    )  # fmt: skip
    one = await asked(desk)
    assert await refused(desk, "POST", f"/v1/contacts/{one}/transfer", {"agent": "ann"}, by="bob") == (
        409, "is_consult",
    )  # fmt: skip


async def test_both_read_both_and_the_note_as_long_as_it_goes_on(desk: Site, world: MemoryWorld) -> None:
    assert await refused(desk, "GET", "/v1/contacts/con_1", by="bob") == (404, "not_found")
    one = await asked(desk, note="Ist die Huber absetzbar?")
    assert (await desk.get("/v1/contacts/con_1", by="bob"))["agent"] == "ann"
    assert (await desk.get(f"/v1/contacts/{one}", by="ann"))["agent"] == "bob"
    (note,) = (await desk.get(f"/v1/contacts/{one}/notes", by="bob"))["items"]
    assert (note["contact_id"], note["author"], note["text"]) == ("con_1", "agent:ann", "Ist die Huber absetzbar?")
    assert not any(b"Huber" in (record.value or b"") for place in world.records.values() for record in place)
    await desk.post(f"/v1/contacts/{one}/close", {"resolution": "explained"}, by="bob")
    assert await refused(desk, "GET", "/v1/contacts/con_1", by="bob") == (404, "not_found")
    assert (await desk.get(f"/v1/contacts/{one}", by="bob"))["resolution"] == "explained"


async def test_it_ends_with_its_contact(desk: Site, world: MemoryWorld) -> None:
    one = await asked(desk)
    await desk.post("/v1/contacts/con_1/close", {}, by="ann")
    consult = await desk.get(f"/v1/contacts/{one}")
    assert (consult["state"], consult["resolution"], consult["consult_of"]) == ("closed", "consult_ended", "con_1")
    assert (await desk.get("/v1/agents/bob"))["used_units"] == 0
    records = [record for place, some in world.records.items() if place[0] == ROUTING for record in some]
    assert [record.headers["ce_type"] for record in records].count("contact.consulted") == 1


async def test_who_asked_ends_it(desk: Site) -> None:
    one = await asked(desk)
    state = await desk.post(f"/v1/contacts/{one}/close", {}, by="ann")
    assert (state["state"], (await desk.get("/v1/contacts/con_1"))["consults"]) == ("closed", [])
