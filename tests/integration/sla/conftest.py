"""The SLA service's shell on a log in memory and a real PostgreSQL, with its machine deciding behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from libs.common.clock import Clock, VirtualClock
from libs.common.commands import Commands, open_commands
from libs.common.http import build_app
from libs.common.keys import Keys
from libs.common.log.memory import MemoryWorld, open_memory_log
from libs.common.log.port import Log
from libs.common.pools import Pools
from libs.common.postgres import Database
from libs.common.workers import Workers
from libs.common.workspaces import OnWorkspaceCreated, Workspaces
from services.sla import api
from services.sla.__main__ import projecting
from services.sla.core.core import SlaCore
from services.sla.projection import SlaProjection as Projection
from tests.integration.sla.site import Site
from tests.unit.sla.driver import NINE

PARTITIONS = 2


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NINE)


@pytest.fixture
async def port() -> AsyncIterator[Log]:
    async with open_memory_log(MemoryWorld(PARTITIONS)) as port:
        yield port


@pytest.fixture
async def projection(port: Log, database: Database) -> AsyncIterator[Projection]:
    async with projecting(port, database) as projection:
        yield projection


@pytest.fixture
async def commands(
    port: Log, database: Database, clock: VirtualClock, projection: Projection
) -> AsyncIterator[Commands]:
    async with (
        Workers(SlaCore, port, clock),
        open_commands(port, Pools(database, PARTITIONS), database, clock, {"sla": projection}) as commands,
    ):
        yield commands


@pytest.fixture
async def site(
    port: Log, database: Database, clock: VirtualClock, projection: Projection, commands: Commands
) -> AsyncIterator[Site]:
    keys = Keys(database, clock, b"k" * 32)
    workspaces = Workspaces(database, keys, clock)
    for workspace in ("acme", "other"):
        await workspaces.put(workspace, workspace, OnWorkspaceCreated(make=nothing))
    parts = {Commands: commands, Database: database, Keys: keys, Clock: clock}
    app = build_app("sla", [api.router], parts)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sla") as client:
        yield Site(client, keys, port, clock, projection, PARTITIONS)


async def nothing(_workspace: str) -> None:
    """A workspace of this test begins empty."""
