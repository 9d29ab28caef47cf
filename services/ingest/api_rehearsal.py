"""Where a contact would go, asked with a message as it would be brought. Nothing is stored and nothing is told.

The message becomes the fact that it would become: who wrote, which language, which attributes the account lets out. The
router's view says what follows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from fastapi import Request

from libs.common.directory import RoutingView
from libs.common.events.codec import moment
from libs.common.http import ApiRouter, ViewModel, part
from services.ingest.api_parts import Ingesting, Reader, named_account
from services.ingest.shape import ContactBody

router = ApiRouter(tags=["rules"])


class AskedQueue(ViewModel):
    queue: str
    order: int
    matched: bool
    failed: str | None
    """The first thing in its configuration that doesn't hold: `/match/channel`, `/when/all/0`."""


class NextQueue(ViewModel):
    queue: str
    reason: Literal["length", "full", "closed", "expected_wait"]


class Rehearsal(ViewModel):
    pool: str
    queue: str
    """Where it would wait in the end."""
    because: Literal["asked_for", "matched", "no_match"]
    """The message names the queue; its rules match; none do, so it is everyone's."""
    queues: list[AskedQueue]
    """Every queue of the pool in the order in which they are asked."""
    overflows: list[NextQueue]
    """From the queue that takes it on to others, each with what about the queue before sends it on."""
    refused: Literal["queue_full", "queue_closed"] | None
    opens_at: datetime | None
    """When that queue opens, if it is closed."""
    requirement: dict[str, Any]
    """What the queue would ask of whoever takes it."""
    target: str | None
    """What promises a first response; null: none does, and `target_seconds` are what the order assumes."""
    target_seconds: int


@router.post("/v1/queues/test")
async def rehearse(body: ContactBody, by: Reader, ingest: Ingesting, request: Request) -> Rehearsal:
    """Where this message would go as a new contact if it came now, and why. Nothing is stored."""
    account = await named_account(ingest, by.workspace, body.account)
    view: RoutingView = part(request, RoutingView)
    said = await view.rehearse(await ingest.contacts.rehearsed(account, body.received()))
    opens_at = moment(said.opens_at)
    return Rehearsal(**msgspec.to_builtins(said) | {"opens_at": opens_at})
