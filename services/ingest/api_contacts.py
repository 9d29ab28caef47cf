"""Contacts and messages, as platforms bring them and agents read them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Query, Request, Response
from pydantic import Field

from libs.common.caller import Caller
from libs.common.directory import ExpectedWait, Placed, RoutingView
from libs.common.errors import FieldError, Forbidden, Invalid, NotFound, Problem
from libs.common.events.codec import instant_of, moment
from libs.common.events.consults import consulted
from libs.common.events.values import Visibility
from libs.common.http import ApiRouter, Id, Page, Paging, StrictModel, ViewModel, page_of
from libs.common.idempotency import about_customer, drawn_command_id
from libs.common.parts import optional_part
from libs.common.telemetry import current_trace_id
from services.ingest import cloud, limits, records
from services.ingest.api_parts import (
    Ingest,
    Ingesting,
    ReaderOrAgent,
    Responder,
    Writer,
    check_own_work,
    named_account,
)
from services.ingest.contacts import Response as Answer
from services.ingest.ids import id_under
from services.ingest.receiving import Stored
from services.ingest.shape import ContactBody, MessageText, ReachBody, parsed

router = ApiRouter(tags=["contacts"])

MESSAGES: Final = """
    SELECT m.*, i.channel, i.address, i.handle, i.name FROM ingest_messages AS m LEFT JOIN LATERAL (
        SELECT channel, address, handle, name FROM ingest_identities AS i
        WHERE i.workspace = m.workspace AND i.customer_id = m.customer_id
        ORDER BY i.channel <> $5, i.channel, i.address LIMIT 1) AS i ON true
    WHERE m.workspace = $1 AND m.account = $2 AND m.conversation = $3 AND m.ordinal > $4
    ORDER BY m.ordinal LIMIT $6
"""
ROUTED: Final = """
    SELECT routed_queue, state, agent_id, offered_to FROM ingest_contacts WHERE workspace = $1 AND contact_id = $2
"""

WaitSeconds = Annotated[float, Query(ge=0, le=limits.WAIT_SECONDS_MAX, allow_inf_nan=False)]


class ReceivedView(ViewModel):
    """`queue` and what follows it only after waiting for the router."""

    contact_id: str
    customer_id: str
    message_id: str
    state: str = "received"
    repeat_of: str | None = None
    """The contact of the same conversation that had ended before."""
    queue: str | None = None
    position: int | None = None
    """1 is served next, as far as the main order of its queue decides."""
    expected_wait_seconds: float | None = None
    """Until an agent has it, as far as one can know."""
    expected_wait_interval: tuple[float, float] | None = None
    """Between these the wait ends four times in five."""
    expected_wait_unknown: str | None = None
    """Why there is no number for a contact that waits."""
    unroutable_reason: str | None = None
    """`queue_full`, `queue_closed`, `no_agent` …: whoever brought it may tell the customer."""


class BatchBody(StrictModel):
    contacts: Annotated[list[Any], Field(max_length=limits.BATCH_CONTACTS_MAX)]


class BatchView(ViewModel):
    results: list[dict[str, Any]]
    """Of each contact in the order given: `status`, and what the single call answers or its `problem`."""


class ResponseBody(StrictModel):
    """What the company answered."""

    agent: Id | None = None
    occurred_at: datetime | None = None
    """When it was given; null: now."""
    visibility: Visibility | None = None
    """Null: the contact's."""
    text: MessageText | None = None
    automatic: bool = False
    """An automatic reply answers nothing: no clock stops."""
    moved_to_private: bool = False
    """A public answer says that the conversation goes on in private: nobody else sees the contact then, as far as its
    priority goes."""


class ReachView(ViewModel):
    """All that is known of who can see it: each signal is the largest that was ever seen."""

    contact_id: str
    followers: int
    views: int
    reactions: int
    shares: int


class ResponseView(ViewModel):
    contact_id: str
    message_id: str


class AuthorView(ViewModel):
    channel: str | None
    address: str | None
    handle: str | None
    name: str | None


class MessageView(ViewModel):
    """`author` is who it was to the contact: its customer, a bystander, or the company."""

    message_id: str
    contact_id: str | None
    source_id: str | None
    author: str
    customer_id: str | None
    sender: AuthorView | None
    agent: str | None
    kind: str
    visibility: str
    text: str | None
    language: str | None
    automatic: bool
    occurred_at: datetime
    received_at: datetime
    deleted_at: datetime | None


@router.post(
    "/v1/contacts", status_code=201, responses={200: {"model": ReceivedView}}, response_model_exclude_unset=True
)
async def receive_contact(
    body: ContactBody, by: Writer, ingest: Ingesting, request: Request, response: Response,
    wait_seconds: WaitSeconds = 0,
) -> ReceivedView:  # fmt: skip
    """Take one message: 201 when it is new, 200 when its account and source id were seen before."""
    account = await named_account(ingest, by.workspace, body.account)
    stored = await ingest.contacts.receive(account, body.received())
    about_customer(stored.customer_id)
    response.status_code = _status(stored)
    view = ReceivedView(**_shown(stored))
    if wait_seconds:
        placed = await _placed(request, ingest, by.workspace, stored.contact_id, wait_seconds)
        view = view.model_copy(update=_placing(placed))
    return view


@router.post("/v1/contacts/batch", max_body_size=limits.BATCH_BYTES_MAX)
async def receive_contacts(body: BatchBody, by: Writer, ingest: Ingesting) -> BatchView:
    """Take up to 1,000 messages; each has its own result, in the order given."""
    results: list[dict[str, Any]] = [{} for _ in body.contacts]
    turns: dict[tuple[str, str], list[tuple[int, ContactBody]]] = defaultdict(list)
    for place, value in enumerate(body.contacts):
        try:
            one = parsed(value, f"/contacts/{place}")
            turns[one.account, one.conversation or one.source_id].append((place, one))
        except Problem as problem:
            results[place] = _refused(problem)
    at_once = asyncio.Semaphore(limits.BATCH_AT_ONCE_MAX)

    async def take(conversation: list[tuple[int, ContactBody]]) -> None:
        async with at_once:
            for place, one in conversation:
                results[place] = await _result(ingest, by, one, f"/contacts/{place}/account")

    await asyncio.gather(*(take(conversation) for conversation in turns.values()))
    return BatchView(results=results)


@router.post("/v1/events", max_body_size=limits.BATCH_BYTES_MAX, openapi_extra=cloud.REQUEST)
async def receive_events(by: Writer, ingest: Ingesting, request: Request) -> BatchView:
    """Take CloudEvents 1.0 of type `contact.message.received`: structured, binary or batched."""
    content_type = request.headers.get("content-type", "")
    arrived = cloud.read(content_type, request.headers.items(), await request.body())
    accounts = [await named_account(ingest, by.workspace, body.account, "/data/account") for body, _ in arrived]
    stored = [
        await ingest.contacts.receive(account, received)
        for account, (_, received) in zip(accounts, arrived, strict=True)
    ]
    return BatchView(results=[_shown(one) | {"status": _status(one)} for one in stored])


@router.post("/v1/contacts/{contact_id}/responses", status_code=201)
async def observe_response(contact_id: Id, body: ResponseBody, by: Responder, ingest: Ingesting) -> ResponseView:
    """The company answered. An automatic reply answers nothing."""
    if by.agent_id is not None and body.agent not in (None, by.agent_id):
        raise Forbidden("an agent's key answers for that agent")
    if body.automatic and body.moved_to_private:
        wrong = FieldError("/moved_to_private", "an automatic reply answers nothing, and so moves nothing")
        raise Invalid("nobody was answered", errors=[wrong])
    await check_own_work(ingest, by, contact_id)
    contact = await ingest.directory.find(by.workspace, contact_id)
    if contact is None:
        raise NotFound("no such contact")
    about_customer(contact.customer_id)
    answer = Answer(
        visibility=body.visibility or contact.visibility, agent_id=by.agent_id or body.agent, text=body.text,
        occurred_at=instant_of(body.occurred_at), automatic=body.automatic, moved_to_private=body.moved_to_private,
    )  # fmt: skip
    message_id = id_under("msg", drawn_command_id())
    await ingest.contacts.respond(by.workspace, contact_id, message_id, answer)
    return ResponseView(contact_id=contact_id, message_id=message_id)


@router.post("/v1/contacts/{contact_id}/reach")
async def report_reach(contact_id: Id, body: ReachBody, by: Writer, ingest: Ingesting) -> ReachView:
    """Say how many can see the contact by now. Regular reports tell how fast it spreads, also that it stands still."""
    contact = await ingest.directory.find(by.workspace, contact_id)
    if contact is None:
        raise NotFound("no such contact")
    about_customer(contact.customer_id)
    reach = await ingest.contacts.spread(by.workspace, contact_id, body.value())
    return ReachView(
        contact_id=contact_id, followers=reach.followers, views=reach.views, reactions=reach.reactions,
        shares=reach.shares,
    )  # fmt: skip


@router.get("/v1/contacts/{contact_id}/messages")
async def list_messages(contact_id: Id, by: ReaderOrAgent, ingest: Ingesting, page: Paging) -> Page[MessageView]:
    """What was said in the contact's conversation, earlier contacts included, in the order of receipt.

    A consult has the conversation of what it is about.
    """
    contact_id = consulted(contact_id) or contact_id
    await check_own_work(ingest, by, contact_id)
    contact = await records.contact(ingest.database.pool, by.workspace, contact_id)
    if contact is None:
        raise NotFound("no such contact")
    (after,) = page.keys(int) or (0,)
    place = by.workspace, contact.account, contact.conversation or ""
    rows = await ingest.database.pool.fetch(MESSAGES, *place, after, contact.channel, page.fetch)
    return page_of(rows, page, _message_view, lambda row: (row["ordinal"],))


async def _result(ingest: Ingest, by: Caller, one: ContactBody, pointer: str) -> dict[str, Any]:
    try:
        account = await named_account(ingest, by.workspace, one.account, pointer)
        stored = await ingest.contacts.receive(account, one.received())
    except Problem as problem:
        return _refused(problem)
    return {"status": _status(stored), **_shown(stored)}


def _refused(problem: Problem) -> dict[str, Any]:
    return {"status": problem.status, "problem": problem.body(current_trace_id())}


def _status(stored: Stored) -> int:
    return 201 if stored.new else 200


def _shown(stored: Stored) -> dict[str, Any]:
    return {
        "contact_id": stored.contact_id,
        "customer_id": stored.customer_id,
        "message_id": stored.message_id,
        "state": "received",
        "repeat_of": stored.repeat_of,
    }


async def _placed(
    request: Request, ingest: Ingest, workspace: str, contact_id: str, wait_seconds: float
) -> Placed | None:
    """Where the router put the contact, as soon as that is known; None when it isn't in time."""
    view: RoutingView | None = optional_part(request, RoutingView)
    try:
        async with asyncio.timeout(wait_seconds):
            while True:
                placed = await (view.placed if view else _from_history(ingest))(workspace, contact_id)
                if placed is not None:
                    return placed
                await asyncio.sleep(limits.WAIT_POLL_SECONDS)
    except TimeoutError:
        return None


def _from_history(ingest: Ingest) -> Any:
    """Without the router in this process: what ingest itself reads of routing."""

    async def placed(workspace: str, contact_id: str) -> Placed | None:
        row = await ingest.database.pool.fetchrow(ROUTED, workspace, contact_id)
        if row is None or row["routed_queue"] is None:
            return None
        return Placed(state=_state_of(row), queue=row["routed_queue"])

    return placed


def _state_of(row: Any) -> str:
    if row["state"] != "open":
        return "closed"
    if row["agent_id"] is not None:
        return "assigned"
    return "waiting" if row["offered_to"] is None else "offered"


def _placing(placed: Placed | None) -> dict[str, Any]:
    wait = placed.wait if placed is not None and placed.wait is not None else ExpectedWait()
    if placed is None:
        return {"queue": None, "position": None, **msgspec.structs.asdict(wait)}
    stands = {"state": placed.state, "queue": placed.queue, "position": placed.position}
    return stands | msgspec.structs.asdict(wait) | {"unroutable_reason": placed.unroutable}


def _message_view(row: Any) -> MessageView:
    sender = None
    if row["customer_id"] is not None:
        sender = AuthorView(channel=row["channel"], address=row["address"], handle=row["handle"], name=row["name"])
    return MessageView(
        **{name: row[name] for name in (
            "message_id", "contact_id", "source_id", "author", "customer_id", "kind", "visibility", "text", "language",
            "automatic",
        )},
        sender=sender, agent=row["agent_id"], occurred_at=moment(row["occurred_at"]),
        received_at=moment(row["received_at"]),
        deleted_at=moment(row["deleted_at"]),
    )  # fmt: skip
