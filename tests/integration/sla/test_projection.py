"""The tables follow the log, and can be dropped and rebuilt from it."""

from __future__ import annotations

from typing import Any

from prometheus_client import REGISTRY

from libs.common.commands import Commands
from libs.common.postgres import Database
from services.sla import upkeep
from services.sla.api import put_calendar_command
from services.sla.calendars import DAY, Hours, compile_hours
from services.sla.projection import PARTS
from services.sla.projection import SlaProjection as Projection
from tests.integration.sla.site import Site
from tests.integration.sla.test_api import OFFICE, TARGET
from tests.unit.sla.driver import NINE, closed, opened, queued, response


async def dump(database: Database) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name in (*PARTS, "log_projections"):
        rows = await database.pool.fetch(f"SELECT * FROM {name} ORDER BY 1, 2, 3")
        found[name] = [tuple(row) for row in rows]
    return found


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"omniroute_{name}", labels) or 0.0


def figures() -> tuple[float, float]:
    met = counted("target_outcomes_total", metric="first_response", channel="x", outcome="met")
    return met, counted("public_exposure_reach_seconds_total")


async def a_day(site: Site) -> None:
    await site.put("/v1/calendars/office", OFFICE)
    await site.put("/v1/targets/first", TARGET | {"match": {}})
    await site.put("/v1/targets/solve", TARGET | {"metric": "resolution", "calendar": "office"})
    await site.put("/v1/targets/gone", TARGET)
    await site.send("DELETE", "/v1/targets/gone")
    await site.tell(opened("a"), queued("a", reach=1_000), response("a", at=5), opened("b"), queued("b"))
    await site.tell(closed("b", at=9), opened("c"), queued("c"), closed("a", at=30))
    await site.until("a", "clock.met")
    await site.until("b", "clock.cancelled")


async def test_dropped_and_rebuilt_it_is_the_same(site: Site, database: Database, projection: Projection) -> None:
    await a_day(site)
    before = await dump(database)
    assert len(before["sla_clocks"]) == 6
    await projection.rebuild()
    await projection.caught_up()
    assert await dump(database) == before


async def test_a_rebuild_counts_nothing_twice(site: Site, projection: Projection) -> None:
    met, exposure = figures()
    await a_day(site)
    assert figures() == (met + 1, exposure + 1_000 * 5 + 9)
    await projection.rebuild()
    await projection.caught_up()
    assert figures() == (met + 1, exposure + 1_000 * 5 + 9)


async def test_two_processes_project_as_one(site: Site, database: Database) -> None:
    from services.sla.__main__ import projecting

    async with projecting(site.port, database) as second:
        await a_day(site)
        await second.caught_up()
        before = await dump(database)
        assert len(before["sla_clocks"]) == 6
    async with projecting(site.port, database) as third:
        await third.caught_up()
    assert await dump(database) == before


async def test_a_calendar_that_got_short_is_compiled_again(site: Site, database: Database, commands: Commands) -> None:
    hours = Hours(*OFFICE.values())
    short = tuple(interval for interval in compile_hours(hours, NINE) if interval[0] < NINE + 100 * DAY)
    command = put_calendar_command("acme", "office", hours, short, command_id="short", actor="k", at=NINE)
    await commands.broadcast(lambda partition: command)
    assert await upkeep.compile_outdated(database, commands, NINE) == 1
    assert (await site.get("/v1/calendars/office"))["compiled_until"] > "2027-12"
    assert await upkeep.compile_outdated(database, commands, NINE) == 0


async def test_old_history_is_forgotten(site: Site, database: Database) -> None:
    await a_day(site)
    kept = await database.pool.fetchval("SELECT count(*) FROM sla_clocks WHERE ended_at IS NULL")
    await database.pool.execute(upkeep.FORGET, NINE + DAY, upkeep.FORGOTTEN_AT_ONCE_MAX)
    assert await database.pool.fetchval("SELECT count(*) FROM sla_clocks") == kept == 2
