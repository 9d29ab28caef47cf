"""The SLA service in a process: its projection, its machine and its rounds."""

from __future__ import annotations

from contextlib import AsyncExitStack

from libs.common.commands import Commands
from libs.common.snapshots import Snapshots
from libs.common.workers import Workers
from services.all.rooms import Room, Rooms
from services.sla import __main__ as sla
from services.sla.api import router
from services.sla.core.core import SlaCore


async def project(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    rooms.projections["sla"] = await opened.enter_async_context(sla.projecting(at.log, at.database))


async def open_sla(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    machine = Workers(SlaCore, at.log, at.clock, snapshots=Snapshots(at.database))
    rooms.machines.append(await opened.enter_async_context(machine))
    await opened.enter_async_context(sla.keeping_up(at.database, rooms.parts[Commands], at.clock))


ROOM = Room(router, open_sla, project)
