"""The REST face of the SLA service: promises, calendars, clocks, and how well the promises are kept."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Query, Request, Response

from libs.common.auth import Caller, caller
from libs.common.calendars import Hours, Table, compile_hours, window
from libs.common.clock import Clock
from libs.common.commands import Commands, new_command_id
from libs.common.directory import ContactDirectory
from libs.common.errors import Conflict, NotFound
from libs.common.events import workspace_key
from libs.common.events.commands import DeleteCalendar, DeleteTarget, PutCalendar
from libs.common.events.consults import consulted
from libs.common.http import ApiRouter, Id, Page, Paging, from_app
from libs.common.parts import optional_part
from libs.common.postgres import Database
from services.sla import reads
from services.sla.api_models import (
    Attainment,
    BreachView,
    CalendarBody,
    CalendarView,
    ClockView,
    Group,
    Metric,
    TargetBody,
    TargetView,
)
from services.sla.core.state import ALWAYS

WINDOW_SECONDS_MAX = 31 * 86_400

Reader = Annotated[Caller, Depends(caller("viewer", "agent"))]
Configurer = Annotated[Caller, Depends(caller("admin"))]
TheClock = Annotated[Clock, Depends(from_app(Clock))]
TheCommands = Annotated[Commands, Depends(from_app(Commands))]
TheDatabase = Annotated[Database, Depends(from_app(Database))]

router = ApiRouter(tags=["sla"])


# -- targets -----------------------------------------------------------------------------------------------------


@router.put("/v1/targets/{target_id}")
async def put_target(
    target_id: Id,
    body: TargetBody,
    by: Configurer,
    commands: TheCommands,
    database: TheDatabase,
    clock: TheClock,
    response: Response,
) -> TargetView:
    """Create or replace a promise; contacts that are already here keep the one they entered with."""
    command = body.command(by.workspace, target_id, command_id=new_command_id(), actor=by.actor, at=clock.now())
    outcomes = await commands.broadcast(lambda partition: command)
    response.status_code = outcomes[0].status
    return await reads.target(database, by.workspace, target_id)


@router.get("/v1/targets/{target_id}")
async def get_target(target_id: Id, by: Reader, database: TheDatabase) -> TargetView:
    return await reads.target(database, by.workspace, target_id)


@router.get("/v1/targets")
async def list_targets(by: Reader, database: TheDatabase, page: Paging) -> Page[TargetView]:
    return await reads.targets(database, by.workspace, page)


@router.delete("/v1/targets/{target_id}", status_code=204)
async def delete_target(target_id: Id, by: Configurer, commands: TheCommands, clock: TheClock) -> None:
    """Contacts that are already here keep it."""
    command = DeleteTarget(
        key=workspace_key(by.workspace),
        at=clock.now(),
        command_id=new_command_id(),
        actor=by.actor,
        target_id=target_id,
    )
    await commands.broadcast(lambda partition: command)


# -- calendars ---------------------------------------------------------------------------------------------------


@router.put("/v1/calendars/{calendar_id}")
async def put_calendar(
    calendar_id: Id,
    body: CalendarBody,
    by: Configurer,
    commands: TheCommands,
    database: TheDatabase,
    clock: TheClock,
    response: Response,
) -> CalendarView:
    """Create or replace business hours; running clocks keep the times that they were given."""
    if calendar_id == ALWAYS:
        raise Conflict("the calendar `always` is built in", code="built_in")
    hours, now = body.value(), clock.now()
    table = await asyncio.to_thread(compile_hours, hours, now)
    command = put_calendar_command(
        by.workspace, calendar_id, hours, table, command_id=new_command_id(), actor=by.actor, at=now
    )
    outcomes = await commands.broadcast(lambda partition: command)
    response.status_code = outcomes[0].status
    return await reads.calendar(database, by.workspace, calendar_id, now)


@router.get("/v1/calendars/{calendar_id}")
async def get_calendar(calendar_id: Id, by: Reader, database: TheDatabase, clock: TheClock) -> CalendarView:
    return await reads.calendar(database, by.workspace, calendar_id, clock.now())


@router.get("/v1/calendars")
async def list_calendars(by: Reader, database: TheDatabase, clock: TheClock, page: Paging) -> Page[CalendarView]:
    return await reads.calendars(database, by.workspace, page, clock.now())


@router.delete("/v1/calendars/{calendar_id}", status_code=204)
async def delete_calendar(calendar_id: Id, by: Configurer, commands: TheCommands, clock: TheClock) -> None:
    """Refused with 409 `in_use` as long as a target counts by it."""
    if calendar_id == ALWAYS:
        raise Conflict("the calendar `always` is built in", code="built_in")
    command = DeleteCalendar(
        key=workspace_key(by.workspace),
        at=clock.now(),
        command_id=new_command_id(),
        actor=by.actor,
        calendar_id=calendar_id,
    )
    await commands.broadcast(lambda partition: command)


def put_calendar_command(
    workspace: str, calendar_id: str, hours: Hours, table: Table, *, command_id: str, actor: str, at: int
) -> PutCalendar:
    return PutCalendar(
        key=workspace_key(workspace),
        at=at,
        command_id=command_id,
        actor=actor,
        calendar_id=calendar_id,
        hours=hours.hours,
        timezone=hours.timezone,
        country=hours.country,
        subdivision=hours.subdivision,
        open=table,
        since=window(at)[0],
    )


# -- how well the promises are kept --------------------------------------------------------------------------------


@router.get("/v1/contacts/{contact_id}/clocks")
async def get_clocks(
    contact_id: Id, by: Reader, database: TheDatabase, clock: TheClock, request: Request
) -> Page[ClockView]:
    """Empty for a contact that no target binds. A consult has none of its own: those of what it is about are shown."""
    contact_id = consulted(contact_id) or contact_id
    page = await reads.clocks(database, by.workspace, contact_id, clock.now())
    contacts: ContactDirectory | None = optional_part(request, ContactDirectory)
    if not page.items and contacts and not await contacts.known(by.workspace, contact_id):
        raise NotFound("there is no such contact")
    return page


@router.get("/v1/attainment", response_model_exclude_none=True)
async def get_attainment(
    reader: Reader,
    database: TheDatabase,
    clock: TheClock,
    by: Group = "channel",
    metric: Metric = "first_response",
    window_seconds: Annotated[int, Query(ge=1, le=WINDOW_SECONDS_MAX)] = 3_600,
) -> Attainment:
    """Share met and mean wait ÷ target of what was decided in the window, and the gap between best and worst."""
    return await reads.attainment(database, reader.workspace, by, metric, window_seconds, clock.now())


@router.get("/v1/breaches")
async def list_breaches(
    by: Reader, database: TheDatabase, page: Paging, queue: Id | None = None, channel: Id | None = None
) -> Page[BreachView]:
    """The newest first."""
    return await reads.breaches(database, by.workspace, page, queue=queue, channel=channel)
