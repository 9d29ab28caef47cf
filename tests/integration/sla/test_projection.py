"""The tables follow the log, and can be dropped and rebuilt from it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from libs.common.calendars import DAY, Hours, compile_hours
from libs.common.commands import Commands
from libs.common.errors import Problem
from libs.common.events import SECOND, SLA_STATE
from libs.common.log import Record
from libs.common.postgres import Database
from services.sla import upkeep
from services.sla.api import put_calendar_command
from services.sla.core.state import Contact
from services.sla.projection import PARTS, SlaMirror
from services.sla.projection import SlaProjection as Projection
from tests.integration.sla.site import Site
from tests.integration.sla.test_api import OFFICE, TARGET
from tests.unit.sla.driver import NINE, closed, opened, queued, response


async def dump(database: Database) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name in (*PARTS, "log_projections"):
        found[name] = sorted((tuple(row) for row in await database.pool.fetch(f"SELECT * FROM {name}")), key=str)
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
    await site.advance(30)
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


async def outdated_calendars(commands: Commands, *names: str) -> None:
    """Calendars whose tables end too soon, as they are a year after their compilation."""
    hours = Hours(*OFFICE.values())
    short = tuple(interval for interval in compile_hours(hours, NINE) if interval[0] < NINE + 100 * DAY)
    for name in names:
        command = put_calendar_command("acme", name, hours, short, command_id=f"short.{name}", actor="k", at=NINE)
        await commands.broadcast(lambda partition, command=command: command)  # type: ignore[misc]


async def test_of_two_processes_one_counts(database: Database) -> None:
    """The one after the other: what the first counted the second sees again with the contact's next change."""
    mirrors = [SlaMirror(), SlaMirror()]
    exposure = figures()[1]
    said = [exposed("a", 5), exposed("a", 5), exposed("b", 7), exposed("b", 7)]
    for number, record in enumerate(said):
        await apply(database, mirrors[number % 2], record)
    assert figures()[1] == exposure + 12
    await apply(database, mirrors[0], msgspec.structs.replace(said[0], value=None))
    marks = await database.pool.fetch("SELECT entity_key FROM sla_exposures")
    assert [row["entity_key"] for row in marks] == ["contact|acme/main|b"]


async def test_a_chunk_that_failed_is_counted_when_it_succeeds(database: Database) -> None:
    exposure, record = figures()[1], exposed("a", 5)
    async with database.pool.acquire() as connection:
        chunk = connection.transaction()
        await chunk.start()
        await SlaMirror().apply(connection, [record])
        await chunk.rollback()
    await apply(database, SlaMirror(), record)
    assert figures()[1] == exposure + 5


def exposed(contact_id: str, seconds: int) -> Record:
    """What the machine says of a public contact that was answered."""
    contact = Contact(
        key="acme/main", contact_id=contact_id, visibility="public", exposed=False, exposure=seconds * SECOND
    )
    return Record(
        topic=SLA_STATE, partition=0, position=0, key=contact.entity_key, value=msgspec.json.encode(contact)
    )


async def apply(database: Database, mirror: SlaMirror, record: Record) -> None:
    async with database.transaction() as connection:
        applied = await mirror.apply(connection, [record])
    mirror.tell([record], [record], applied, lambda record: True)


async def test_a_calendar_that_got_short_is_compiled_again(site: Site, database: Database, commands: Commands) -> None:
    await outdated_calendars(commands, "office")
    assert await upkeep.compile_outdated(database, commands, NINE) == (1, 0)
    assert (await site.get("/v1/calendars/office"))["compiled_until"] > "2027-12"
    assert await upkeep.compile_outdated(database, commands, NINE) == (0, 0)


async def test_a_compilation_undoes_no_change(site: Site, database: Database, commands: Commands) -> None:
    await outdated_calendars(commands, "office", "lab")
    read = await database.pool.fetch(upkeep.CALENDARS)
    changed = await site.put("/v1/calendars/office", OFFICE | {"hours": "Mo 10:00-11:00"})
    assert (await site.send("DELETE", "/v1/calendars/lab")).status_code == 204
    for row in read:
        await upkeep.compile_again(commands, row, NINE)
    assert (await site.get("/v1/calendars"))["items"] == [changed]


async def test_one_that_is_refused_holds_up_no_other(site: Site, database: Database, commands: Commands) -> None:
    await outdated_calendars(commands, "a", "b")
    taken = put_calendar_command("acme", "always", Hours("24/7"), (), command_id=f"compile.acme.a.1.{NINE // DAY}",
                                 actor="k", at=NINE)  # fmt: skip
    with pytest.raises(Problem):
        await commands.broadcast(lambda partition: taken)
    assert await upkeep.compile_outdated(database, commands, NINE) == (1, 1)
    assert (await site.get("/v1/calendars/b"))["compiled_until"] > "2027-12"


async def test_old_history_is_forgotten(site: Site, database: Database) -> None:
    await a_day(site)
    kept = await database.pool.fetchval("SELECT count(*) FROM sla_clocks WHERE ended_at IS NULL")
    await database.pool.execute(upkeep.FORGET, NINE + DAY, upkeep.FORGOTTEN_AT_ONCE_MAX)
    assert await database.pool.fetchval("SELECT count(*) FROM sla_clocks") == kept == 2
