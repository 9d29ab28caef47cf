"""Promises by REST: configured strictly, read fresh, kept apart by workspace."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.sla.site import Site
from tests.unit.sla.driver import closed, opened, queued, response

TARGET = {
    "match": {"visibility": "public"},
    "metric": "first_response",
    "seconds": 900,
    "goal": 0.9,
    "calendar": "always",
    "warn_at": [0.5, 0.8],
    "escalate": [{"at": 0.8, "do": "raise_priority"}, {"at": 1.0, "do": "notify", "to": "supervisors"}],
}
OFFICE = {"hours": "Mo-Fr 09:00-18:00; PH off", "timezone": "Europe/Rome", "country": "IT"}


def with_step(**step: Any) -> dict[str, Any]:
    return TARGET | {"escalate": [{"at": 1.0, "do": "notify"} | step]}


async def test_a_target_is_created_read_replaced_and_deleted(site: Site) -> None:
    created = await site.send("PUT", "/v1/targets/public-first", TARGET)
    assert (created.status_code, created.json()["version"]) == (201, 1)
    assert await site.get("/v1/targets/public-first") == created.json()
    replaced = await site.send("PUT", "/v1/targets/public-first", TARGET | {"seconds": 600})
    assert (replaced.status_code, replaced.json()["seconds"], replaced.json()["version"]) == (200, 600, 2)
    assert [item["target_id"] for item in (await site.get("/v1/targets"))["items"]] == ["public-first"]
    assert (await site.send("DELETE", "/v1/targets/public-first")).status_code == 204
    assert (await site.send("GET", "/v1/targets/public-first")).status_code == 404
    assert (await site.send("DELETE", "/v1/targets/public-first")).status_code == 404


@pytest.mark.parametrize(
    ("rule", "body", "code", "pointer"),
    [
        ("warnings before the end", TARGET | {"warn_at": [1.0]}, "invalid", "/warn_at/0"),
        ("ascending warnings", TARGET | {"warn_at": [0.8, 0.5]}, "invalid", "/warn_at"),
        ("each once", TARGET | {"warn_at": [0.5, 0.5]}, "invalid", "/warn_at"),
        ("ascending steps", TARGET | {"escalate": [with_step()["escalate"][0], {"at": 0.5, "do": "notify"}]}, "invalid",
         "/escalate"),
        ("three decimals", with_step(at=0.33333), "invalid", "/escalate"),
        ("ten steps", TARGET | {"escalate": [{"at": 1.0, "do": "notify"}] * 11}, "invalid", "/escalate"),
        ("a second at least", TARGET | {"seconds": 0}, "invalid", "/seconds"),
        ("a month at most", TARGET | {"seconds": 31 * 86_400 + 1}, "invalid", "/seconds"),
        ("no bool for a number", TARGET | {"seconds": True}, "invalid", "/seconds"),
        ("no unknown field", TARGET | {"second": 9}, "invalid", "/second"),
        ("a known visibility", TARGET | {"match": {"visibility": "secret"}}, "invalid", "/match/visibility"),
        ("a label is a tag", with_step(to="Ann Example"), "invalid", "/escalate/0/to"),
        ("no next_response yet", TARGET | {"metric": "next_response"}, "not_supported", "/metric"),
        ("a step that there is", with_step(do="retire"), "invalid", "/escalate/0/do"),
        ("a calendar that is there", TARGET | {"calendar": "nowhere"}, "unknown_calendar", None),
    ],
)  # fmt: skip
async def test_refused_targets(site: Site, rule: str, body: Any, code: str, pointer: str | None) -> None:
    refused = await site.send("PUT", "/v1/targets/t", body)
    assert (refused.status_code, refused.json()["code"]) == (422, code), rule
    assert [error["pointer"] for error in refused.json()["errors"]] == ([pointer] if pointer else []), rule
    assert (await site.get("/v1/targets"))["items"] == []


async def test_a_calendar_is_compiled_used_and_kept_while_in_use(site: Site) -> None:
    office = await site.put("/v1/calendars/office", OFFICE)
    assert (office["hours"], office["open_now"]) == (OFFICE["hours"], True)
    assert office["next_change_at"] == "2026-11-23T17:00:00Z"
    await site.put("/v1/targets/t", TARGET | {"calendar": "office"})
    in_use = await site.send("DELETE", "/v1/calendars/office")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "in_use")
    await site.send("DELETE", "/v1/targets/t")
    assert (await site.send("DELETE", "/v1/calendars/office")).status_code == 204
    assert (await site.get("/v1/calendars"))["items"] == []


async def test_always_is_built_in(site: Site) -> None:
    assert (await site.get("/v1/calendars/always"))["open_now"] is True
    for method, body in (("PUT", OFFICE), ("DELETE", None)):
        refused = await site.send(method, "/v1/calendars/always", body)
        assert (refused.status_code, refused.json()["code"]) == (409, "built_in")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (OFFICE | {"hours": "24/24"}, "invalid", "/hours"),
        (OFFICE | {"hours": 'Mo 09:00-10:00 "ask Mario"'}, "not_supported", "/hours"),
        (OFFICE | {"timezone": "Mars/Base"}, "invalid", "/timezone"),
        (OFFICE | {"country": "it"}, "invalid", "/country"),
    ],
)
async def test_refused_calendars(site: Site, body: Any, code: str, pointer: str) -> None:
    refused = await site.send("PUT", "/v1/calendars/office", body)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert "Mario" not in refused.text


@pytest.mark.parametrize(
    ("method", "path", "by", "status"),
    [
        ("PUT", "/v1/targets/t", "acme/supervisor", 403),
        ("DELETE", "/v1/targets/t", "acme/viewer", 403),
        ("PUT", "/v1/calendars/c", "acme/integration", 403),
        ("GET", "/v1/targets", "acme/viewer", 200),
        ("GET", "/v1/contacts/c1/clocks", "acme/agent", 200),
        ("GET", "/v1/breaches", "acme/supervisor", 200),
        ("GET", "/v1/targets/t", "other/admin", 404),
    ],
)
async def test_who_may(site: Site, method: str, path: str, by: str, status: int) -> None:
    await site.put("/v1/targets/t", TARGET)
    body = TARGET if "targets" in path else OFFICE
    assert (await site.send(method, path, body if method == "PUT" else None, by)).status_code == status


async def test_the_clocks_of_a_contact_have_the_contracts_shape(site: Site) -> None:
    await site.put("/v1/targets/public-first", TARGET)
    await site.tell(opened(), queued())
    await site.until("c1", "clock.started")
    clocks = await site.get("/v1/contacts/c1/clocks")
    assert clocks["next_cursor"] is None
    (clock,) = clocks["items"]
    assert clock["target"] == "public-first"
    assert (clock["metric"], clock["state"], clock["remaining_seconds"]) == ("first_response", "running", 900)
    assert (clock["started_at"], clock["due_at"]) == ("2026-11-23T09:00:00Z", "2026-11-23T09:15:00Z")
    assert clock["steps"][1] == {"at": 1.0, "do": "notify", "to": "supervisors", "raised_at": None, "late": False}
    assert await site.get("/v1/contacts/c1.consult.7/clocks") == clocks, "a consult shows what its customer is owed"
    assert (await site.get("/v1/contacts/c1/clocks", by="other/admin"))["items"] == []


async def test_a_breach_is_listed_and_counts_in_the_attainment(site: Site) -> None:
    await site.put("/v1/targets/t", TARGET | {"match": {}, "seconds": 10})
    await site.advance(5)
    await site.tell(opened("late"), queued("late", channel="x"), opened("fast"), queued("fast", channel="email"))
    await site.tell(response("fast", at=5), closed("late", at=9))
    await site.until("late", "clock.cancelled")
    (breach,) = (await site.get("/v1/breaches"))["items"]
    assert (breach["contact_id"], breach["reason"], breach["open"]) == ("late", "closed_unanswered", False)
    attainment = await site.get("/v1/attainment?by=channel&window_seconds=3600")
    assert [(item["channel"], item["attainment"]) for item in attainment["items"]] == [("email", 1.0), ("x", 0.0)]
    assert (attainment["parity_gap"], attainment["attainment"]) == (1.0, 0.5)
    assert attainment["items"][0]["wait_over_target"] == 0.5
    assert (await site.get("/v1/breaches?channel=email"))["items"] == []
    assert (await site.get("/v1/attainment?by=visibility", by="other/admin"))["items"] == []


async def test_breaches_come_in_pages_newest_first(site: Site) -> None:
    await site.put("/v1/targets/t", TARGET | {"match": {}})
    names = [f"c{number}" for number in range(5)]
    await site.tell(*(event for name in names for event in (queued(name), closed(name))))
    await site.until("c4", "clock.cancelled")
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await site.get(f"/v1/breaches?limit=2{cursor and '&cursor=' + cursor}")
        seen += [item["contact_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == names
