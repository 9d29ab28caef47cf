"""A router's shell on a log in memory and a real PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from libs.common.auth import Keys
from libs.common.clock import Clock, VirtualClock
from libs.common.commands import Commands, open_commands
from libs.common.directory import ContactDirectory
from libs.common.http import build_app
from libs.common.log.memory import MemoryWorld, open_memory_log
from libs.common.log.port import Log
from libs.common.pools import Pools
from libs.common.postgres import Database
from libs.common.workers import Workers
from services.router import api
from services.router.__main__ import Running, running
from services.router.api_parts import Shell
from services.router.core.core import RouterCore
from tests.integration.router.site import Received, Site, served

PARTITIONS = 2
START = 1_795_000_000_000_000


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(PARTITIONS)


@pytest.fixture
async def port(world: MemoryWorld) -> AsyncIterator[Log]:
    async with open_memory_log(world) as port:
        yield port


@pytest.fixture
async def router(port: Log, database: Database, clock: VirtualClock) -> AsyncIterator[Running]:
    async with running(port, database, clock) as router:
        yield router


@pytest.fixture
async def site(port: Log, database: Database, clock: VirtualClock, router: Running) -> AsyncIterator[Site]:
    """The router's API on a real socket, with its machine deciding behind it."""
    pools, keys = Pools(database, PARTITIONS), Keys(database, clock, b"k" * 32)
    fresh = {"router": router.projection}
    async with (
        Workers(RouterCore, port, clock),
        open_commands(port, pools, database, clock, fresh) as commands,
    ):
        parts = {Shell: router.shell, Pools: pools, Commands: commands, Keys: keys, Clock: clock}
        app = build_app("router", [api.router], {**parts, ContactDirectory: Received({"con_early"})})
        async with served(app) as address:
            site = Site(address, keys, port, pools, clock, database)
            await site.begin()
            yield site
            await site.end()
