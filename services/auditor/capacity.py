"""What an agent holds and may hold, as the events tell it: an offer or assignment more, a pause, its end.

What is paused takes no units. An offer may rely on pausing what its contact may interrupt; by the assignment it has
been paused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from libs.common.events import SECOND
from libs.common.events.values import Capacity


@dataclass(slots=True)
class Pauses:
    """Of one contact, in microseconds. All of them together end before its budget is spent, or with the last one."""

    budget: int | None = None
    """None until an event says it."""
    total: int = 0
    since: int | None = None

    def allow(self, target_seconds: int) -> None:
        self.budget = target_seconds * SECOND // 2

    def end(self, at: int) -> None:
        self.total += 0 if self.since is None else at - self.since
        self.since = None

    @property
    def is_spent(self) -> bool:
        return self.budget is not None and self.total >= self.budget


@dataclass(slots=True)
class Held:
    channel: str
    medium: str
    units: int
    pauses: Pauses = field(default_factory=Pauses)
    state: Literal["offered", "assigned", "wrap_up"] = "offered"

    @property
    def takes(self) -> int:
        return self.units if self.pauses.since is None else 0


@dataclass(slots=True)
class AgentView:
    status: str | None = "offline"
    capacity: Capacity | None = field(default_factory=Capacity)
    """None until an event says it: who begins in the middle knows neither."""
    holds: dict[str, Held] = field(default_factory=dict)

    def breaks_capacity(self, contact_id: str, more: Held) -> str | None:
        """Why one more doesn't fit, as an offer by any pause; None when it does."""
        if self.capacity is None:
            return None
        others = self._others(contact_id)
        used = sum(held.takes for held in others) + more.units
        room = self._pausable(others, more.medium) if more.state == "offered" else 0
        if used - room > self.capacity.units:
            return f"{used} units of {self.capacity.units}"
        for name, most in self.capacity.max.items():
            count = 1 + sum(name in (held.channel, held.medium) for held in others if held.units)
            if more.units and name in (more.channel, more.medium) and count > most:
                return f"{count} of at most {most} {name}"
        return None

    def spares_a_pause(self, contact_id: str, accepted: Held) -> str | None:
        """Why what was accepted should have paused more; None when it fits, or nothing is left to be paused."""
        others = self._others(contact_id)
        used = sum(held.takes for held in others) + accepted.units
        if self.capacity is None or used <= self.capacity.units or not self._pausable(others, accepted.medium):
            return None
        return f"{used} units of {self.capacity.units}, and what could be paused is not"

    def breaks_pausing(self, contact_id: str, by: str | None) -> str | None:
        """Why this one may not be paused for something of that medium, if that is known; None when it may."""
        held = self.holds.get(contact_id)
        if self.capacity is None or held is None:
            return None
        if held.state != "assigned" or held.pauses.since is not None:
            return "nobody is at it"
        if held.pauses.is_spent:
            return f"was paused for {held.pauses.total // SECOND} seconds already"
        interrupts = by is None or by in self.capacity.interrupted_by.get(held.medium, ())
        return None if interrupts else f"{by} may not interrupt {held.medium}"

    def breaks_going_on(self, contact_id: str) -> str | None:
        """Why there is no room for a paused one; None when there is, or it would be alone."""
        held = self.holds.get(contact_id)
        if held is not None and held.pauses.since is None:
            return "it isn't paused"
        used = sum(other.takes for other in self._others(contact_id))
        if self.capacity is None or held is None or not used or used + held.units <= self.capacity.units:
            return None
        return f"goes on with {used + held.units} units of {self.capacity.units}"

    def wraps_up(self, contact_id: str) -> None:
        if contact_id in self.holds:
            self.holds[contact_id].state = "wrap_up"

    def _others(self, contact_id: str) -> list[Held]:
        return [held for other, held in self.holds.items() if other != contact_id]

    def _pausable(self, others: list[Held], by: str) -> int:
        assert self.capacity is not None
        return sum(
            held.takes
            for held in others
            if held.state == "assigned" and not held.pauses.is_spent
            and by in self.capacity.interrupted_by.get(held.medium, ())
        )  # fmt: skip
