"""Contacts and offers: where they stand, why, and what may be done to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Depends, Query
from starlette.requests import Request

from libs.common.auth import Caller
from libs.common.directory import ContactDirectory, ReceivedContact
from libs.common.errors import FieldError, Invalid, NotFound
from libs.common.events.commands import (
    AbandonContact,
    AcceptOffer,
    BreakOut,
    CloseContact,
    DeclineOffer,
    ParkContact,
    ReleaseContact,
    ResumeContact,
    SetPriority,
)
from libs.common.http import ApiRouter, Id, Page, PageRequest, Paging, optional_part, page_of
from services.router.api_models import (
    AbandonGiven,
    BreakOutGiven,
    CloseGiven,
    DeclineGiven,
    ParkGiven,
    PriorityBody,
    ReleaseGiven,
    ResumeGiven,
)
from services.router.api_parts import (
    Asking,
    Platform,
    ReaderOrAgent,
    Shell,
    Shelled,
    Supervisor,
    Worker,
    acting_agent,
    ask_of_contact,
    contact_of_offer,
    pool_of_contact,
)
from services.router.api_views import ContactView, contact_view, received_view
from services.router.core.state import Contact
from services.router.explanation import Explanation, explanation_of
from services.router.reads import Row
from services.router.routing_view import expected

router = ApiRouter(tags=["work"])

State = Literal["received", "waiting", "offered", "assigned", "parked", "wrap_up", "closed", "abandoned"]


def filters_of(
    state: State | None = None,
    queue: Id | None = None,
    channel: Annotated[str | None, Query(max_length=128)] = None,
    customer: Id | None = None,
    agent: Id | None = None,
) -> dict[str, str]:
    """The columns that must have a value."""
    wanted = {"state": state, "queue": queue, "channel": channel, "customer_id": customer, "agent": agent}
    return {column: value for column, value in wanted.items() if value is not None}


Filters = Annotated[dict[str, str], Depends(filters_of)]


@router.get("/v1/contacts")
async def list_contacts(
    by: ReaderOrAgent, shell: Shelled, page: Paging, filters: Filters, sort: Literal["urgency"] | None = None
) -> Page[ContactView]:
    """Contacts that the router knows, the oldest first; an agent's key sees its own. It knows none that is only
    `received`.

    `sort=urgency`, for `state=waiting` only, answers the `limit` contacts of the highest score, the highest first:
    who is late by the share of the target, then who isn't by the promise, equal ones by id. That order changes with
    time, so there is no next page.
    """
    own, now = acting_agent(by), shell.clock.now()
    filters = filters if own is None else filters | {"agent": own}
    if sort is not None:
        refuse_what_has_no_urgency(filters, page)
        urgent = await shell.reads.most_urgent(by.workspace, filters, now, page.limit)
        return Page(items=[contact_view(row, now) for row in urgent])
    after = page.keys(int, str) or (-1, "")
    rows = await shell.reads.contacts(by.workspace, filters, after, page.fetch)
    return page_of(rows, page, lambda row: contact_view(row, now), lambda row: (row.opened_at or 0, row.id))


def refuse_what_has_no_urgency(filters: Mapping[str, str], page: PageRequest) -> None:
    """Raises Invalid."""
    if filters.get("state") != "waiting":
        raise Invalid("only what waits is urgent", errors=[FieldError("/state", "must be waiting")])
    if page.after is not None:
        raise Invalid("an order of urgency has no pages", errors=[FieldError("/cursor", "must be left out")])


@router.get("/v1/contacts/{contact_id}")
async def get_contact(contact_id: Id, by: ReaderOrAgent, shell: Shelled, request: Request) -> ContactView:
    """Where a contact stands; `received` until the router has seen it."""
    received = await received_contact(request, by.workspace, contact_id)
    try:
        row = await readable(shell, by, contact_id)
    except NotFound:
        if received is None or by.role == "agent":
            raise
        return received_view(received)
    view = await shown(shell, by.workspace, row)
    return view if received is None else view.model_copy(update={"attributes": received.attributes})


async def shown(shell: Shell, workspace: str, row: Row) -> ContactView:
    now = shell.clock.now()
    if row.state != "waiting":
        return contact_view(row, now)
    contact = row.entity(Contact)
    ahead = await shell.reads.ahead(workspace, contact, now)
    wait = expected(await shell.outlook.of_contact(workspace, row.pool, row.partition, contact))
    return contact_view(row, now, ahead + 1).model_copy(update=msgspec.structs.asdict(wait))


async def received_contact(request: Request, workspace: str, contact_id: str) -> ReceivedContact | None:
    """As ingest has it, with the attributes that stay off the log too."""
    directory: ContactDirectory | None = optional_part(request, ContactDirectory)
    return None if directory is None else await directory.find(workspace, contact_id)


async def readable(shell: Shell, by: Caller, contact_id: str) -> Row:
    """A contact that the caller may see. Raises NotFound, also for an agent who has nothing to do with it.

    A consult and what it is about are seen by both: by who asks and who helps, as long as it goes on.
    """
    row = await shell.reads.entity(by.workspace, "contact", contact_id)
    if by.role != "agent" or has_to_do(row, by):
        return row
    contact = row.entity(Contact)
    others = (contact.consult_of,) if contact.consult_of is not None else contact.consults
    for one in others if row.ended is None else ():
        if has_to_do(await shell.reads.entity(by.workspace, "contact", one), by):
            return row
    raise NotFound("there is no such contact")


def has_to_do(row: Row, by: Caller) -> bool:
    return by.agent_id in (row.agent, *(row.offered_to or ()))


@router.get("/v1/contacts/{contact_id}/explanation")
async def explain_contact(contact_id: Id, by: ReaderOrAgent, shell: Shelled) -> Explanation:
    """Its score term by term, who could take it and who not and why, and how many are ahead."""
    row = await readable(shell, by, contact_id)
    return await explanation_of(shell.reads, by.workspace, row, shell.clock.now())


@router.get("/v1/contacts/{contact_id}/events")
async def list_events(contact_id: Id, by: ReaderOrAgent, shell: Shelled, page: Paging) -> Page[dict[str, Any]]:
    """Every decision about the contact in order, as integrators get it, with its `id` and `type`."""
    await readable(shell, by, contact_id)
    (after,) = page.keys(int) or (0,)
    rows = await shell.reads.events(by.workspace, contact_id, after, page.fetch)
    return page_of(rows, page, shown_event, lambda row: (row[0],))


def shown_event(row: tuple[Any, ...]) -> dict[str, Any]:
    _, id_, kind, value = row
    return {"id": id_, "type": kind, **msgspec.json.decode(value)}


# -- offers -----------------------------------------------------------------------------------------------------


@router.post("/v1/offers/{offer_id}/accept")
async def accept_offer(offer_id: Id, by: Worker, shell: Shelled, ask: Asking) -> dict[str, Any]:
    """The contact is the agent's. 409 `offer_ended` with the present state when it was too late."""
    pool = await pool_of_contact(shell, by.workspace, contact_of_offer(offer_id))
    return await ask(AcceptOffer, by, pool, offer_id=offer_id, agent_id=acting_agent(by))


@router.post("/v1/offers/{offer_id}/decline")
async def decline_offer(
    offer_id: Id, by: Worker, shell: Shelled, ask: Asking, body: DeclineGiven
) -> dict[str, Any]:
    """The contact is offered to somebody else, and to this agent again only after everybody able was asked."""
    pool = await pool_of_contact(shell, by.workspace, contact_of_offer(offer_id))
    return await ask(DeclineOffer, by, pool, offer_id=offer_id, agent_id=acting_agent(by), reason=body.reason)


# -- work -------------------------------------------------------------------------------------------------------


@router.post("/v1/contacts/{contact_id}/park")
async def park_contact(
    contact_id: Id, by: Platform, shell: Shelled, ask: Asking, body: ParkGiven
) -> dict[str, Any]:
    """Nothing to do until the customer writes, or until `until`."""
    return await ask_of_contact(ParkContact, contact_id, by, shell, ask, **body.fields())


@router.post("/v1/contacts/{contact_id}/resume")
async def resume_contact(
    contact_id: Id, by: Platform, shell: Shelled, ask: Asking, _body: ResumeGiven
) -> dict[str, Any]:
    """What is parked has work again: with its agent when there is room, else it waits."""
    return await ask_of_contact(ResumeContact, contact_id, by, shell, ask)


@router.post("/v1/contacts/{contact_id}/release")
async def release_contact(
    contact_id: Id, by: Platform, shell: Shelled, ask: Asking, body: ReleaseGiven
) -> dict[str, Any]:
    """Give the contact back to its queue; it keeps its age."""
    return await ask_of_contact(ReleaseContact, contact_id, by, shell, ask, reason=body.reason)


@router.post("/v1/contacts/{contact_id}/break-out")
async def break_out(
    contact_id: Id, by: Platform, shell: Shelled, ask: Asking, _body: BreakOutGiven
) -> dict[str, Any]:
    """Take a contact out of its group: it costs its own units, or waits again when its agent has no room for that."""
    return await ask_of_contact(BreakOut, contact_id, by, shell, ask)


@router.post("/v1/contacts/{contact_id}/priority")
async def set_priority(
    contact_id: Id, body: PriorityBody, by: Supervisor, shell: Shelled, ask: Asking
) -> dict[str, Any]:
    """Move its promise forward by hand, or with 0 no more; no escalation changes that from then on."""
    return await ask_of_contact(SetPriority, contact_id, by, shell, ask, **body.fields())


@router.post("/v1/contacts/{contact_id}/close")
async def close_contact(
    contact_id: Id, by: Platform, shell: Shelled, ask: Asking, body: CloseGiven
) -> dict[str, Any]:
    """Its work is done; the agent's capacity is free when the queue's wrap-up ends."""
    return await ask_of_contact(CloseContact, contact_id, by, shell, ask, resolution=body.resolution)


@router.post("/v1/contacts/{contact_id}/abandon")
async def abandon_contact(
    contact_id: Id, by: Platform, shell: Shelled, ask: Asking, body: AbandonGiven
) -> dict[str, Any]:
    """The customer has gone: nobody need answer any more."""
    return await ask_of_contact(AbandonContact, contact_id, by, shell, ask, reason=body.reason)
