"""Ingest on a real PostgreSQL and a log in memory, with a key for each of two workspaces."""

from collections.abc import AsyncIterator

import pytest

from libs.common.auth import Keys
from libs.common.clock import VirtualClock
from libs.common.directory import ContactDirectory
from libs.common.http import build_app
from libs.common.idempotency import Idempotency
from libs.common.log.memory import MemoryWorld
from libs.common.pools import Pools
from libs.common.postgres import Database, open_database
from libs.common.secrets import SecretBox
from services.ingest import api
from services.ingest.__main__ import running
from services.ingest.api_parts import Ingest
from tests.integration.ingest.house import NOW, PARTITIONS, FragileLog, House
from tests.integration.workspaces import begin_workspaces

MASTER_KEY = b"a master key of the tests"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, connections_max=20) as database:
        yield database


@pytest.fixture
async def keys(database: Database, clock: VirtualClock) -> Keys:
    keys = Keys(database, clock, MASTER_KEY)
    await begin_workspaces(database, "default", "other")
    return keys


@pytest.fixture
async def house(database: Database, clock: VirtualClock, keys: Keys) -> AsyncIterator[House]:
    world = MemoryWorld(PARTITIONS)
    log, pools = FragileLog(world), Pools(database, PARTITIONS)
    given = {workspace: await keys.put(workspace, "tests", "admin") for workspace in ("default", "other")}
    given["default.agent"] = await keys.put("default", "ann", "agent", agent="ann")
    given["default.viewer"] = await keys.put("default", "looks", "viewer")
    given["default.integration"] = await keys.put("default", "platform", "integration")
    for workspace in ("default", "other"):
        await pools.create(workspace, "main")
    await pools.create("default", "sales")
    idempotency = Idempotency(database, clock, MASTER_KEY, alone=True)
    async with running(log, database, pools, SecretBox(MASTER_KEY), clock) as ingest:
        parts = {Ingest: ingest, ContactDirectory: ingest.directory, Keys: keys, Idempotency: idempotency}
        yield House(build_app("ingest", [api.router], parts), ingest, world, log, given)
