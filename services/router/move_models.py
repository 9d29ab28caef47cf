"""What callers send to move contacts: one at a time, or up to a thousand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Body
from pydantic import Field

from libs.common.errors import FieldError, Invalid
from libs.common.events.codec import instant_of
from libs.common.http import Id, StrictModel, Text, ViewModel
from services.router.api_models import CloseBody, ParkBody, PriorityBody, Requirement, ResumeBody

BULK_CONTACTS_MAX: Final = 1_000
GOALS: Final = ("queue", "agent", "requirement")


class TransferBody(StrictModel):
    """Exactly one of `queue`, `agent` and `requirement`. A requirement replaces all that the contact needs."""

    queue: Id | None = None
    agent: Id | None = None
    requirement: Requirement | None = None
    note: Text | None = None
    """For whoever gets it: kept as a record, never on the log."""

    def goal(self) -> dict[str, Any]:
        """The command's fields. Raises Invalid."""
        given = [name for name in GOALS if getattr(self, name) is not None]
        if len(given) != 1:
            detail = "exactly one of queue, agent and requirement"
            raise Invalid(detail, errors=[FieldError(f"/{name}", detail) for name in given or GOALS])
        requirement = None if self.requirement is None else self.requirement.value()
        return {"to_queue": self.queue, "to_agent": self.agent, "requirement": requirement}


class ConsultBody(StrictModel):
    """Exactly one of `queue` and `agent`."""

    queue: Id | None = None
    agent: Id | None = None
    note: Text | None = None
    """For whoever helps: kept as a record, never on the log."""

    def goal(self) -> dict[str, str | None]:
        """The command's fields. Raises Invalid."""
        if (self.queue is None) == (self.agent is None):
            detail = "exactly one of queue and agent"
            raise Invalid(detail, errors=[FieldError("/queue", detail), FieldError("/agent", detail)])
        return {"to_queue": self.queue, "to_agent": self.agent}


class ReferBody(StrictModel):
    pool: Id
    queue: Id | None = None
    """Without one the other pool's queues decide."""
    close: bool = True
    """False: this contact goes on as well."""
    note: Text | None = None


class CallbackBody(StrictModel):
    callback_at: datetime | None = None
    """When to call; without it as soon as there is an agent, with the contact's age."""
    close: bool = True
    note: Text | None = None

    def at(self) -> int | None:
        return instant_of(self.callback_at)


class AssignBody(StrictModel):
    agent: Id
    forced: bool = False
    """Whether or not the agent is available, able and has room."""

    def fields(self) -> dict[str, Any]:
        """The command's."""
        return {"to_agent": self.agent, "forced": self.forced}


class DrainBody(StrictModel):
    to: Id
    """The queue to which everything goes that waits."""


class RequeueBody(StrictModel):
    """Nothing to say."""


ContactIds = Annotated[list[Id], Field(min_length=1, max_length=BULK_CONTACTS_MAX)]


class BulkTransfer(TransferBody):
    operation: Literal["transfer"]
    contact_ids: ContactIds


class BulkAssign(AssignBody):
    operation: Literal["assign"]
    contact_ids: ContactIds


class BulkPriority(PriorityBody):
    operation: Literal["priority"]
    contact_ids: ContactIds


class BulkPark(ParkBody):
    operation: Literal["park"]
    contact_ids: ContactIds


class BulkResume(ResumeBody):
    operation: Literal["resume"]
    contact_ids: ContactIds


class BulkClose(CloseBody):
    operation: Literal["close"]
    contact_ids: ContactIds


BulkBody = Annotated[
    BulkTransfer | BulkAssign | BulkPriority | BulkPark | BulkResume | BulkClose, Field(discriminator="operation")
]


class BulkView(ViewModel):
    """A result for each contact, in the order in which they were named."""

    results: list[dict[str, Any]]
    """`{"status": 200, "contact_id", "state"}`, or `{"status", "contact_id", "problem"}`."""


class NoteView(ViewModel):
    note_id: str
    contact_id: str
    author: str
    """The API key's id, or `agent:<id>`."""
    text: str
    at: datetime


CallbackGiven = Annotated[CallbackBody, Body(default_factory=CallbackBody)]
RequeueGiven = Annotated[RequeueBody, Body(default_factory=RequeueBody)]
"""Bodies that may be left out."""
