"""What stays inside the SLA machine: facts as they are noted, a contact's coming and going, timers that fell due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from libs.common.events import Internal
from libs.common.events.values import Medium, Visibility

FactKind = Literal["response", "message", "connected", "parked", "resumed", "wrapped_up", "withdrawn"]

OUTSIDE: tuple[FactKind, ...] = ("response", "message")
"""Facts that may turn out to be a repeat contact's: they are addressed to the contact that it repeats."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that moves clocks. `at` is when it happened, in microseconds; it may be known much later."""

    kind: FactKind
    at: int
    told_at: int | None = None
    """Of what comes from outside: when it was known here, which a clock that runs ahead may date it after."""

    @property
    def happened_at(self) -> int:
        """Nothing happened after it was told."""
        return self.at if self.told_at is None else min(self.at, self.told_at)


class ContactInternal(Internal, frozen=True, kw_only=True):
    contact_id: str


class FactNoted(ContactInternal, frozen=True, kw_only=True):
    """Remembered until the contact is queued, then applied in the order in which it came."""

    type: ClassVar[str] = "sla.fact_noted"
    fact: Fact


class FactApplied(ContactInternal, frozen=True, kw_only=True):
    """The contact's next fact has had its effect on the clocks."""

    type: ClassVar[str] = "sla.fact_applied"
    fact: Fact


class ReachNoted(ContactInternal, frozen=True, kw_only=True):
    type: ClassVar[str] = "sla.reach_noted"
    reach: int


class ContactEntered(ContactInternal, frozen=True, kw_only=True):
    """The router queued it: its traits are known and its targets are pinned now."""

    type: ClassVar[str] = "sla.contact_entered"
    queue: str
    channel: str
    medium: Medium
    visibility: Visibility
    opened_at: int
    reach: int
    inherited: tuple[Fact, ...] = ()
    """Of a repeat contact: what was addressed to its predecessor after the repeat had begun."""


class ContactEnded(ContactInternal, frozen=True, kw_only=True):
    type: ClassVar[str] = "sla.contact_ended"
    reason: str


class ContactForgotten(ContactInternal, frozen=True, kw_only=True):
    type: ClassVar[str] = "sla.contact_forgotten"


class ClockFellDue(ContactInternal, frozen=True, kw_only=True):
    """A timer: the clock's next warning, breach or step is due at `at`."""

    type: ClassVar[str] = "sla.clock_fell_due"
    metric: str


class ForgettingFellDue(ContactInternal, frozen=True, kw_only=True):
    type: ClassVar[str] = "sla.forgetting_fell_due"
