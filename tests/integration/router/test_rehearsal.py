"""`POST /v1/queues/test`: ingest reads the message, the router's view says where it would go."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from libs.common.auth import Keys
from libs.common.clock import VirtualClock
from libs.common.directory import RoutingView
from libs.common.http import build_app
from libs.common.log.port import Log
from libs.common.pools import Pools
from libs.common.postgres import Database
from libs.common.secrets import SecretBox
from services.ingest import api
from services.ingest.__main__ import running
from services.ingest.api_parts import Ingest
from services.router.routing_view import ProjectedView
from tests.integration.router.conftest import PARTITIONS
from tests.integration.router.site import Site
from tests.integration.router.test_expected_wait import HANDLING_SECONDS, later, worked

POST: dict[str, Any] = {
    "account": "brand", "channel": "x", "visibility": "public", "source_id": "1", "language": "it",
    "customer": {"identities": [{"channel": "x", "address": "@mario"}], "tier": "gold"},
    "text": "Ancora nessun pacco, e nessuno risponde!", "reach": {"followers": 2000},
    "attributes": {"order_value": 120, "card": "4111"},
}  # fmt: skip
Test = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def rehearse(site: Site, port: Log, database: Database, clock: VirtualClock) -> AsyncIterator[Test]:
    """Ask where the post would go, with these fields changed."""
    keys, pools = Keys(database, clock, b"k" * 32), Pools(database, PARTITIONS)
    bearer = await keys.put("acme", "platform", "admin")
    async with running(port, database, pools, SecretBox(b"k" * 32), clock) as ingest:
        parts = {Ingest: ingest, Keys: keys, RoutingView: ProjectedView(database, clock)}
        transport = httpx.ASGITransport(app=build_app("ingest", [api.router], parts))
        headers = {"authorization": f"Bearer {bearer}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest", headers=headers) as client:
            account = {"provider": "generic", "routable": ["order_value"]}
            put = await client.put("/v1/accounts/brand", json=account)
            assert put.status_code in (200, 201), put.text

            async def ask(**fields: Any) -> httpx.Response:
                return await client.post("/v1/queues/test", json=POST | fields)

            yield ask


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


async def test_each_queue_in_order_says_yes_or_what_fails(site: Site, rehearse: Test) -> None:
    await site.put("/v1/queues/mail", {"order": 1, "match": {"channel": "email"}})
    gold, card = leaf("tier", "eq", "gold"), leaf("attributes.card", "exists", True)
    await site.put("/v1/queues/cards", {"order": 2, "when": {"all": [gold, card]}})
    await site.put("/v1/queues/worth", {"order": 3, "when": leaf("attributes.order_value", "gte", 100)})
    said = (await rehearse()).json()
    assert (said["pool"], said["queue"], said["because"]) == ("main", "worth", "matched")
    assert said["queues"] == [
        {"queue": "mail", "order": 1, "matched": False, "failed": "/match/channel"},
        {"queue": "cards", "order": 2, "matched": False, "failed": "/when/all/1"},
        {"queue": "worth", "order": 3, "matched": True, "failed": None},
    ]
    assert (said["requirement"], said["target"], said["target_seconds"]) == ({"all": [{"skill": "public"}]}, None, 900)


async def test_nothing_is_stored(site: Site, rehearse: Test, database: Database) -> None:
    for _ in range(2):
        assert (await rehearse()).status_code == 200
    for table in ("ingest_contacts", "ingest_customers", "ingest_messages", "ingest_outbox"):
        assert await database.pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_a_queue_that_the_message_names_needs_no_rules(site: Site, rehearse: Test) -> None:
    await site.put("/v1/queues/mail", {"match": {"channel": "email"}})
    said = (await rehearse(queue="mail")).json()
    assert (said["queue"], said["because"], said["queues"]) == ("mail", "asked_for", [])


async def test_what_nothing_matches_is_everyones(site: Site, rehearse: Test) -> None:
    await site.put("/v1/queues/mail", {"match": {"channel": "email"}})
    said = (await rehearse()).json()
    assert (said["queue"], said["because"]) == ("everyone", "no_match")


async def test_it_goes_on_from_a_full_or_closed_queue(site: Site, rehearse: Test) -> None:
    await site.put("/v1/queues/rest", {"match": {"channel": "none"}, "hours": "Jan 01 10:00-11:00", "closed": "refuse"})
    await site.put("/v1/queues/care", {"order": 1, "max_length": 1, "overflow": {"queue": "rest"}})
    assert (await rehearse()).json()["overflows"] == []
    await site.receive("con_1")
    said = (await rehearse()).json()
    assert said["overflows"] == [{"queue": "rest", "reason": "full"}]
    assert (said["queue"], said["refused"]) == ("rest", "queue_closed")
    assert said["opens_at"].startswith("2027-01-01T10:00:00")


async def test_it_goes_on_where_it_would_wait_too_long(site: Site, rehearse: Test) -> None:
    await site.put("/v1/queues/rest", {"match": {"channel": "none"}})
    bound = {"queue": "rest", "wait_over_seconds": 3 * HANDLING_SECONDS + 50}
    await site.put("/v1/queues/everyone", {"overflow": bound})
    await worked(site)
    plain = {"reach": {}, "customer": {"identities": [{"channel": "x", "address": "@mario"}]}}
    assert (await rehearse(**plain)).json()["overflows"] == [], "behind two"
    await site.receive("con_2")
    later(site, 1)
    said = (await rehearse(**plain)).json()
    assert said["overflows"] == [{"queue": "rest", "reason": "expected_wait"}], "behind three"
    assert said["queue"] == "rest"


async def test_what_is_wrong_with_the_message_is_named(rehearse: Test) -> None:
    answers = [(await rehearse(medium="fax")).json(), (await rehearse(account="nobody")).json()]
    assert [one["errors"][0]["pointer"] for one in answers] == ["/medium", "/account"]
