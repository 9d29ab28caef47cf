"""The same thing done to up to a thousand contacts, with a result for each."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final, assert_never

from libs.common.auth import Caller
from libs.common.commands import new_command_id
from libs.common.errors import FieldError, Invalid, Problem
from libs.common.events.commands import (
    AssignContact,
    CloseContact,
    ContactCommand,
    ParkContact,
    ResumeContact,
    SetPriority,
    TransferContact,
)
from libs.common.http import ApiRouter
from libs.common.telemetry import current_trace_id
from services.router.api_moves import ask_noting, check_goal
from services.router.api_parts import Ask, Asking, Shell, Shelled, Supervisor
from services.router.move_models import (
    BulkAssign,
    BulkBody,
    BulkClose,
    BulkPark,
    BulkPriority,
    BulkResume,
    BulkTransfer,
    BulkView,
)

BULK_AT_ONCE_MAX: Final = 50
"""Commands of one request that are under way at the same time."""

router = ApiRouter(tags=["work"])


@router.post("/v1/contacts/bulk")
async def do_in_bulk(body: BulkBody, by: Supervisor, shell: Shelled, ask: Asking) -> BulkView:
    """`close`, `transfer`, `priority`, `assign`, `park` or `resume`, with the fields that the single call takes.

    Each contact is a command of its own: what is refused for one is done to the others.
    """
    refuse_repeats(body.contact_ids)
    kind, fields = asked_of_each(body)
    note = body.note if isinstance(body, BulkTransfer) else None
    at_once = asyncio.Semaphore(BULK_AT_ONCE_MAX)

    async def one(contact_id: str, command_id: str) -> dict[str, Any]:
        async with at_once:
            return await result(kind, contact_id, by, shell, ask, note, command_id, fields)

    named = [(contact_id, new_command_id()) for contact_id in body.contact_ids]
    return BulkView(results=await asyncio.gather(*(one(*pair) for pair in named)))


def refuse_repeats(contact_ids: list[str]) -> None:
    """Raises Invalid."""
    times = Counter(contact_ids)
    if len(times) < len(contact_ids):
        repeats = (place for place, one in enumerate(contact_ids) if times[one] > 1)
        errors = [FieldError(f"/contact_ids/{place}", "is named more than once") for place in repeats]
        raise Invalid("each contact is named once", errors=errors)


def asked_of_each(body: BulkBody) -> tuple[type[ContactCommand], dict[str, Any]]:
    match body:
        case BulkTransfer(): return TransferContact, body.goal()
        case BulkAssign(): return AssignContact, body.fields()
        case BulkPriority(): return SetPriority, body.fields()
        case BulkPark(): return ParkContact, body.fields()
        case BulkResume(): return ResumeContact, {}
        case BulkClose(): return CloseContact, {"resolution": body.resolution}
        case _: assert_never(body)


async def result(
    kind: type[ContactCommand], contact_id: str, by: Caller, shell: Shell, ask: Ask, note: str | None,
    command_id: str, fields: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    try:
        if kind is TransferContact:
            await check_goal(shell, by.workspace, contact_id, fields)
        state = await ask_noting(kind, contact_id, by, shell, ask, note, command_id, **fields)
    except Problem as problem:
        problem_body = problem.body(current_trace_id())
        return {"status": problem.status, "contact_id": contact_id, "problem": problem_body}
    return {"status": 200, "contact_id": contact_id, "state": state}
