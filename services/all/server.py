"""One process: its foundation, its rooms and its HTTP server, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

import uvicorn
from fastapi import FastAPI

from libs.common import telemetry
from libs.common.auth import OnWorkspaceCreated
from libs.common.clock import VirtualClock
from libs.common.errors import OutcomeUnknown
from libs.common.http import build_app
from libs.common.settings import Settings
from libs.common.telemetry import log
from libs.common.workspaces import DEFAULT_WORKSPACE
from services.all import quiet
from services.all.beginnings import FIRST_POOL
from services.all.foundation import founded
from services.all.rooms import SERVICES, Rooms, Service, open_rooms, readiness, room_of
from services.all.signals import Server

STREAMS_CLOSE_SECONDS: Final = 3
START_LOOK_SECONDS: Final = 0.01
BACKLOG: Final = 2_048

Announce = Callable[[str, str | None], None]
"""Told the console's URL and, at the first start only, the admin key."""


async def run(settings: Settings, services: Collection[Service], announce: Announce) -> None:
    """Serve until SIGTERM or SIGINT. Raises what the foundation raises, and what ended a machine."""
    alone = set(services) == set(SERVICES)
    telemetry.configure("omniroute" if alone else next(iter(services)), settings)
    async with (
        founded(settings, set_up=alone) as foundation,
        open_rooms(foundation, services) as rooms,
        asyncio.TaskGroup() as tasks,
    ):
        watches = [
            tasks.create_task(work) for machine in rooms.machines for work in (machine.watch(), machine.measure())
        ]
        key = await first_start(rooms) if "console" in services else None
        await serve(application(rooms, services), settings, lambda url: announce(url, key))
        for watch in watches:
            watch.cancel()


async def first_start(rooms: Rooms) -> str | None:
    """The default workspace, its admin key and what it begins with; the key when it was made now."""
    foundation = rooms.foundation
    given = foundation.settings.admin_key
    key = await foundation.workspaces.ensure_first_start(None if given is None else given.get_secret_value())
    while FIRST_POOL not in await foundation.pools.all(DEFAULT_WORKSPACE) or key is not None:
        with suppress(OutcomeUnknown):  # in a cluster the router may still be starting
            await rooms.parts[OnWorkspaceCreated].make(DEFAULT_WORKSPACE)
            break
    return key


def application(rooms: Rooms, services: Collection[Service]) -> FastAPI:
    routers, clock = list(rooms.routers), rooms.foundation.clock
    if isinstance(clock, VirtualClock):
        rooms.parts |= {VirtualClock: clock, quiet.Quiet: quiet.Quiet(rooms, clock)}
        routers.append(quiet.router)
    settings = rooms.foundation.settings
    app = build_app(
        "api" if len(services) > 1 else next(iter(services)),
        routers,
        rooms.parts,
        ready=readiness(rooms),
        rate_limit_per_second=settings.rate_limit_per_second,
        concurrent_requests_max=settings.concurrent_requests_max,
    )
    if set(services) == {"console"}:  # In a cluster the gateway sends it whoever asks for the API's description.
        app.openapi = whole_api().openapi  # type: ignore[method-assign]
    return app


def whole_api() -> FastAPI:
    """Every service's routes, to be described and not to be served."""
    return build_app("api", [room_of(service).routes for service in SERVICES], {})


async def serve(app: FastAPI, settings: Settings, ready: Callable[[str], None]) -> None:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        backlog=BACKLOG,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=STREAMS_CLOSE_SECONDS,
        lifespan="off",
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells it by this flag alone
        await asyncio.sleep(START_LOOK_SECONDS)
    if server.started:
        port = server.servers[0].sockets[0].getsockname()[1]
        ready(f"http://{settings.host}:{port}/")
        log.info("ready", port=port)
    await serving
