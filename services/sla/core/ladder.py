"""The moments of a target, in the order in which they are raised.

Warnings, the breach and the steps each come at a share of the target's seconds. At an equal share a warning goes
before the breach and the breach before a step; steps of equal share keep the order of the target. Shares are
thousandths, so that every moment is a whole number of microseconds on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from libs.common.events.values import EscalationStep

Kind = Literal["warning", "breach", "step"]
RANK: Final[dict[Kind, int]] = {"warning": 0, "breach": 1, "step": 2}
BREACH_SHARE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Moment:
    kind: Kind
    share: int
    """Thousandths of the target's seconds."""
    index: int
    """Which warning, or which step of the ladder."""

    def offset(self, seconds: int) -> int:
        """Microseconds of open time from the clock's start."""
        return self.share * seconds * 1_000


def thousandths(share: float) -> int:
    return round(share * 1_000)


def moments(warn_at: tuple[float, ...], escalate: tuple[EscalationStep, ...]) -> tuple[Moment, ...]:
    found = [Moment("breach", BREACH_SHARE, 0)]
    found += [Moment("warning", thousandths(share), index) for index, share in enumerate(warn_at)]
    found += [Moment("step", thousandths(step.at), index) for index, step in enumerate(escalate)]
    return tuple(sorted(found, key=lambda moment: (moment.share, RANK[moment.kind], moment.index)))


def last_offset(seconds: int, escalate: tuple[EscalationStep, ...]) -> int:
    """Microseconds of open time after which the last moment has come."""
    return max(moment.offset(seconds) for moment in moments((), escalate))
