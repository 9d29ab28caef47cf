"""Ingest in a process: its front door, its relays and what follows the routing."""

from __future__ import annotations

from contextlib import AsyncExitStack

from services.all.rooms import Room, Rooms
from services.ingest import __main__ as ingest
from services.ingest.api import router
from services.ingest.api_parts import Ingest


async def open_ingest(rooms: Rooms, opened: AsyncExitStack) -> None:
    at = rooms.foundation
    rooms.ingest = await opened.enter_async_context(ingest.running(at.log, at.database, at.pools, at.box, at.clock))
    rooms.parts[Ingest] = rooms.ingest


ROOM = Room(router, open_ingest)
