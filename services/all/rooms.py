"""Which part each service adds to a process: its background work, its routes, and what these need.

In one process all services share the commands and the projections; in a cluster a process has one service and what
its API reads.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from fastapi import APIRouter

from libs.common.auth import Keys, OnWorkspaceCreated, Workspaces
from libs.common.clock import Clock
from libs.common.commands import Commands, Freshness, open_commands
from libs.common.directory import ContactDirectory, RoutingView
from libs.common.housekeeping import keeping_house
from libs.common.idempotency import Idempotency
from libs.common.log import Log
from libs.common.pools import Pools
from libs.common.postgres import Database
from libs.common.rate_limit import RateLimit
from libs.common.secrets import SecretBox
from libs.common.settings import Settings
from libs.common.snapshots import Snapshots
from libs.common.workers import Workers
from services.all.beginnings import beginnings
from services.all.foundation import Foundation
from services.auditor import __main__ as auditor
from services.console import api as console_api
from services.ingest import __main__ as ingest
from services.ingest import api as ingest_api
from services.ingest.api_parts import Ingest
from services.ingest.directory import Directory
from services.notifier import __main__ as notifier
from services.notifier import api as notifier_api
from services.notifier.parts import Notifier
from services.router import __main__ as router
from services.router import api as router_api
from services.router.api_parts import Shell
from services.router.core.core import RouterCore
from services.router.view import View
from services.sla import __main__ as sla
from services.sla import api as sla_api
from services.sla.core.core import SlaCore
from services.sla.projection import SlaProjection

Service = Literal["ingest", "router", "sla", "notifier", "console"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)
ROUTERS: Final[Mapping[Service, APIRouter]] = {
    "ingest": ingest_api.router,
    "router": router_api.router,
    "sla": sla_api.router,
    "notifier": notifier_api.router,
    "console": console_api.router,
}
TAKE_OVER_GRACE_SECONDS: Final = 10
"""Offers and leases that fell due while nobody owned their partition can still be answered for this long."""


@dataclass
class Rooms:
    """What runs in this process: the parts of the API, its routes, the machines and the projections."""

    foundation: Foundation
    parts: dict[type[Any], Any]
    routers: list[APIRouter] = field(default_factory=list)
    machines: list[Workers] = field(default_factory=list)
    ingest: Ingest | None = None
    router: router.Running | None = None
    sla: SlaProjection | None = None
    notifier: Notifier | None = None


@asynccontextmanager
async def open_rooms(foundation: Foundation, services: Collection[Service]) -> AsyncIterator[Rooms]:
    """Start these services; the order of opening is the order of need, and closing is its reverse."""
    async with AsyncExitStack() as opened:
        rooms = Rooms(foundation, shared_parts(foundation))
        if "router" in services:
            await open_router(rooms, opened)
        if "sla" in services:
            await open_sla(rooms, opened)
        await give_commands(rooms, opened)
        if "sla" in services:
            await opened.enter_async_context(
                sla.keeping_up(foundation.database, rooms.parts[Commands], foundation.clock)
            )
        if "ingest" in services:
            await open_ingest(rooms, opened)
        if "notifier" in services:
            await open_notifier(rooms, opened)
        if "console" in services:
            await open_console(rooms, opened)
        yield rooms


def shared_parts(foundation: Foundation) -> dict[type[Any], Any]:
    settings = foundation.settings
    return {
        Settings: settings,
        Clock: foundation.clock,
        Database: foundation.database,
        Log: foundation.log,
        Keys: foundation.keys,
        Workspaces: foundation.workspaces,
        Pools: foundation.pools,
        SecretBox: foundation.box,
        RateLimit: RateLimit(settings.rate_limit_per_second),
        Idempotency: Idempotency(
            foundation.database, foundation.clock, foundation.master_key, alone=settings.kafka is None
        ),
        ContactDirectory: Directory(foundation.database),
        RoutingView: View(foundation.database, foundation.clock),
    }


async def open_router(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    rooms.router = await opened.enter_async_context(router.running(at.log, at.database, at.clock))
    rooms.parts[Shell] = rooms.router.shell
    snapshots = Snapshots(at.database)
    machine = Workers(RouterCore, at.log, at.clock, grace_seconds=TAKE_OVER_GRACE_SECONDS, snapshots=snapshots)
    rooms.machines.append(await opened.enter_async_context(machine))
    rooms.routers.append(ROUTERS["router"])


async def open_sla(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    rooms.sla = await opened.enter_async_context(sla.projecting(at.log, at.database))
    machine = Workers(SlaCore, at.log, at.clock, snapshots=Snapshots(at.database))
    rooms.machines.append(await opened.enter_async_context(machine))
    rooms.routers.append(ROUTERS["sla"])


async def give_commands(rooms: Rooms, opened: AsyncExitStack) -> None:
    """Every process may ask for something; it waits for the projections that it has itself."""
    at = rooms.foundation
    fresh: dict[str, Freshness] = {}
    if rooms.router is not None:
        fresh["router"] = rooms.router.projection
    if rooms.sla is not None:
        fresh["sla"] = rooms.sla
    commands = await opened.enter_async_context(open_commands(at.log, at.pools, at.database, at.clock, fresh))
    rooms.parts[Commands] = commands
    rooms.parts[OnWorkspaceCreated] = beginnings(commands, at.pools, at.clock)


async def open_ingest(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    rooms.ingest = await opened.enter_async_context(ingest.running(at.log, at.database, at.pools, at.box, at.clock))
    rooms.parts[Ingest] = rooms.ingest
    rooms.routers.append(ROUTERS["ingest"])


async def open_notifier(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    running = notifier.running(
        at.log, at.database, at.clock, box=at.box, allow_private=at.settings.allow_private_targets
    )
    rooms.notifier = await opened.enter_async_context(running)
    rooms.parts[Notifier] = rooms.notifier
    rooms.routers.append(ROUTERS["notifier"])


async def open_console(rooms: Rooms, opened: AsyncExitStack) -> None:
    """What the whole installation shares: its promises are watched, and what is kept for 24 hours is swept."""
    at = rooms.foundation
    await opened.enter_async_context(auditor.running(at.log, at.clock))
    idempotency, commands = rooms.parts[Idempotency], rooms.parts[Commands]
    sweeps = {"idempotency": idempotency.sweep, "commands": commands.sweep}
    await opened.enter_async_context(keeping_house(sweeps))
    rooms.routers.append(ROUTERS["console"])


def readiness(rooms: Rooms) -> Mapping[str, Any]:
    """What must answer before this process takes requests."""

    async def database() -> bool:
        return await rooms.foundation.database.pool.fetchval("SELECT true") is True

    async def machines() -> bool:
        return all(worker.failed is None for machine in rooms.machines for worker in machine.workers.values())

    return {"database": database, "machines": machines}
