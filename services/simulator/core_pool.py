"""The product's own router core on virtual time: an event in, the decisions out. No log and no records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from libs.common.core import SETTLES_MAX
from libs.common.events import Event, Settle
from libs.common.events.commands import CommandDecided
from services.router.core.core import RouterCore
from services.router.core.partition import Partition

DRAIN_EVENTS: Final = 1_000


class Refused(ValueError):
    """The core refused a command of the set-up; the message has its code."""


class CorePool:
    """What `libs.common.machine` does with a core, as far as it decides: settle after every input, fire timers."""

    def __init__(self, core: RouterCore | None = None) -> None:
        self.core = core or RouterCore()
        self.state: Partition = self.core.new(0)
        self._fed = 0

    def restore(self, entities: Iterable[tuple[str, bytes]], now: int) -> None:
        """Begin with a snapshot of a partition's state; what is the machine's own in it is passed over."""
        for key, value in entities:
            kind = self.core.entities.get(key.partition("|")[0])
            if kind is not None:
                self.core.load(self.state, key, msgspec.json.decode(value, type=kind))
        self.core.loaded(self.state)
        self.core.advance(self.state, now)

    def feed(self, event: Event, now: int) -> list[Event]:
        """Take one input and every timer that is due; the public decisions that follow, in order."""
        self.core.advance(self.state, now)
        decided: list[Event] = []
        self._take(event, decided)
        self._fire(now, decided)
        self._fed += 1
        if self._fed % DRAIN_EVENTS == 0:
            self.core.changed(self.state)  # Nobody restores: what changed needs no record.
        return decided

    def configure(self, events: Iterable[Event], now: int) -> None:
        """Raises Refused where a command is."""
        for event in events:
            for decision in self.feed(event, now):
                if isinstance(decision, CommandDecided) and decision.status >= 400:
                    raise Refused(f"{event.type}: {decision.code} {decision.state}")

    def next_due(self) -> int | None:
        return self.core.next_due(self.state)

    def fire(self, now: int) -> list[Event]:
        """Every timer that is due by `now`."""
        self.core.advance(self.state, now)
        decided: list[Event] = []
        self._fire(now, decided)
        return decided

    def _fire(self, now: int, decided: list[Event]) -> None:
        while (timer := self.core.pop_timer(self.state, now)) is not None:
            self._take(timer, decided)

    def _take(self, event: Event, decided: list[Event]) -> None:
        self._apply(self.core.decide(self.state, event), decided)
        settle = Settle(key="", at=self.state.now)
        for _ in range(SETTLES_MAX):
            settled = self.core.decide(self.state, settle)
            if not settled:
                return
            self._apply(settled, decided)

    def _apply(self, events: tuple[Event, ...], decided: list[Event]) -> None:
        for event in events:
            if not isinstance(event, CommandDecided):
                self.core.evolve(self.state, event)
            if event.topic is not None:
                decided.append(event)
