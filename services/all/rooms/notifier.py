"""The notifier in a process: who subscribed is told."""

from __future__ import annotations

from contextlib import AsyncExitStack

from services.all.rooms import Room, Rooms
from services.notifier import __main__ as notifier
from services.notifier.api import router
from services.notifier.parts import Notifier


async def open_notifier(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    running = notifier.running(
        at.log, at.database, at.clock, box=at.box, allow_private=at.settings.allow_private_targets
    )
    rooms.notifier = await opened.enter_async_context(running)
    rooms.parts[Notifier] = rooms.notifier


ROOM = Room(router, open_notifier)
