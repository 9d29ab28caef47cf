"""What waits, in the order of the core."""

import random
from fractions import Fraction

import pytest
from msgspec.structs import asdict

from libs.common.events import SECOND
from libs.common.log import Record
from libs.common.postgres import Database
from services.router.core.queues import score_of
from services.router.mirror import write_entities
from services.router.reads import Reads
from tests.integration.router.records import AT, contact, state
from tests.integration.router.site import Site


async def waiting_in_order(site: Site, query: str = "") -> list[str]:
    page = await site.get(f"/v1/contacts?state=waiting&sort=urgency{query}")
    assert page["next_cursor"] is None
    return [contact["contact_id"] for contact in page["items"]]


async def test_the_most_urgent_come_first(site: Site) -> None:
    """Each has 900 s: two are late equally, one less, and of the others the raised one comes first."""
    start = site.clock.now()
    for number, later in enumerate((0, 0, 300, 600, 600), 1):
        site.clock.move_to(start + later * SECOND)
        await site.receive(f"con_{number}", channel="email" if number == 2 else "x")
    await site.post("/v1/contacts/con_5/priority", {"boost": 0.25})
    site.clock.move_to(start + 1_201 * SECOND)
    for query, found in (("", "12354"), ("&limit=4", "1235"), ("&limit=2", "12"), ("&channel=email", "2")):
        assert await waiting_in_order(site, query) == [f"con_{number}" for number in found], query
    positions = [(await site.get(f"/v1/contacts/{id_}"))["position"] for id_ in await waiting_in_order(site)]
    assert positions == [1, 2, 3, 4, 5]


async def test_the_order_of_urgency_is_exactly_the_cores(database: Database) -> None:
    draw = random.Random(7)
    waiting = [
        contact(f"con_{number}", waiting_since=AT - draw.randrange(3_000) * SECOND - draw.randrange(2),
                target_seconds=draw.choice([20, 60, 900, 901, 86_400]), boost=draw.choice([0, 100, 250]))
        for number in range(600)
    ]  # fmt: skip
    drafts = [state("contact", one) for one in waiting]
    async with database.transaction() as connection:
        await write_entities(connection, [Record(partition=0, position=0, **asdict(draft)) for draft in drafts])
    order = sorted(waiting, key=lambda one: (-Fraction(*score_of(one, AT)), one.id))
    for limit in (1, 200, 600):
        rows = await Reads(database).most_urgent("acme", {}, AT, limit)
        assert [row.id for row in rows] == [one.id for one in order[:limit]]
    assert await Reads(database).most_urgent("other", {}, AT, 10) == []


@pytest.mark.parametrize(("query", "pointer"), [
    ("sort=urgency",                              "/state"),
    ("sort=urgency&state=assigned",               "/state"),
    ("sort=urgency&state=waiting&cursor=WzEsMl0", "/cursor"),
    ("sort=age&state=waiting",                    "/sort"),
])  # fmt: skip
async def test_what_has_no_order_of_urgency(site: Site, query: str, pointer: str) -> None:
    response = await site.send("GET", f"/v1/contacts?{query}")
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)
