"""P8: each step of a target's ladder happens exactly once, in order, never early; so do warnings and the breach.

Pure: reads the escalations of one partition, one event at a time. When a step may come at the earliest is worked out
from what `clock.started` pinned: exactly for the calendar `always`, and as a lower bound for one with closed hours.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from libs.common.events import SECOND
from libs.common.events.escalations import (
    ClockCancelled,
    ClockCorrected,
    ClockEvent,
    ClockMet,
    ClockResumed,
    ClockStarted,
    EscalationRaised,
    TargetBreached,
    TargetWarned,
)
from services.auditor.promises import ENDED_KEPT_SECONDS, Violation

Rung = tuple[int, int, int]
"""(share in thousandths, kind, index): a warning, the breach or a step, in the order in which they come."""
KINDS: Final[dict[Literal["warning", "breach", "step"], int]] = {"warning": 0, "breach": 1, "step": 2}
BREACH: Final[Rung] = (1_000, KINDS["breach"], 0)
ClockName = tuple[str, str, str]


@dataclass(slots=True)
class ClockView:
    started: ClockStarted
    due_at: int
    rungs: tuple[Rung, ...]
    raised: set[Rung] = field(default_factory=set)
    ended: bool = False

    def earliest(self, rung: Rung) -> int:
        thousandth = self.started.seconds * SECOND // 1_000
        if self.started.calendar == "always":
            return self.due_at + (rung[0] - 1_000) * thousandth
        return self.started.started_at + rung[0] * thousandth


class Ladders:
    """Reads one partition's escalations. `from_start` says that its first event is the topic's first."""

    def __init__(self, *, from_start: bool = True) -> None:
        self._from_start = from_start
        self._clocks: dict[ClockName, ClockView] = {}
        self._ended: deque[tuple[int, ClockName]] = deque()
        self._found: list[Violation] = []

    def take(self, event: ClockEvent) -> list[Violation]:
        """The promises that this record breaks."""
        self._forget(event.at)
        name = (event.key, event.contact_id, event.metric)
        clock = self._clocks.get(name)
        if isinstance(event, ClockStarted):
            self._start(name, clock, event)
        elif clock is not None:
            self._step(name, clock, event)
        elif self._from_start:
            self._broken(event, f"{event.type} of a clock that never started")
        found, self._found = self._found, []
        return found

    def _start(self, name: ClockName, clock: ClockView | None, event: ClockStarted) -> None:
        if clock is not None:
            self._broken(event, "its clock started twice")
        rungs: list[Rung] = [BREACH]
        rungs += [(round(share * 1_000), KINDS["warning"], n) for n, share in enumerate(event.warn_at)]
        rungs += [(round(step.at * 1_000), KINDS["step"], n) for n, step in enumerate(event.escalate)]
        self._clocks[name] = ClockView(event, event.due_at, tuple(sorted(rungs)))

    def _step(self, name: ClockName, clock: ClockView, event: ClockEvent) -> None:
        match event:
            case ClockResumed() | ClockCorrected():
                clock.due_at = event.due_at
            case ClockMet() | ClockCancelled():
                clock.ended = True
                self._ended.append((event.at, name))
            case TargetWarned():
                self._raised(clock, event, (round(event.share * 1_000), KINDS["warning"], self._warning(clock, event)))
            case EscalationRaised():
                self._raised(clock, event, (round(event.share * 1_000), KINDS["step"], event.step))
            case TargetBreached():
                self._breached(clock, event)

    def _warning(self, clock: ClockView, event: TargetWarned) -> int:
        """Which of the target's warnings it is; one that it doesn't have is reported."""
        shares = [round(share * 1_000) for share in clock.started.warn_at]
        share = round(event.share * 1_000)
        return shares.index(share) if share in shares else -1

    def _raised(self, clock: ClockView, event: ClockEvent, rung: Rung) -> None:
        if rung not in clock.rungs:
            self._broken(event, f"{event.type} {rung} is no step of its target")
        elif rung in clock.raised:
            self._broken(event, f"{event.type} {rung} a second time")
        elif clock.ended:
            self._broken(event, f"{event.type} {rung} after the clock's end")
        elif clock.raised != {*clock.rungs[: clock.rungs.index(rung)]}:
            self._broken(event, f"{event.type} {rung} out of order")
        elif event.at < clock.earliest(rung):
            self._broken(event, f"{event.type} {rung} at {event.at}, due at {clock.earliest(rung)}")
        clock.raised.add(rung)

    def _breached(self, clock: ClockView, event: TargetBreached) -> None:
        if BREACH in clock.raised:
            self._broken(event, "breached a second time")
        elif event.reason == "late" and event.at < event.due_at:
            self._broken(event, f"breached at {event.at}, due at {event.due_at}")
        clock.raised.add(BREACH)

    def _forget(self, now: int) -> None:
        while self._ended and self._ended[0][0] + ENDED_KEPT_SECONDS * SECOND < now:
            self._clocks.pop(self._ended.popleft()[1], None)

    def _broken(self, event: ClockEvent, detail: str) -> None:
        self._found.append(Violation("P8", event.key, event.contact_id, event.at, detail))
