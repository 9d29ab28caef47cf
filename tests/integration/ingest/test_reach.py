"""Reports of who can see a contact, answers that take it to a private conversation, and ways to a human."""

from typing import Any

import pytest

from libs.common.events.contacts import ReachChanged, ResponseObserved
from libs.common.events.values import Reach
from tests.integration.ingest.house import House, body


async def received(house: House, **more: Any) -> str:
    await house.put_account()
    return str((await house.post(body("1", **more))).json()["contact_id"])


async def test_a_report_of_reach_is_a_fact(house: House) -> None:
    contact_id = await received(house, reach={"views": 100, "shares": 3})
    answer = await house.call("POST", f"/v1/contacts/{contact_id}/reach", json={"views": 90, "shares": 40})
    assert (answer.status_code, answer.json()) == (
        200, {"contact_id": contact_id, "followers": 0, "views": 100, "reactions": 0, "shares": 40},
    )  # fmt: skip
    fact = (await house.settled(facts=2))[-1]
    assert isinstance(fact.event, ReachChanged)
    assert (fact.event.reach, fact.sequence) == (Reach(views=100, shares=40), 2)


async def test_that_it_stands_still_is_told_too(house: House) -> None:
    contact_id = await received(house, reach={"shares": 3})
    for _ in range(2):
        await house.call("POST", f"/v1/contacts/{contact_id}/reach", json={"shares": 3})
    assert [one.event.type for one in await house.settled(facts=3)][1:] == ["contact.reach_changed"] * 2


@pytest.mark.parametrize(("rule", "contact", "sent", "whose", "status"), [
    ("signals aren't negative",    None,      {"views": -1},       "default",             422),
    ("unknown fields",             None,      {"likes": 1},        "default",             422),
    ("an unknown contact",         "con_x",   {"views": 1},        "default",             404),
    ("another workspace's",        None,      {"views": 1},        "other",               404),
    ("who only looks reports none", None,     {"views": 1},        "default.viewer",      403),
])  # fmt: skip
async def test_reports_that_are_refused(
    house: House, rule: str, contact: str | None, sent: dict[str, Any], whose: str, status: int
) -> None:
    contact_id = contact or await received(house)
    assert (await house.call("POST", f"/v1/contacts/{contact_id}/reach", whose, json=sent)).status_code == status, rule


async def test_an_answer_may_say_that_it_goes_on_in_private(house: House) -> None:
    contact_id = await received(house)
    path = f"/v1/contacts/{contact_id}/responses"
    assert (await house.call("POST", path, json={"moved_to_private": True})).status_code == 201
    fact = (await house.settled(facts=2))[-1].event
    assert isinstance(fact, ResponseObserved)
    assert (fact.visibility, fact.moved_to_private) == ("public", True)


async def test_an_automatic_reply_moves_nothing(house: House) -> None:
    contact_id = await received(house)
    answer = await house.call(
        "POST", f"/v1/contacts/{contact_id}/responses", json={"moved_to_private": True, "automatic": True}
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/moved_to_private")


async def test_ways_to_a_human_are_for_those_who_read(house: House) -> None:
    """Without a router nobody knows any; what it answers is tried beside it."""
    for whose, status in (("default.viewer", 200), ("default.integration", 200), ("default.agent", 403)):
        assert (await house.call("GET", "/v1/channels", whose)).status_code == status, whose
    assert (await house.call("GET", "/v1/channels")).json() == {"items": [], "next_cursor": None}
