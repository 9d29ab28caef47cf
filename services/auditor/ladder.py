"""P8: each step of a target's ladder happens exactly once, in order, never early; so do warnings and the breach.

Pure: reads the escalations of one partition, one event at a time. When a step comes is worked out from what
`clock.started` pinned and from the pauses: exactly for the calendar `always`, so that a step that never comes is
missed too, and as a lower bound for one with closed hours.
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
    ClockPaused,
    ClockResumed,
    ClockStarted,
    EscalationRaised,
    TargetBreached,
    TargetWarned,
)
from services.auditor.agenda import Agenda
from services.auditor.promises import ENDED_KEPT_SECONDS, Violation

OVERDUE_AFTER_SECONDS: Final = 300
"""How long after it fell due, or after its owner began again, a step is given up: what it waits for may be long."""

Rung = tuple[int, int, int]
"""(share in thousandths, kind, index): a warning, the breach or a step, in the order in which they come."""
KINDS: Final[dict[Literal["warning", "breach", "step"], int]] = {"warning": 0, "breach": 1, "step": 2}
BREACH: Final[Rung] = (1_000, KINDS["breach"], 0)
ClockName = tuple[str, str, str]
"""A pool's key, a contact and a metric."""


@dataclass(slots=True)
class ClockView:
    started: ClockStarted
    dues: dict[Rung, int]
    """In the order in which they come: when each does, or with closed hours when at the earliest."""
    changed_at: int
    """When the clock was last started or set going again: what was due before is raised from then on."""
    raised: set[Rung] = field(default_factory=set)
    paused_at: int | None = None
    ended: bool = False
    ends_at: int | None = None
    """What was just said of it is true only if it ends in the same decision."""
    look_at: int | None = None
    """When it is looked at next; None when it needn't be."""

    @property
    def exact(self) -> bool:
        return self.started.calendar == "always"

    def next_rung(self) -> Rung | None:
        """What comes next as things stand; None when nothing does, or nobody can say when."""
        if self.ended or not self.exact:
            return None
        rung = next((rung for rung in self.dues if rung not in self.raised), None)
        stands = rung is not None and self.paused_at is not None and self.paused_at < self.dues[rung]
        return None if stands else rung

    def comes_next(self, rung: Rung) -> bool:
        return all((other in self.raised) == (other < rung) for other in self.dues)

    def resume(self, at: int) -> None:
        """What had come before the pause stays; the rest comes later by its length."""
        if self.paused_at is not None and self.exact:
            length, before = at - self.paused_at, self.paused_at
            self.dues = {rung: due if due <= before else due + length for rung, due in self.dues.items()}
        self.paused_at = None


class Ladders:
    """Reads one partition's escalations. `from_start` says that its first event is the topic's first."""

    def __init__(self, *, from_start: bool = True) -> None:
        self._from_start = from_start
        self._restored_at = 0
        self._clocks: dict[ClockName, ClockView] = {}
        self._ended: deque[tuple[int, ClockName]] = deque()
        self._agenda: Agenda[ClockName] = Agenda(self._matters)
        self._found: list[Violation] = []

    def take(self, event: ClockEvent) -> list[Violation]:
        """The promises that this record breaks."""
        self._time(event.at)
        name = (event.key, event.contact_id, event.metric)
        clock = self._clocks.get(name)
        if isinstance(event, ClockStarted):
            self._start(name, clock, event)
        elif clock is not None:
            self._step(name, clock, event)
        elif self._from_start:
            self._broken(event, f"{event.type} of a clock that never started")
        return self._drain()

    def restored(self, at: int) -> None:
        """The owner of this partition began again at `at`: what fell due meanwhile is raised from then on."""
        self._restored_at = max(self._restored_at, at)

    def pass_time(self, now: int) -> list[Violation]:
        """Nothing more was said up to now: what should have been raised a while ago was not."""
        self._time(now)
        return self._drain()

    # -- a clock's life -----------------------------------------------------------------------------------------

    def _start(self, name: ClockName, clock: ClockView | None, event: ClockStarted) -> None:
        if clock is not None:
            self._broken(event, "its clock started twice")
        rungs: list[Rung] = [BREACH]
        rungs += [(round(share * 1_000), KINDS["warning"], n) for n, share in enumerate(event.warn_at)]
        rungs += [(round(step.at * 1_000), KINDS["step"], n) for n, step in enumerate(event.escalate)]
        dues = {rung: event.started_at + rung[0] * event.seconds * (SECOND // 1_000) for rung in sorted(rungs)}
        clock = self._clocks[name] = ClockView(event, dues, event.at)
        self._look_again(name, clock)

    def _step(self, name: ClockName, clock: ClockView, event: ClockEvent) -> None:
        self._check_it_ends(clock, event)
        match event:
            case ClockPaused():
                clock.paused_at = event.paused_at
            case ClockResumed():
                clock.resume(event.resumed_at)
                clock.changed_at = event.at
                self._look_again(name, clock)
            case ClockCorrected(reason="response_dated_earlier"):
                clock.ended = False
                self._has_to_end(name, clock, event.at)
            case ClockMet() | ClockCancelled():
                self._end(name, clock, event)
            case TargetWarned():
                self._raised(clock, event, (round(event.share * 1_000), KINDS["warning"], self._warning(clock, event)))
            case EscalationRaised():
                self._raised(clock, event, (round(event.share * 1_000), KINDS["step"], event.step))
            case TargetBreached():
                self._breached(name, clock, event)

    def _warning(self, clock: ClockView, event: TargetWarned) -> int:
        """Which of the target's warnings it is; one that it doesn't have is reported."""
        shares = [round(share * 1_000) for share in clock.started.warn_at]
        share = round(event.share * 1_000)
        return shares.index(share) if share in shares else -1

    def _raised(self, clock: ClockView, event: ClockEvent, rung: Rung) -> None:
        if rung not in clock.dues:
            self._broken(event, f"{event.type} {rung} is no step of its target")
        elif rung in clock.raised:
            self._broken(event, f"{event.type} {rung} a second time")
        elif clock.ended:
            self._broken(event, f"{event.type} {rung} after the clock's end")
        elif clock.ends_at is None and not clock.comes_next(rung):
            self._broken(event, f"{event.type} {rung} out of order")
        elif clock.ends_at is None and event.at < clock.dues[rung]:
            self._broken(event, f"{event.type} {rung} at {event.at}, due at {clock.dues[rung]}")
        clock.raised.add(rung)

    def _breached(self, name: ClockName, clock: ClockView, event: TargetBreached) -> None:
        """Whoever ends unanswered is a miss, before it was due too; and a late end comes before warnings that wait."""
        if event.reason != "late" or (event.at >= clock.dues[BREACH] and not clock.comes_next(BREACH)):
            self._has_to_end(name, clock, event.at)
        if event.reason == "late" and not clock.exact and event.at < event.due_at:
            self._broken(event, f"breached at {event.at}, due at {event.due_at}")
        self._raised(clock, event, BREACH)

    # -- its end ------------------------------------------------------------------------------------------------

    def _end(self, name: ClockName, clock: ClockView, event: ClockMet | ClockCancelled) -> None:
        if clock.ended:
            self._broken(event, f"{event.type} after the clock's end")
        if isinstance(event, ClockMet):
            self._check_fulfilment(clock, event)
        elif event.reason in ("closed_unanswered", "abandoned") and BREACH not in clock.raised:
            self._broken(event, f"{event.reason}, and never breached")
        clock.ended, clock.look_at = True, None
        self._ended.append((event.at, name))

    def _check_fulfilment(self, clock: ClockView, event: ClockMet) -> None:
        """Whether the promise was kept as it says; a paused clock stood still when it was fulfilled."""
        at = event.met_at if clock.paused_at is None else min(event.met_at, clock.paused_at)
        if event.late and BREACH not in clock.raised:
            self._broken(event, "fulfilled late, and never breached")
        if not event.late and clock.exact and at > clock.dues[BREACH]:
            self._broken(event, f"in time at {at}, due at {clock.dues[BREACH]}")

    def _has_to_end(self, name: ClockName, clock: ClockView, at: int) -> None:
        clock.ends_at = at
        self._look_at(name, clock, at)

    def _check_it_ends(self, clock: ClockView, event: ClockEvent) -> None:
        ends = isinstance(event, ClockMet | ClockCancelled) and event.at == clock.ends_at
        if clock.ends_at is not None and not ends:
            self._broken(event, f"{event.type}, where the clock had to end at {clock.ends_at}")
        clock.ends_at = None

    # -- what time alone breaks ---------------------------------------------------------------------------------

    def _time(self, now: int) -> None:
        while self._ended and self._ended[0][0] + ENDED_KEPT_SECONDS * SECOND < now:
            self._clocks.pop(self._ended.popleft()[1], None)
        for _, name in self._agenda.due(now):
            self._look(now, name, self._clocks[name])

    def _look(self, now: int, name: ClockName, clock: ClockView) -> None:
        rung = clock.next_rung()
        if clock.ends_at is not None and clock.ends_at < now:
            self._missed(now, name, clock, f"never ended at {clock.ends_at}")
        elif rung is not None and self._overdue_at(clock, rung) < now:
            self._missed(now, name, clock, f"{rung} was due at {clock.dues[rung]}")
        else:
            self._look_again(name, clock)

    def _look_again(self, name: ClockName, clock: ClockView) -> None:
        rung = clock.next_rung()
        self._look_at(name, clock, None if rung is None else self._overdue_at(clock, rung))

    def _look_at(self, name: ClockName, clock: ClockView, at: int | None) -> None:
        clock.look_at = at
        if at is not None:
            self._agenda.add(at, name)

    def _overdue_at(self, clock: ClockView, rung: Rung) -> int:
        return max(clock.dues[rung], clock.changed_at, self._restored_at) + OVERDUE_AFTER_SECONDS * SECOND

    def _matters(self, at: int, name: ClockName) -> bool:
        clock = self._clocks.get(name)
        return clock is not None and clock.look_at == at

    def _missed(self, now: int, name: ClockName, clock: ClockView, detail: str) -> None:
        """Once a clock: what would have followed is missed too."""
        clock.look_at = None
        key, contact_id, metric = name
        self._found.append(Violation("P8", key, contact_id, now, f"{metric}: {detail}"))

    # -- what was found -----------------------------------------------------------------------------------------

    def _broken(self, event: ClockEvent, detail: str) -> None:
        self._found.append(Violation("P8", event.key, event.contact_id, event.at, detail))

    def _drain(self) -> list[Violation]:
        found, self._found = self._found, []
        return found
