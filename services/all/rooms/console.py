"""The console in a process, and what the whole installation shares: its promises are watched, and what is kept for 24
hours is swept.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from libs.common.commands import Commands
from libs.common.housekeeping import keeping_house
from libs.common.idempotency import Idempotency
from services.all.rooms import Room, Rooms
from services.auditor import __main__ as auditor
from services.console.api import router


async def open_console(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    await opened.enter_async_context(auditor.running(at.log, at.clock))
    idempotency, commands = rooms.parts[Idempotency], rooms.parts[Commands]
    await opened.enter_async_context(keeping_house({"idempotency": idempotency.sweep, "commands": commands.sweep}))


ROOM = Room(router, open_console)
