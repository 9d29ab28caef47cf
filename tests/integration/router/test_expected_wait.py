"""The expected wait as callers see it: of a contact, of a queue, of every channel, and as Prometheus does."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from libs.common.events import SECOND
from libs.common.postgres import Database
from services.router.__main__ import Running
from services.router.routing_view import ProjectedView
from tests.integration.router.site import Site

ACCEPTING_SECONDS = 10
HANDLING_SECONDS = 100
FINISHED = 6


async def offer_of(site: Site, contact_id: str) -> str:
    shown = await site.until(f"/v1/contacts/{contact_id}", lambda contact: contact["offers"])
    return str(shown["offers"][0]["offer_id"])


def later(site: Site, seconds: int) -> None:
    site.clock.move_to(site.clock.now() + seconds * SECOND)


async def worked(site: Site, finished: int = FINISHED) -> None:
    """Ann has finished so many, and has one more."""
    await site.put("/v1/agents/ann", {"skills": {"public": 3}, "capacity": {"units": 20}})
    await site.key("acme", "agent", "ann")
    await site.put("/v1/agents/ann/presence", {"status": "available", "lease_seconds": 86_400})
    for number in range(finished):
        await site.receive(f"con_old{number}")
        offer = await offer_of(site, f"con_old{number}")
        later(site, ACCEPTING_SECONDS)
        await site.post(f"/v1/offers/{offer}/accept", by="ann")
        later(site, HANDLING_SECONDS)
        await site.post(f"/v1/contacts/con_old{number}/close", by="ann")
    await site.receive("con_now")
    await site.post(f"/v1/offers/{await offer_of(site, 'con_now')}/accept", by="ann")
    await site.receive("con_0")
    later(site, 1)
    await site.receive("con_1")
    later(site, 6)


def about(seconds: float) -> Any:
    """One piece of work takes the mean of what was finished and the moment that the last has been held."""
    return pytest.approx(seconds, rel=0.2)


async def test_a_waiting_contact_says_how_long(site: Site) -> None:
    await worked(site)
    first, second = await site.get("/v1/contacts/con_0"), await site.get("/v1/contacts/con_1")
    assert (first["position"], second["position"]) == (1, 2)
    assert first["expected_wait_seconds"] == about(ACCEPTING_SECONDS + HANDLING_SECONDS)
    assert second["expected_wait_seconds"] == about(ACCEPTING_SECONDS + 2 * HANDLING_SECONDS)
    low, high = second["expected_wait_interval"]
    assert low < second["expected_wait_seconds"] < high
    assert second["expected_wait_unknown"] is None


async def test_who_has_an_agent_waits_no_longer(site: Site) -> None:
    await worked(site)
    shown = await site.get("/v1/contacts/con_now")
    names = ("position", "expected_wait_seconds", "expected_wait_interval", "expected_wait_unknown")
    assert [shown[name] for name in names] == [None] * 4


@pytest.mark.parametrize(("rule", "finished", "status", "reason"), [
    ("nobody is there",         FINISHED, "away",      "nobody_available"),
    ("too little was finished", 2,        "available", "too_few_seen"),
])  # fmt: skip
async def test_it_says_why_it_does_not_know(site: Site, rule: str, finished: int, status: str, reason: str) -> None:
    await worked(site, finished)
    await site.put("/v1/agents/ann/presence", {"status": status, "lease_seconds": 86_400})
    later(site, 6)
    shown = await site.get("/v1/contacts/con_1")
    found = shown["expected_wait_seconds"], shown["expected_wait_interval"], shown["expected_wait_unknown"]
    assert found == (None, None, reason), rule


async def test_who_cannot_be_served_is_told_so(site: Site) -> None:
    await site.receive("con_1")
    assert (await site.get("/v1/contacts/con_1"))["expected_wait_unknown"] == "unroutable"


async def third(site: Site) -> dict[str, Any]:
    """Who comes after con_0 and con_1."""
    later(site, 1)
    await site.receive("con_2")
    later(site, 6)
    return await site.get("/v1/contacts/con_2")


async def test_who_came_to_a_full_queue_keeps_its_place(site: Site) -> None:
    await site.put("/v1/queues/everyone", {"max_length": 1})
    await worked(site)
    shown = await third(site)
    assert (await site.get("/v1/contacts/con_1"))["unroutable_reason"] == shown["unroutable_reason"] == "queue_full"
    assert shown["expected_wait_seconds"] == about(ACCEPTING_SECONDS + 3 * HANDLING_SECONDS)


async def test_who_waits_for_an_opening_is_in_nobodys_way(site: Site) -> None:
    await site.put("/v1/queues/night", {"match": {"channel": "letter"}, "hours": "Jan 01 10:00-11:00"})
    await worked(site)
    await site.receive("con_night", queue="night")
    assert (await third(site))["expected_wait_seconds"] == about(ACCEPTING_SECONDS + 3 * HANDLING_SECONDS)


async def test_a_queue_says_how_long_the_next_would_wait(site: Site, router: Running) -> None:
    await site.put("/v1/queues/everyone", {})
    await site.put("/v1/queues/quiet", {"order": 9, "match": {"channel": "letter"}})
    await worked(site)
    figures = await site.get("/v1/queues/everyone/stats")
    assert figures["expected_wait_seconds"] == about(ACCEPTING_SECONDS + 3 * HANDLING_SECONDS), "behind the two"
    assert (await site.get("/v1/queues/quiet/stats"))["expected_wait_unknown"] == "too_few_seen"
    await router.shell.stats.draw_gauges()
    gauge = REGISTRY.get_sample_value("omniroute_expected_wait_seconds", {"queue": "everyone"})
    assert gauge == about(ACCEPTING_SECONDS + 3 * HANDLING_SECONDS)
    assert REGISTRY.get_sample_value("omniroute_expected_wait_seconds", {"queue": "quiet"}) is None


async def test_the_soonest_way_comes_first(site: Site, database: Database) -> None:
    await worked(site)
    await site.receive("con_mail", channel="email", visibility="private")
    await site.receive("con_letter", channel="letter", visibility="private", queue="nowhere")
    view = ProjectedView(database, site.clock)
    ways = await view.channels("acme")
    assert [(one.channel, one.queue) for one in ways] == [(name, "everyone") for name in ("x", "email", "letter")]
    waits = [one.wait.expected_wait_seconds for one in ways]
    assert waits == sorted(waits, key=lambda one: one or 0)
    assert None not in waits
    assert await view.channels("other") == []


async def test_where_work_is_passed_on_to_is_no_way_in(site: Site, database: Database) -> None:
    await site.put("/v1/queues/tax", {"match": {"channel": "none"}})
    await worked(site)
    for _ in range(FINISHED + 4):
        await site.post("/v1/contacts/con_1/transfer", {"queue": "tax"})
    (way,) = await ProjectedView(database, site.clock).channels("acme")
    assert (way.channel, way.queue) == ("x", "everyone")


async def test_whoever_waits_for_the_router_gets_it_too(site: Site, database: Database) -> None:
    await worked(site)
    placed = await ProjectedView(database, site.clock).placed("acme", "con_1")
    assert placed is not None
    assert placed.wait is not None
    assert (placed.position, placed.wait.expected_wait_seconds) == (2, about(ACCEPTING_SECONDS + 2 * HANDLING_SECONDS))
