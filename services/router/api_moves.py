"""Moves: a contact goes to another queue, agent or pool; everything of an agent or a queue does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs.common.auth import Caller
from libs.common.commands import new_command_id
from libs.common.errors import FieldError, Invalid, Problem
from libs.common.events.codec import moment
from libs.common.events.commands import (
    AssignContact,
    CallBack,
    Consult,
    ContactCommand,
    DrainQueue,
    ReferContact,
    RequeueAgent,
    TransferContact,
)
from libs.common.http import ApiRouter, Id, Page, Paging, page_of
from libs.common.notes import Note
from services.router.api_contacts import readable
from services.router.api_parts import (
    Asking,
    Platform,
    Pooled,
    ReaderOrAgent,
    Shell,
    Shelled,
    Supervisor,
    acting_agent,
    ask_of_contact,
    check_in_pool,
    check_pool,
    pool_of_contact,
)
from services.router.core.state import Contact
from services.router.move_models import (
    AssignBody,
    CallbackGiven,
    ConsultBody,
    DrainBody,
    NoteView,
    ReferBody,
    RequeueGiven,
    TransferBody,
)

router = ApiRouter(tags=["work"])
agents, queues = ApiRouter(tags=["agents"]), ApiRouter(tags=["rules"])


@router.post("/v1/contacts/{contact_id}/transfer")
async def transfer_contact(
    contact_id: Id, body: TransferBody, by: Platform, shell: Shelled, ask: Asking
) -> dict[str, Any]:
    """Give the contact to another queue, to an agent, or to whoever meets a requirement; it keeps its age.

    An agent who is available, able and has room has it at once; without room it waits two minutes for them, then for
    anyone. 409 `agent_not_available` or `agent_not_able` says `why`.
    """
    await check_goal(shell, by.workspace, contact_id, goal := body.goal())
    return await ask_noting(TransferContact, contact_id, by, shell, ask, body.note, **goal)


@router.post("/v1/contacts/{contact_id}/assign")
async def assign_contact(
    contact_id: Id, body: AssignBody, by: Supervisor, shell: Shelled, ask: Asking
) -> dict[str, Any]:
    """Give the contact to an agent now. Unless `forced`, the agent must be available, able and have room: 409 says
    `why`. By force capacity may be exceeded; nothing else is taken from anybody."""
    pool = await pool_of_contact(shell, by.workspace, contact_id)
    await check_in_pool(shell, by.workspace, pool, "agent", body.agent, "/agent")
    return await ask_of_contact(AssignContact, contact_id, by, shell, ask, **body.fields())


@router.post("/v1/contacts/{contact_id}/consult")
async def consult(
    contact_id: Id, body: ConsultBody, by: Platform, shell: Shelled, ask: Asking
) -> dict[str, Any]:
    """Ask a queue's people or a colleague for help with a contact that somebody has; it stays theirs. `consult_id`
    names the consult, a contact of its own, which either of the two closes.

    An agent must be available and able (409 says `why`); it is offered to them first for two minutes. 409
    `too_many_consults` when three go on, `is_consult` of a consult, `conflict` when nobody has the contact.
    """
    await check_goal(shell, by.workspace, contact_id, goal := body.goal())
    return await ask_noting(Consult, contact_id, by, shell, ask, body.note, **goal)


@router.post("/v1/contacts/{contact_id}/refer")
async def refer_contact(
    contact_id: Id, body: ReferBody, by: Platform, shell: Shelled, pools: Pooled, ask: Asking
) -> dict[str, Any]:
    """Open a linked contact with the same age in another pool; `linked_id` names it, and it is there in a moment."""
    await check_pool(shell, pools, by.workspace, body.pool)
    if body.queue is not None:
        await check_in_pool(shell, by.workspace, body.pool, "queue", body.queue, "/queue")
    fields: dict[str, Any] = {"to_pool": body.pool, "to_queue": body.queue, "closes": body.close}
    return await ask_noting(ReferContact, contact_id, by, shell, ask, body.note, **fields)


@router.post("/v1/contacts/{contact_id}/callback")
async def call_back(
    contact_id: Id, by: Platform, shell: Shelled, ask: Asking, body: CallbackGiven
) -> dict[str, Any]:
    """The customer shall be called: a linked voice contact opens, now and with the same age, or at `callback_at`."""
    fields: dict[str, Any] = {"callback_at": body.at(), "closes": body.close}
    return await ask_noting(CallBack, contact_id, by, shell, ask, body.note, **fields)


@router.get("/v1/contacts/{contact_id}/notes")
async def list_notes(contact_id: Id, by: ReaderOrAgent, shell: Shelled, page: Paging) -> Page[NoteView]:
    """What was noted about the contact, and about the one that it is linked to or a consult of, the oldest first."""
    contact = (await readable(shell, by, contact_id)).entity(Contact)
    after = page.keys(int, str) or (-1, "")
    contacts = [contact_id, *(one for one in (contact.linked_to, contact.consult_of) if one is not None)]
    notes = await shell.notes.of(by.workspace, contacts, after, page.fetch)
    return page_of(notes, page, note_view, lambda note: (note.at, note.note_id))


def note_view(note: Note) -> NoteView:
    return NoteView(
        note_id=note.note_id, contact_id=note.contact_id, author=note.author, text=note.text, at=moment(note.at)
    )


@agents.post("/v1/agents/{agent_id}/requeue")
async def requeue_agent(
    agent_id: Id, by: Supervisor, shell: Shelled, ask: Asking, _body: RequeueGiven
) -> dict[str, Any]:
    """Everything that the agent holds or is offered goes back to its queues, with its age; others are asked first."""
    row = await shell.reads.entity(by.workspace, "agent", agent_id)
    return await ask(RequeueAgent, by, row.pool, agent_id=agent_id)


@queues.post("/v1/queues/{queue_id}/drain")
async def drain_queue(
    queue_id: Id, body: DrainBody, by: Supervisor, shell: Shelled, ask: Asking
) -> dict[str, Any]:
    """Everything that waits in the queue goes to another one: `waiting` contacts, 500 at a time, from now on."""
    row = await shell.reads.entity(by.workspace, "queue", queue_id)
    if body.to == queue_id:
        raise Invalid("a queue isn't drained into itself", errors=[FieldError("/to", "must be another queue")])
    await check_in_pool(shell, by.workspace, row.pool, "queue", body.to, "/to")
    return await ask(DrainQueue, by, row.pool, queue_id=queue_id, to_queue=body.to)


router.include_router(agents)
router.include_router(queues)


# -- what moves stand on ----------------------------------------------------------------------------------------


async def check_goal(shell: Shell, workspace: str, contact_id: str, goal: Mapping[str, Any]) -> None:
    """Raises NotFound, or Invalid when the queue or agent isn't of the contact's pool."""
    pool = await pool_of_contact(shell, workspace, contact_id)
    for kind in ("queue", "agent"):
        if goal[f"to_{kind}"] is not None:
            await check_in_pool(shell, workspace, pool, kind, goal[f"to_{kind}"], f"/{kind}")


async def ask_noting(
    kind: type[ContactCommand], contact_id: str, by: Caller, shell: Shell, ask: Asking, note: str | None,
    command_id: str | None = None, **fields: Any,
) -> dict[str, Any]:  # fmt: skip
    """As `ask_of_contact` does. The note is there before the contact moves, and goes when it doesn't."""
    pool = await pool_of_contact(shell, by.workspace, contact_id)
    asked = {"command_id": command_id or new_command_id(), "contact_id": contact_id, "agent_id": acting_agent(by)}
    if note is None:
        return await ask(kind, by, pool, **asked, **fields)
    note_id = f"note_{asked['command_id']}"
    kept = Note(note_id=note_id, contact_id=contact_id, author=by.actor, text=note, at=shell.clock.now())
    await shell.notes.add(by.workspace, kept)
    try:
        return await ask(kind, by, pool, **asked, **fields)
    except Problem as problem:
        if problem.status < 500:
            await shell.notes.remove(by.workspace, note_id)
        raise
