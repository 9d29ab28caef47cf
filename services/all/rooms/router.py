"""The router in a process: its projection, its machine on as many partitions as it is given, and its rounds."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from libs.common.commands import Commands
from libs.common.snapshots import Snapshots
from libs.common.workers import Workers
from services.all.rooms import Room, Rooms
from services.router import __main__ as service
from services.router.api import router
from services.router.api_parts import Shell
from services.router.core.core import RouterCore
from services.router.upkeep import keeping_hours

TAKE_OVER_GRACE_SECONDS: Final = 10
"""Offers and leases that fell due while nobody owned their partition can still be answered for this long."""


async def project(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    running = await opened.enter_async_context(service.running(at.log, at.database, at.clock))
    rooms.projections["router"] = running.projection
    rooms.parts[Shell] = running.shell


async def open_router(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    snapshots = Snapshots(at.database)
    machine = Workers(RouterCore, at.log, at.clock, grace_seconds=TAKE_OVER_GRACE_SECONDS, snapshots=snapshots)
    rooms.machines.append(await opened.enter_async_context(machine))
    await opened.enter_async_context(keeping_hours(at.database, rooms.parts[Commands], at.clock))


ROOM = Room(router, open_router, project)
