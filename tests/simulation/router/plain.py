"""What the plain policy knows of a contact and of an agent, and what a requirement means to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile
from typing import Any

from libs.common.events import SECOND, contacts
from libs.common.events.values import Capacity, QueueRules, Requirement

TARGETS = {"email": 14_400, "x": 900, "whatsapp": 1_800, "chat": 60, "voice": 20}


@dataclass(eq=False)
class Work:
    id: str
    fact: contacts.ContactOpened
    queue: QueueRules
    boost: int
    since: int
    reach: int
    state: str = "waiting"
    agent: str = ""
    offers: int = 0
    expires: int = 0
    relaxed: int = 0
    relaxed_at: int = 0
    bounces: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    held_until: int = 0
    sought: bool = True
    flag: str = ""

    @property
    def target(self) -> int:
        return TARGETS[self.fact.channel] * SECOND

    @property
    def calls(self) -> bool:
        return self.fact.medium == "voice"

    def needs(self, step: int | None = None) -> tuple[Requirement | None, Requirement | None]:
        step = self.relaxed if step is None else step
        return self.fact.requirement, self.queue.relax[step - 1].requirement if step else self.queue.requirement

    def relaxed_at_once(self) -> int:
        return len(list(takewhile(lambda step: step.after_seconds == 0, self.queue.relax)))

    def ahead(self) -> list[int]:
        """Steps that may be passed while nobody is there for those before."""
        steps = list(enumerate(self.queue.relax, 1))[self.relaxed :]
        return [n for n, _ in takewhile(lambda step: step[1].skip == "nobody_available", steps)]

    def score(self, now: int) -> Fraction:
        late = now - (self.since - self.boost * self.target // 1_000) - self.target
        return Fraction(late, self.target) if late >= 0 else Fraction(late, 1_000 * SECOND)


@dataclass(eq=False)
class Person:
    id: str
    skills: dict[str, int]
    capacity: Capacity
    available: bool = False
    shift: int = 0
    assigned_at: int = 0
    ageing: int = 0
    express: int = 0
    channel: str = ""
    hungry: bool = False


def meets(skills: dict[str, int], needs: tuple[Requirement | None, Requirement | None]) -> bool:
    return all(
        all(skills.get(one.skill, 0) >= one.level for one in need.all)
        and (not need.any or any(skills.get(one.skill, 0) >= one.level for one in need.any))
        and not any(skills.get(one.skill, 0) >= one.level for one in need.none)
        for need in needs
        if need is not None
    )


def alike(one: Work) -> tuple[Any, ...]:
    """What makes contacts stand in one line: among themselves they cause no regret."""
    steps = tuple(one.needs(step) for step in one.ahead())
    return one.needs(), steps, one.fact.channel, tuple(sorted(one.asked.items())), one.flag == "nobody_answers"
