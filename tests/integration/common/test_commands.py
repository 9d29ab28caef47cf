"""A command is appended where its pool lives, answered once, and found again after a restart."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
import pytest

from libs.common import telemetry
from libs.common.clock import VirtualClock
from libs.common.commands import Commands, new_command_id, open_commands
from libs.common.errors import NotFound, OutcomeUnknown, Problem
from libs.common.events import pool_key, workspace_key
from libs.common.events.commands import AcceptOffer, PutTarget, RenewLeases
from libs.common.log import Log
from libs.common.log.memory import MemoryWorld, open_memory_log
from libs.common.pools import KNOWN_SECONDS_MAX, Pools, check_partitions, check_secret_key, partition_of
from libs.common.postgres import Database
from libs.common.settings import SettingsError
from tests.integration.common.echo import answering, draft

PARTITIONS = 3
NOW = 1_795_000_000_000_000


class Projection:
    """Shows a batch once it is told to."""

    def __init__(self) -> None:
        self.shown = asyncio.Event()
        self.waited_for = asyncio.Event()
        self.asked: list[tuple[str, int, int]] = []

    async def reached(self, service: str, partition: int, batch: int) -> None:
        self.asked.append((service, partition, batch))
        self.waited_for.set()
        await self.shown.wait()


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    async with open_memory_log(MemoryWorld(PARTITIONS)) as log:
        yield log


@pytest.fixture
async def pools(database: Database) -> Pools:
    pools = Pools(database, PARTITIONS)
    await pools.create("default", "main")
    return pools


@pytest.fixture
async def commands(log: Log, pools: Pools, database: Database, clock: VirtualClock) -> AsyncIterator[Commands]:
    async with open_commands(log, pools, database, clock) as commands:
        yield commands


def accept(workspace: str = "default", pool: str = "main", **fields: Any) -> AcceptOffer:
    named = {"command_id": new_command_id(), **fields}
    return AcceptOffer(key=pool_key(workspace, pool), at=NOW, actor="k", offer_id="con_x.offer.1", **named)


def target(partition: int) -> PutTarget:
    return PutTarget(
        key=workspace_key("default"), at=NOW, actor="k", command_id="cmd_t", target_id="t",
        metric="first_response", seconds=900,
    )  # fmt: skip


async def test_a_command_goes_to_its_pools_partition_and_is_answered(
    log: Log, commands: Commands, pools: Pools
) -> None:
    async with answering(log) as echo:
        command = accept()
        outcome = await commands.run(command)
    assert (outcome.command_id, outcome.status, outcome.state) == (command.command_id, 200, {"seen": 1})
    assert echo.seen == [command]
    assert echo.partitions == [await pools.partition("default", "main")]


async def test_many_at_once_each_get_their_own(log: Log, commands: Commands) -> None:
    async with answering(log):
        asked = [accept() for _ in range(50)]
        outcomes = await asyncio.gather(*(commands.run(command) for command in asked))
    assert [outcome.command_id for outcome in outcomes] == [command.command_id for command in asked]


def always(word: PutTarget, _partition: int) -> PutTarget:
    return word


async def test_every_partition_hears_a_workspaces_words_in_one_order(log: Log, commands: Commands) -> None:
    async with answering(log) as echo:
        words = [msgspec.structs.replace(target(0), command_id=f"cmd_{n}") for n in range(1, 9)]
        await asyncio.gather(*(commands.broadcast(partial(always, word)) for word in words))
    heard = [
        [seen.command_id.split(".")[0] for seen, at in zip(echo.seen, echo.partitions, strict=True) if at == partition]
        for partition in range(PARTITIONS)
    ]
    assert sorted(heard[0]) == [word.command_id for word in words]
    assert heard == [heard[0]] * PARTITIONS


async def test_a_refused_command_tells_the_present_state(log: Log, commands: Commands) -> None:
    async with answering(log) as echo:
        echo.answers["offer.accept"] = (409, "offer_taken")
        with pytest.raises(Problem) as refused:
            await commands.run(accept())
    assert (refused.value.status, refused.value.code) == (409, "offer_taken")
    assert refused.value.body(None)["state"] == {"seen": 1}


async def test_a_pool_of_another_workspace_doesnt_exist(log: Log, commands: Commands) -> None:
    async with answering(log) as echo:
        with pytest.raises(NotFound):
            await commands.run(accept(workspace="acme"))
    assert echo.seen == []


async def test_the_answer_waits_until_a_read_shows_it(
    log: Log, pools: Pools, database: Database, clock: VirtualClock
) -> None:
    projection = Projection()
    fresh = {"router": projection, "sla": projection}
    async with answering(log), open_commands(log, pools, database, clock, fresh) as commands:
        running = asyncio.create_task(commands.run(accept()))
        await projection.waited_for.wait()
        assert not running.done()
        projection.shown.set()
        outcome = await running
        await commands.broadcast(target)
    partition = await pools.partition("default", "main")
    assert projection.asked[0] == ("router", partition, outcome.batch)
    assert {service for service, *_ in projection.asked[1:]} == {"sla"}


async def test_a_broadcast_has_a_copy_for_every_partition(log: Log, commands: Commands) -> None:
    async with answering(log) as echo:
        outcomes = await commands.broadcast(target)
    assert [outcome.command_id for outcome in outcomes] == ["cmd_t.p0", "cmd_t.p1", "cmd_t.p2"]
    copies = sorted(
        (partition, command.command_id) for partition, command in zip(echo.partitions, echo.seen, strict=True)
    )
    assert copies == [(0, "cmd_t.p0"), (1, "cmd_t.p1"), (2, "cmd_t.p2")]


async def test_the_trace_goes_on_the_log(log: Log, commands: Commands) -> None:
    async with answering(log) as echo:
        with telemetry.span("request"):
            trace_id = telemetry.current_trace_id()
            await commands.run(accept())
    assert trace_id is not None
    assert echo.headers[0]["traceparent"].split("-")[1] == trace_id


async def test_no_answer_in_time_is_told_with_the_command_id(
    log: Log, pools: Pools, database: Database, clock: VirtualClock
) -> None:
    async with answering(log) as echo, open_commands(log, pools, database, clock, outcome_seconds_max=0.2) as commands:
        echo.silent = True
        command = accept()
        with pytest.raises(OutcomeUnknown) as unknown:
            await commands.run(command)
        assert unknown.value.body(None)["command_id"] == command.command_id
        assert (await commands.status("default", command.command_id)).done is False


async def test_what_became_of_a_command_is_known_after_a_restart(
    log: Log, pools: Pools, database: Database, clock: VirtualClock
) -> None:
    async with answering(log) as echo:
        echo.silent = True
        command = accept()
        async with open_commands(log, pools, database, clock) as first:
            running = asyncio.create_task(first.run(command))
            await echo.until_seen(1)
            running.cancel()
            await asyncio.wait([running])
        echo.silent = False
        await log.append(echo.partitions[0], [draft(echo.outcome(command))])
        async with open_commands(log, pools, database, clock) as second:
            status = await second.status("default", command.command_id)
            repeated = await second.run(command)
            assert await second.status("default", command.command_id) == status
            with pytest.raises(NotFound):
                await second.status("acme", command.command_id)
    assert (status.done, status.status, status.state) == (True, 200, {"seen": 1})
    assert repeated.state == {"seen": 1}
    assert len(echo.seen) == 1, "the repeat was answered from the log, not run again"


async def test_an_answered_command_is_remembered(log: Log, commands: Commands) -> None:
    async with answering(log) as echo:
        echo.answers["offer.accept"] = (409, "offer_taken")
        command = accept()
        with pytest.raises(Problem):
            await commands.run(command)
    status = await commands.status("default", command.command_id)
    assert (status.done, status.status, status.code, status.state) == (True, 409, "offer_taken", {"seen": 1})
    with pytest.raises(NotFound):
        await commands.status("default", "cmd_nobodys")


async def test_the_heartbeats_of_a_second_are_one_command_a_pool(log: Log, commands: Commands, pools: Pools) -> None:
    await pools.create("default", "sales")
    async with answering(log) as echo:
        for agent, seconds in (("bob", 60), ("ann", 30), ("bob", 90)):
            commands.renew_lease("default", "main", agent, seconds)
        commands.renew_lease("default", "sales", "cat", 60)
        commands.renew_lease("default", "nowhere", "dan", 60)
        await echo.until_seen(2)
    leases = {command.pool: command.leases for command in echo.seen if isinstance(command, RenewLeases)}
    assert leases == {"main": {"ann": 30, "bob": 90}, "sales": {"cat": 60}}


async def test_a_pools_partition_is_for_life(database: Database) -> None:
    first = await Pools(database, PARTITIONS).create("default", "main")
    again = Pools(database, 97)
    assert await again.partition("default", "main") == first
    assert await again.create("default", "main") == first
    assert await again.all("default") == {"main": first}
    await again.remove("default", "main")
    with pytest.raises(NotFound):
        await again.partition("default", "main")


async def test_a_pool_that_was_asked_for_while_it_went_is_gone(database: Database) -> None:
    pools = Pools(database, PARTITIONS)
    home = await pools.create("default", "main")
    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE platform_pools IN SHARE MODE")
        going = asyncio.create_task(pools.remove("default", "main"))
        await until_waiting(database, "DELETE FROM platform_pools%")
        assert await pools.partition("default", "main") == home
    await going
    with pytest.raises(NotFound):
        await pools.partition("default", "main")


async def until_waiting(database: Database, statement: str) -> None:
    waiting = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1"""
    while not await database.pool.fetchval(waiting, statement):  # noqa: ASYNC110 - only the server knows
        await asyncio.sleep(0)


async def test_a_pool_removed_elsewhere_is_soon_unknown(database: Database) -> None:
    now = 0.0
    pools = Pools(database, PARTITIONS, lambda: now)
    home = await pools.create("default", "main")
    await Pools(database, PARTITIONS).remove("default", "main")
    now = KNOWN_SECONDS_MAX - 0.1
    assert await pools.partition("default", "main") == home
    now = KNOWN_SECONDS_MAX
    with pytest.raises(NotFound):
        await pools.partition("default", "main")


def test_where_a_pool_goes_never_changes() -> None:
    assert [partition_of("default", pool, 12) for pool in ("main", "sales", "leads")] == [5, 3, 5]


async def test_an_installation_keeps_its_partitions_and_its_key(database: Database) -> None:
    await check_partitions(database, 12)
    await check_partitions(database, 12)
    with pytest.raises(SettingsError, match=r"OMNIROUTE_PARTITIONS: is 24, .* with 12"):
        await check_partitions(database, 24)
    await check_secret_key(database, b"a key")
    with pytest.raises(SettingsError, match="OMNIROUTE_SECRET_KEY"):
        await check_secret_key(database, b"another key")
