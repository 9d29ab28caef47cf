"""Bounds on the expected wait over REST: how they are put, what is refused, and what follows from them."""

from typing import Any

import pytest

from tests.integration.router.site import Site
from tests.integration.router.test_expected_wait import HANDLING_SECONDS, worked

ANYBODY: dict[str, Any] = {"all": [], "any": [], "none": []}
STEP: dict[str, Any] = {"after_seconds": 900, "requirement": ANYBODY}
TOO_LONG = HANDLING_SECONDS + 50
"""More than the next one waits, less than who comes after."""


async def test_a_queue_is_read_as_it_was_put(site: Site) -> None:
    relax = [STEP | {"skip": "nobody_available", "wait_over_seconds": 300}]
    overflow = {"queue": "everyone", "after_seconds": None, "longer_than": None, "wait_over_seconds": 600}
    put = await site.put("/v1/queues/care", {"relax": relax, "overflow": overflow})
    assert put == await site.get("/v1/queues/care")
    assert (put["relax"], put["overflow"]) == (relax, overflow)


@pytest.mark.parametrize(("rule", "body", "pointer"), [
    ("a step that waits for its time", {"relax": [STEP | {"skip": "never", "wait_over_seconds": 60}]},
     "/relax/0/wait_over_seconds"),
    ("a step's bound of no time",      {"relax": [STEP | {"wait_over_seconds": 0}]},
     "/relax/0/wait_over_seconds"),
    ("a bound that is no number",      {"overflow": {"queue": "everyone", "wait_over_seconds": "long"}},
     "/overflow/wait_over_seconds"),
    ("a bound of more than a month",   {"overflow": {"queue": "everyone", "wait_over_seconds": 31 * 86_400 + 1}},
     "/overflow/wait_over_seconds"),
    ("a bound by another name",        {"relax": [STEP | {"wait_over": 60}]},               "/relax/0/wait_over"),
])  # fmt: skip
async def test_the_pointer_names_what_is_wrong(site: Site, rule: str, body: Any, pointer: str) -> None:
    response = await site.send("PUT", "/v1/queues/care", body)
    assert response.status_code == 422, rule
    assert response.json()["errors"][0]["pointer"] == pointer, rule


async def told(site: Site, kind: str) -> list[dict[str, Any]]:
    events = (await site.get("/v1/contacts/con_1/events"))["items"]
    return [one for one in events if one["type"] == kind]


async def test_who_would_wait_too_long_goes_on(site: Site) -> None:
    await site.put("/v1/queues/rest", {"order": 200, "match": {"channel": "sms"}})
    overflow = {"queue": "rest", "wait_over_seconds": TOO_LONG}
    await site.put("/v1/queues/everyone", {"overflow": overflow})
    await worked(site)
    await site.until("/v1/contacts/con_1", lambda contact: contact["queue"] == "rest")
    moved = await told(site, "contact.overflowed")
    assert [(one["from_queue"], one["queue"], one["reason"]) for one in moved] == [
        ("everyone", "rest", "expected_wait"),
    ]  # fmt: skip
    assert (await site.get("/v1/contacts/con_0"))["queue"] == "everyone"


async def test_a_step_begins_and_the_explanation_says_why(site: Site) -> None:
    await site.put("/v1/queues/everyone", {"relax": [STEP | {"wait_over_seconds": TOO_LONG}]})
    await worked(site)
    explained = await site.until("/v1/contacts/con_1/explanation", lambda one: one["relaxation"]["step"] == 1)
    assert explained["relaxation"]["why"] == f"was expected to wait more than {TOO_LONG} s at the step before"
    assert [one["reason"] for one in await told(site, "contact.relaxed")] == ["expected_wait"]
