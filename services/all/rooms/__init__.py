"""Which part each service adds to a process: its background work, its routes, and what these need.

In one process all services share the commands and the projections; in a cluster a process has one service and what
its API reads. A service's room is a module of its own, and a process imports only those it opens: of a start's time
most goes into imports, and a process that was killed has to be back soon.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from fastapi import APIRouter

from libs.common.auth import Keys, OnWorkspaceCreated, Workspaces
from libs.common.clock import Clock
from libs.common.commands import Commands, open_commands
from libs.common.directory import ContactDirectory, RoutingView
from libs.common.idempotency import Idempotency
from libs.common.log import Log
from libs.common.pools import Pools
from libs.common.postgres import Database
from libs.common.rate_limit import RateLimit
from libs.common.secrets import SecretBox
from libs.common.settings import Settings
from libs.common.workers import Workers
from services.all.beginnings import beginnings
from services.all.foundation import Foundation
from services.ingest.directory import Directory
from services.router.routing_view import ProjectedView

if TYPE_CHECKING:
    from libs.common.projection import Projection
    from services.ingest.api_parts import Ingest
    from services.notifier.parts import Notifier

Service = Literal["ingest", "router", "sla", "notifier", "console"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)


@dataclass
class Rooms:
    """What runs in this process: the parts of the API, its routes, the machines and the projections."""

    foundation: Foundation
    parts: dict[type[Any], Any]
    routers: list[APIRouter] = field(default_factory=list)
    machines: list[Workers] = field(default_factory=list)
    projections: dict[str, Projection[Any]] = field(default_factory=dict)
    """By service: who gives it a command from here waits until its effect can be read."""
    ingest: Ingest | None = None
    notifier: Notifier | None = None


Opening = Callable[[Rooms, AsyncExitStack], Awaitable[None]]


@dataclass(frozen=True)
class Room:
    """What one service adds. `project` comes before there are commands, which wait for the projections."""

    routes: APIRouter
    open: Opening
    project: Opening | None = None


def room_of(service: Service) -> Room:
    room: Room = import_module(f"{__name__}.{service}").ROOM
    return room


@asynccontextmanager
async def open_rooms(foundation: Foundation, services: Collection[Service]) -> AsyncIterator[Rooms]:
    """Start these services; the order of opening is the order of need, and closing is its reverse."""
    async with AsyncExitStack() as opened:
        rooms = Rooms(foundation, shared_parts(foundation))
        ours = [room_of(service) for service in SERVICES if service in services]
        for room in ours:
            if room.project is not None:
                await room.project(rooms, opened)
        await give_commands(rooms, opened)
        for room in ours:
            await room.open(rooms, opened)
            rooms.routers.append(room.routes)
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
        RoutingView: ProjectedView(foundation.database, foundation.clock),
    }


async def give_commands(rooms: Rooms, opened: AsyncExitStack) -> None:
    """Every process may ask for something; it waits for the projections that it has itself."""
    at = rooms.foundation
    commands = await opened.enter_async_context(
        open_commands(at.log, at.pools, at.database, at.clock, rooms.projections)
    )
    rooms.parts[Commands] = commands
    rooms.parts[OnWorkspaceCreated] = beginnings(commands, at.pools, at.clock)


def readiness(rooms: Rooms) -> Mapping[str, Any]:
    """What must answer before this process takes requests."""

    async def database() -> bool:
        return await rooms.foundation.database.pool.fetchval("SELECT true") is True

    async def machines() -> bool:
        return all(worker.failed is None for machine in rooms.machines for worker in machine.workers.values())

    return {"database": database, "machines": machines}
