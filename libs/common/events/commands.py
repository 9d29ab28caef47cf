"""Requests to the router and to the SLA service on `omniroute.commands.v1`, and their one outcome each.

A command's `key` is its pool's, or `<workspace>/*` when every partition gets a copy (targets and calendars; each
copy's id is `<id>.p<n>`). `actor` is the API key's id or `agent:<id>`: never a name.
"""

from __future__ import annotations

from typing import Any, ClassVar

from libs.common.events.base import COMMANDS, OUTCOMES, Event, Instant, Topic
from libs.common.events.values import (
    Capacity,
    EscalationStep,
    Match,
    Metric,
    PresenceStatus,
    QueueRules,
    Requirement,
)


class Command(Event, frozen=True, kw_only=True):
    topic: ClassVar[Topic | None] = COMMANDS
    subject_field: ClassVar[str] = "command_id"
    command_id: str
    actor: str


class CommandDecided(Event, frozen=True, kw_only=True):
    """The one answer to a command. `status` is an HTTP status; `code` is stable and names a refusal."""

    type: ClassVar[str] = "command.decided"
    topic: ClassVar[Topic | None] = OUTCOMES
    subject_field: ClassVar[str] = "command_id"
    command_id: str
    status: int
    code: str = "ok"
    state: dict[str, Any] = {}
    """The subject's present state, also when refused: `{"contact_id": …, "state": "assigned", "agent": …}`."""
    batch: int = 0
    """The commit it belongs to: a projection that has applied it shows what this answer says."""


class PutPool(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "pool.put"


class DeletePool(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "pool.delete"


class PutPolicy(Command, frozen=True, kw_only=True):
    """Scoring weights in thousandths; what is absent takes its default."""

    type: ClassVar[str] = "policy.put"
    weights: dict[str, int]


class PutQueue(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "queue.put"
    flat: ClassVar[str | None] = "rules"
    queue_id: str
    rules: QueueRules = QueueRules()


class CompileQueueHours(Command, frozen=True, kw_only=True):
    """The same hours as a table that reaches further; a queue that isn't at version `replaces` stays as it is."""

    type: ClassVar[str] = "queue.compile_hours"
    queue_id: str
    replaces: int
    open: tuple[tuple[int, int], ...]


class DeleteQueue(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "queue.delete"
    queue_id: str
    unused: bool = False
    """Refuse it while contacts are in it or others overflow into it. Older logs deleted without asking."""
    migrate_to: str | None = None
    """What is in use goes there."""


class PutAgent(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "agent.put"
    agent_id: str
    skills: dict[str, int]
    capacity: Capacity = Capacity()
    preferred_queues: tuple[str, ...] = ()
    missed_offers_max: int = 0
    """0: never. An old log's agents have no such rule; who is put by REST has one."""


class DeleteAgent(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "agent.delete"
    agent_id: str


class DeleteSkill(Command, frozen=True, kw_only=True):
    """Agents, and queues that ask for it, have `replace_by` instead; None when nobody asks for it any more."""

    type: ClassVar[str] = "skill.delete"
    skill: str
    replace_by: str | None = None


class SetPresence(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "agent.set_presence"
    agent_id: str
    status: PresenceStatus
    reason: str | None = None
    lease_seconds: int = 60
    when_free: bool = False
    """`away` and `offline` only: busy until the last contact leaves, with no new work."""
    until: Instant | None = None
    """The end of the shift."""


class RenewLeases(Command, frozen=True, kw_only=True):
    """The heartbeats of a second, as one command: agent id → seconds from now."""

    type: ClassVar[str] = "agent.renew_leases"
    leases: dict[str, int]


class CompleteWrapUp(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "agent.complete_wrap_up"
    agent_id: str
    contact_id: str | None = None
    """None: everything the agent is wrapping up."""


class ExtendWrapUp(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "agent.extend_wrap_up"
    agent_id: str
    contact_id: str
    seconds: int


class OfferCommand(Command, frozen=True, kw_only=True):
    offer_id: str
    agent_id: str | None = None
    """Who asks; None for a supervisor, who may answer for anyone."""


class AcceptOffer(OfferCommand, frozen=True, kw_only=True):
    type: ClassVar[str] = "offer.accept"


class DeclineOffer(OfferCommand, frozen=True, kw_only=True):
    type: ClassVar[str] = "offer.decline"
    reason: str = "declined"


class ContactCommand(Command, frozen=True, kw_only=True):
    contact_id: str
    agent_id: str | None = None
    """The agent who asks and must own the contact; None for supervisors and platforms."""


class CloseContact(ContactCommand, frozen=True, kw_only=True):
    type: ClassVar[str] = "contact.close"
    resolution: str = "solved"


class AbandonContact(ContactCommand, frozen=True, kw_only=True):
    type: ClassVar[str] = "contact.abandon"
    reason: str = "customer_left"


class ParkContact(ContactCommand, frozen=True, kw_only=True):
    type: ClassVar[str] = "contact.park"
    until: Instant | None = None
    reason: str = "awaiting_customer"


class ResumeContact(ContactCommand, frozen=True, kw_only=True):
    type: ClassVar[str] = "contact.resume"


class ReleaseContact(ContactCommand, frozen=True, kw_only=True):
    """Give a contact back to its queue; it keeps its age."""

    type: ClassVar[str] = "contact.release"
    reason: str = "released"


class BreakOut(ContactCommand, frozen=True, kw_only=True):
    """A contact leaves its group: it costs its own units, or waits again when its agent has no room for that."""

    type: ClassVar[str] = "contact.break_out"


class SetPriority(ContactCommand, frozen=True, kw_only=True):
    """`boost` in thousandths of the target, 0 to 250."""

    type: ClassVar[str] = "contact.set_priority"
    boost: int
    reason: str = "manual"


class TransferContact(ContactCommand, frozen=True, kw_only=True):
    """Give a contact to another queue, to an agent, or to whoever meets a requirement: exactly one is set."""

    type: ClassVar[str] = "contact.transfer"
    to_queue: str | None = None
    to_agent: str | None = None
    requirement: Requirement | None = None


class AssignContact(ContactCommand, frozen=True, kw_only=True):
    """Give a contact to an agent at once. `forced`: whether or not they are there, able and have room."""

    type: ClassVar[str] = "contact.assign"
    to_agent: str
    forced: bool = False


class ReferContact(ContactCommand, frozen=True, kw_only=True):
    """A linked contact shall open in another pool. `closes`: this one ends with it."""

    type: ClassVar[str] = "contact.refer"
    to_pool: str
    to_queue: str | None = None
    closes: bool = True


class CallBack(ContactCommand, frozen=True, kw_only=True):
    """The customer shall be called: a linked voice contact, now or at `callback_at`."""

    type: ClassVar[str] = "contact.call_back"
    callback_at: Instant | None = None
    closes: bool = True


class Consult(ContactCommand, frozen=True, kw_only=True):
    """Ask a queue's people or an agent for help with a contact that somebody has: exactly one is set."""

    type: ClassVar[str] = "contact.consult"
    to_queue: str | None = None
    to_agent: str | None = None


class RequeueAgent(Command, frozen=True, kw_only=True):
    """Everything that an agent holds goes back to its queues."""

    type: ClassVar[str] = "agent.requeue"
    agent_id: str


class DrainQueue(Command, frozen=True, kw_only=True):
    """Everything that waits in a queue goes to another one."""

    type: ClassVar[str] = "queue.drain"
    queue_id: str
    to_queue: str


class PutTarget(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "target.put"
    target_id: str
    match: Match = Match()
    metric: Metric
    seconds: int
    goal: float = 0.9
    calendar: str = "always"
    warn_at: tuple[float, ...] = ()
    escalate: tuple[EscalationStep, ...] = ()


class DeleteTarget(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "target.delete"
    target_id: str


class PutCalendar(Command, frozen=True, kw_only=True):
    """Open intervals in UTC, 400 days ahead, compiled by the SLA service's shell from hours and holidays."""

    type: ClassVar[str] = "calendar.put"
    calendar_id: str
    hours: str = "24/7"
    """In the syntax of OpenStreetMap, without comments; `timezone` (IANA) and the holidays' place say the rest."""
    timezone: str = "UTC"
    country: str | None = None
    subdivision: str | None = None
    open: tuple[tuple[int, int], ...]
    """(from, to) in microseconds, ascending, disjoint."""
    since: Instant | None = None
    """From when on `open` says all; what the same hours were open before it is kept. None: `open` is all there is."""
    replaces: int | None = None
    """The version that was compiled again: a calendar that is at another by now, or gone, stays as it is. None: it
    replaces whatever there is."""


class DeleteCalendar(Command, frozen=True, kw_only=True):
    type: ClassVar[str] = "calendar.delete"
    calendar_id: str


COMMAND_EVENTS: tuple[type[Event], ...] = (
    PutPool,
    DeletePool,
    PutPolicy,
    PutQueue,
    CompileQueueHours,
    DeleteQueue,
    PutAgent,
    DeleteAgent,
    DeleteSkill,
    SetPresence,
    RenewLeases,
    CompleteWrapUp,
    ExtendWrapUp,
    AcceptOffer,
    DeclineOffer,
    CloseContact,
    AbandonContact,
    ParkContact,
    ResumeContact,
    ReleaseContact,
    BreakOut,
    SetPriority,
    TransferContact,
    AssignContact,
    ReferContact,
    CallBack,
    Consult,
    RequeueAgent,
    DrainQueue,
    PutTarget,
    DeleteTarget,
    PutCalendar,
    DeleteCalendar,
    CommandDecided,
)
