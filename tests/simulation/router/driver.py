"""Pipe in, advance time, read out: the router's core driven as the machine drives it, without a log.

    pool = PoolDriver(agent("ann", "billing"), queue(offers_max=1))
    pool.receive(opened("c1", "billing"))
    pool.advance(seconds=20)
    assert pool.event_types() == [...]

Every event it gives out carries its sequence; what the core kept is written and can be read back at any moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from libs.common.core import SETTLES_MAX
from libs.common.events import SECOND, Event, Settle
from libs.common.events.commands import CommandDecided
from services.router.core.core import RouterCore
from services.router.core.floor import Floor
from services.router.core.partition import Partition
from services.router.core.state import Contact
from tests.simulation.router.builders import KEY, START

_JSON = msgspec.json.Encoder(order="deterministic")
CONFIGURATION = frozenset({"agent.updated", "agent.presence_changed", "queue.updated", "pool.updated"})


class Emitted(NamedTuple):
    event: Event
    sequence: int


class PoolDriver:
    def __init__(self, *setup: Iterable[Event], core: RouterCore | None = None, key: str = KEY) -> None:
        self.key = key
        self.core = core or RouterCore()
        self.state: Partition = self.core.new(0)
        self.now = START
        self.stored: dict[str, bytes] = {}
        self.emitted: list[Emitted] = []
        self.outcomes: list[CommandDecided] = []
        for events in setup:
            self.receive(*events)

    # -- in -----------------------------------------------------------------------------------------------------

    def receive(self, *events: Event) -> list[Event]:
        """Feed these, now; what followed from them."""
        before = len(self.emitted)
        for event in events:
            self.core.advance(self.state, self.now)
            self._take(event)
            self._fire(self.now)
            self._commit()
        return [emitted.event for emitted in self.emitted[before:]]

    def run(self, command: Event) -> CommandDecided:
        """Feed a command; its outcome."""
        self.receive(command)
        return self.outcomes[-1]

    def advance(self, seconds: float) -> list[Event]:
        """Let time pass, every timer at its moment; what followed."""
        before = len(self.emitted)
        until = self.now + round(seconds * SECOND)
        while (due := self.core.next_due(self.state)) is not None and due <= until:
            self.now = max(self.now, due)
            self._fire(self.now)
            self._commit()
        self.now = until
        return [emitted.event for emitted in self.emitted[before:]]

    def _fire(self, until: int) -> None:
        self.core.advance(self.state, self.now)
        while (timer := self.core.pop_timer(self.state, until)) is not None:
            self._take(timer)

    def _take(self, event: Event) -> None:
        self._apply(self.core.decide(self.state, event))
        for _ in range(SETTLES_MAX):
            settled = self.core.decide(self.state, Settle(key="", at=self.now))
            assert sum(one.type == "contact.offered" for one in settled) <= 1, "one offer a decision"
            if not settled:
                return
            self._apply(settled)

    def _apply(self, decided: Iterable[Event]) -> None:
        for event in decided:
            if isinstance(event, CommandDecided):
                self.outcomes.append(event)
                continue
            self.core.evolve(self.state, event)
            if event.topic is not None:
                self.emitted.append(Emitted(event, self.core.sequence(self.state, event)))

    def _commit(self) -> None:
        for key, entity in self.core.changed(self.state):
            if entity is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = _JSON.encode(entity)

    # -- a new owner --------------------------------------------------------------------------------------------

    def restore(self, order: Iterable[str] | None = None) -> None:
        """Go on from what was stored, as another process would; entities come in any order."""
        self.state = self.core.new(0)
        for key in order or self.stored:
            kind = key.partition("|")[0]
            self.core.load(self.state, key, msgspec.json.decode(self.stored[key], type=self.core.entities[kind]))
        self.core.loaded(self.state)
        self.core.advance(self.state, self.now)

    # -- out ----------------------------------------------------------------------------------------------------

    @property
    def floor(self) -> Floor:
        return self.state.floor(self.key)

    def contact(self, contact_id: str = "con_1") -> Contact:
        return self.floor.contacts[contact_id]

    def events(self, kind: str) -> list[Any]:
        """All events of a type so far."""
        return [emitted.event for emitted in self.emitted if emitted.event.type == kind]

    def event_types(self) -> list[str]:
        """Types so far, in order, without the configuration's."""
        return [one.event.type for one in self.emitted if one.event.type not in CONFIGURATION]

    def offers(self) -> list[tuple[str, str]]:
        """(contact, agent) of every offer so far."""
        return [(one.contact_id, one.agent_id) for one in self.events("contact.offered")]

    def live_offers(self) -> Iterator[Contact]:
        return (one for _, one in sorted(self.floor.contacts.items()) if one.state == "offered")
