"""Queues over REST: rules, hours, overflow, deletion, and how they came to be as they are."""

from typing import Any

import pytest

from libs.common.calendars import DAY
from libs.common.clock import VirtualClock
from libs.common.commands import open_commands
from libs.common.events.values import Requirement, SkillNeed
from libs.common.log.port import Log
from libs.common.pools import Pools
from libs.common.postgres import Database
from services.router.__main__ import Running
from services.router.routing_view import ProjectedView
from services.router.upkeep import compile_outdated
from tests.integration.router.conftest import PARTITIONS
from tests.integration.router.site import Site

WIDE, VIP = {"field": "reach", "op": "gte", "value": 1000}, {"field": "attributes.vip", "op": "eq", "value": True}
CARE: dict[str, Any] = {
    "order": 10, "when": {"all": [WIDE, {"not": VIP}]},
    "hours": "Mo-Su 08:00-22:00; PH off", "timezone": "Europe/Rome", "country": "IT", "subdivision": None,
    "closed": "overflow",
    "overflow": {"queue": "everyone", "after_seconds": 900, "longer_than": 100, "wait_over_seconds": None},
    "max_length": 200,
}  # fmt: skip


async def test_a_queue_is_read_as_it_was_put(site: Site) -> None:
    put = await site.put("/v1/queues/care", CARE)
    assert put == await site.get("/v1/queues/care")
    assert {**put, **CARE} == put
    assert put["hours_known_until"] > "2027-11"


async def test_a_queue_without_them_says_so(site: Site) -> None:
    put = await site.put("/v1/queues/care", {})
    fields = ("when", "hours", "timezone", "country", "subdivision", "overflow", "max_length", "hours_known_until")
    assert {field: put[field] for field in fields} == dict.fromkeys(fields)
    assert put["closed"] == "wait"


@pytest.mark.parametrize(("rule", "body", "pointer"), [
    ("an unknown field of a contact", {"when": {"any": [WIDE | {"field": "mood"}]}},           "/when/any/0/field"),
    ("a value of another type",       {"when": {"field": "reach", "op": "gt", "value": "many"}},      "/when/value"),
    ("an unknown op",                 {"when": {"field": "reach", "op": "like", "value": 1}},         "/when/op"),
    ("an unknown field of a rule",    {"when": {"not": {"field": "reach", "is": 1}}},                 "/when/not/is"),
    ("free text",                     {"when": {"field": "account", "op": "eq", "value": "me @ 5"}},   "/when/value"),
    ("hours that are none",           {"hours": "nine to five"},                                      "/hours"),
    ("a policy that isn't one",       {"closed": "hide"},                                             "/closed"),
    ("an unknown goal",               {"overflow": {"queue": "nowhere", "after_seconds": 60}},   "/overflow/queue"),
    ("an unknown field of overflow",  {"overflow": {"queue": "everyone", "after": 60}},          "/overflow/after"),
    ("no room",                       {"max_length": 0},                                              "/max_length"),
])  # fmt: skip
async def test_the_pointer_names_what_is_wrong(site: Site, rule: str, body: Any, pointer: str) -> None:
    response = await site.send("PUT", "/v1/queues/care", body)
    assert response.status_code == 422, rule
    assert response.json()["errors"][0]["pointer"] == pointer, rule


async def test_a_rule_too_deep_is_refused(site: Site) -> None:
    rule: dict[str, Any] = {"field": "reach", "op": "gt", "value": 1}
    for _ in range(8):
        rule = {"not": rule}
    response = await site.send("PUT", "/v1/queues/care", {"when": rule})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/when")


async def test_another_pools_queue_is_no_goal(site: Site) -> None:
    await site.put("/v1/pools/sales", {})
    await site.put("/v1/queues/leads", {"pool": "sales"})
    response = await site.send("PUT", "/v1/queues/care", {"overflow": {"queue": "leads", "after_seconds": 60}})
    assert response.json()["code"] == "another_pool"


async def test_a_full_queue_says_so_and_keeps_the_contact(
    site: Site, database: Database, clock: VirtualClock
) -> None:
    await site.put("/v1/queues/care", {"order": 1, "requirement": {"all": [{"skill": "care"}]}, "max_length": 1})
    await site.put("/v1/agents/ann", {"skills": {"care": 1}})
    await site.receive("con_1")
    await site.receive("con_2")
    refused = await site.until("/v1/contacts/con_2", lambda contact: contact["unroutable"])
    assert (refused["unroutable_reason"], refused["state"]) == ("queue_full", "waiting")
    placed = await ProjectedView(database, clock).placed("acme", "con_2")
    assert placed is not None
    assert placed.unroutable == "queue_full"


async def test_a_closed_queue_says_so_and_when_it_opens(site: Site) -> None:
    await site.put("/v1/queues/care", {"order": 1, "hours": "Jan 01 10:00-11:00", "closed": "refuse"})
    await site.agent("ann")
    await site.receive("con_1")
    refused = await site.until("/v1/contacts/con_1", lambda contact: contact["unroutable"])
    assert (refused["unroutable_reason"], refused["opens_at"]) == ("queue_closed", "2027-01-01T10:00:00Z")
    explained = await site.get("/v1/contacts/con_1/explanation")
    assert explained["candidates"] == [{"agent": "ann", "chosen": False, "why": "queue care is closed"}]


async def test_overflow_shows_in_the_events_and_the_explanation(site: Site) -> None:
    await site.put("/v1/queues/rest", {})
    await site.put("/v1/queues/care", {"order": 1, "overflow": {"queue": "rest", "longer_than": 1}})
    await site.put("/v1/queues/care", {"order": 2, "overflow": {"queue": "rest", "longer_than": 1}})
    await site.receive("con_1")
    await site.receive("con_2")
    await site.until("/v1/contacts/con_2", lambda contact: contact["queue"] == "rest")
    events = (await site.get("/v1/contacts/con_2/events"))["items"]
    moved = next(one for one in events if one["type"] == "contact.overflowed")
    assert (moved["from_queue"], moved["queue"], moved["reason"]) == ("care", "rest", "length")
    pinned = [(await site.get(f"/v1/contacts/con_{n}/explanation"))["pinned"] for n in (1, 2)]
    assert [one["queue_version"] for one in pinned] == [2, 1]
    assert [one["target_version"] for one in pinned] == [0, 0]


async def test_preferred_queues_are_kept(site: Site) -> None:
    put = await site.put("/v1/agents/ann", {"preferred_queues": ["care", "rest"]})
    assert put["preferred_queues"] == ["care", "rest"]
    response = await site.send("PUT", "/v1/agents/ann", {"preferred_queues": [f"q{n}" for n in range(21)]})
    assert response.json()["errors"][0]["pointer"] == "/preferred_queues"


# -- deletion ---------------------------------------------------------------------------------------------------


async def in_use(site: Site) -> None:
    await site.put("/v1/queues/rest", {})
    await site.put("/v1/queues/care", {"order": 1})
    await site.put("/v1/queues/press", {"order": 0, "match": {"channel": "sms"},
                                        "overflow": {"queue": "care", "after_seconds": 60}})  # fmt: skip
    await site.receive("con_1")


async def test_a_queue_in_use_stays_and_says_by_what(site: Site) -> None:
    await in_use(site)
    refused = await site.send("DELETE", "/v1/queues/care")
    assert (refused.status_code, refused.json()["code"]) == (409, "queue_in_use")
    assert refused.json()["state"] == {"queue_id": "care", "contacts": {"waiting": 1}, "overflow_of": ["press"]}
    assert (await site.get("/v1/queues/care"))["version"] == 1


async def test_a_queue_in_use_can_be_migrated(site: Site) -> None:
    await in_use(site)
    assert (await site.send("DELETE", "/v1/queues/care?migrate_to=rest")).status_code == 204
    assert (await site.get("/v1/contacts/con_1"))["queue"] == "rest"
    assert (await site.get("/v1/queues/press"))["overflow"]["queue"] == "rest"
    assert (await site.send("GET", "/v1/queues/care")).status_code == 404


async def test_it_migrates_to_a_queue_that_is_there(site: Site) -> None:
    await in_use(site)
    refused = await site.send("DELETE", "/v1/queues/care?migrate_to=nowhere")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/migrate_to")


# -- versions ---------------------------------------------------------------------------------------------------


async def test_who_changed_a_queue_and_when(site: Site) -> None:
    await site.put("/v1/queues/care", CARE | {"name": "Social care"})
    first = site.clock.now()
    site.clock.move_to(first + 60_000_000)
    await site.put("/v1/queues/care", {"order": 3})
    await site.send("DELETE", "/v1/queues/care")
    items = (await site.get("/v1/queues/care/versions"))["items"]
    assert [(one["version"], one["actor"], one["deleted"]) for one in items] == [
        (3, "key-admin", True), (2, "key-admin", False), (1, "key-admin", False),
    ]  # fmt: skip
    assert items[1]["at"] > items[2]["at"]
    assert (items[1]["configuration"]["order"], items[2]["configuration"]["order"]) == (3, 10)
    assert items[2]["configuration"]["hours"]["hours"] == CARE["hours"]
    assert "open" not in items[2]["configuration"]["hours"]
    assert items[0]["configuration"] == {}


async def test_agents_and_weights_have_versions_too(site: Site) -> None:
    await site.put("/v1/agents/ann", {"skills": {"care": 1}, "name": "Ann"})
    await site.put("/v1/agents/ann", {"skills": {"care": 2}})
    await site.put("/v1/pools/main/policy", {"weights": {"reach": 0.2}})
    agents = (await site.get("/v1/agents/ann/versions"))["items"]
    assert [one["configuration"]["skills"] for one in agents] == [{"care": 2}, {"care": 1}]
    (policy,) = (await site.get("/v1/pools/main/policy/versions"))["items"]
    assert policy["configuration"]["weights"]["reach"] == 200


async def test_versions_come_in_pages_and_not_from_another_workspace(site: Site) -> None:
    for order in (1, 2, 3):
        await site.put("/v1/queues/care", {"order": order})
    page = await site.get("/v1/queues/care/versions?limit=2")
    rest = await site.get(f"/v1/queues/care/versions?limit=2&cursor={page['next_cursor']}")
    assert [one["version"] for one in (*page["items"], *rest["items"])] == [3, 2, 1]
    assert (await site.send("GET", "/v1/queues/care/versions", by="other-admin")).status_code == 404
    assert (await site.send("GET", "/v1/queues/nowhere/versions")).status_code == 404


async def test_versions_are_there_again_after_a_rebuild(site: Site, router: Running) -> None:
    await site.put("/v1/queues/care", {})
    before = await site.get("/v1/queues/care/versions")
    await router.projection.rebuild()
    assert await site.get("/v1/queues/care/versions") == before


# -- skills -----------------------------------------------------------------------------------------------------


async def test_where_each_skill_is_used(site: Site) -> None:
    for agent, skills in (("ann", {"billing": 3, "public": 1}), ("bob", {"billing": 1})):
        await site.put(f"/v1/agents/{agent}", {"skills": skills})
    relax = [{"after_seconds": 60, "requirement": {"any": [{"skill": "vip"}]}}]
    await site.put("/v1/queues/care", {"order": 1, "requirement": {"all": [{"skill": "billing"}]}, "relax": relax})
    await site.receive("con_1", requirement=Requirement(all=(SkillNeed(skill="lang:it"),)))
    await site.put("/v1/queues/care", {"order": 1, "requirement": {"none": [{"skill": "trainee"}]}})
    items = (await site.get("/v1/skills"))["items"]
    assert {one["skill"]: (one["agents"], one["queues"], one["contacts"]) for one in items} == {
        "billing": (2, [], 1), "lang:it": (0, [], 1), "public": (1, [], 0), "trainee": (0, ["care"], 0),
        "vip": (0, [], 1),
    }  # fmt: skip
    page = await site.get("/v1/skills?limit=2")
    rest = await site.get(f"/v1/skills?limit=9&cursor={page['next_cursor']}")
    assert [one["skill"] for one in (*page["items"], *rest["items"])] == [one["skill"] for one in items]
    assert (await site.get("/v1/skills", by="other-admin"))["items"] == []


async def test_a_skill_in_use_is_replaced(site: Site) -> None:
    await site.put("/v1/agents/ann", {"skills": {"billing": 3}})
    await site.put("/v1/queues/care", {"requirement": {"all": [{"skill": "billing", "level": 2}]}})
    refused = await site.send("DELETE", "/v1/skills/billing")
    assert (refused.status_code, refused.json()["code"]) == (409, "skill_in_use")
    assert refused.json()["state"] == {"skill": "billing", "agents": 1, "queues": ["care"], "contacts": 0}
    replaced = await site.send("DELETE", "/v1/skills/billing?replace_by=invoices")
    assert replaced.json() == {
        "skill": "billing", "replaced_by": "invoices", "agents": 1, "queues": ["care"], "contacts": 0,
    }  # fmt: skip
    assert (await site.get("/v1/agents/ann"))["skills"] == {"invoices": 3}
    assert (await site.get("/v1/queues/care"))["requirement"]["all"] == [{"skill": "invoices", "level": 2}]
    assert (await site.send("DELETE", "/v1/skills/billing")).status_code == 404


# -- hours ------------------------------------------------------------------------------------------------------


async def test_hours_are_compiled_again_before_they_end(
    site: Site, port: Log, database: Database, clock: VirtualClock, router: Running
) -> None:
    await site.put("/v1/queues/care", {"hours": "Mo-Su 08:00-22:00"})
    known = (await site.get("/v1/queues/care"))["hours_known_until"]
    pools = Pools(database, PARTITIONS)
    async with open_commands(port, pools, database, clock, {"router": router.projection}) as commands:
        assert await compile_outdated(database, commands, clock.now())
        assert (await site.get("/v1/queues/care"))["version"] == 1, "nothing to do"
        clock.move_to(clock.now() + 40 * DAY)
        assert await compile_outdated(database, commands, clock.now())
    care = await site.get("/v1/queues/care")
    assert (care["version"], care["hours_known_until"] > known) == (2, True)
    assert [one["actor"] for one in (await site.get("/v1/queues/care/versions"))["items"]] == ["router", "key-admin"]
