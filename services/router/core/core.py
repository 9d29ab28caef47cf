"""The router's core as the machine runs it: state, decisions, timers and sequences of one partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from libs.common.events import COMMANDS, CONTACTS, ESCALATIONS, Event, Topic
from services.router.core.decide import decide
from services.router.core.evolve import evolve, sequence
from services.router.core.partition import Partition
from services.router.core.state import ENTITIES

VERSION: Final = "2"


class RouterCore:
    service: str = "router"
    version: str = VERSION
    inputs: tuple[Topic, ...] = (CONTACTS, COMMANDS, ESCALATIONS)
    entities: Mapping[str, type[Any]] = ENTITIES

    def new(self, partition: int) -> Partition:
        return Partition(partition)

    def load(self, state: Partition, key: str, entity: Any) -> None:
        state.load(key, entity)

    def loaded(self, state: Partition) -> None:
        state.loaded()

    def advance(self, state: Partition, now: int) -> None:
        state.now = max(state.now, now)

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        return decide(state, event)

    def evolve(self, state: Partition, event: Event) -> None:
        evolve(state, event)

    def sequence(self, state: Partition, event: Event) -> int:
        return sequence(state, event)

    def next_due(self, state: Partition) -> int | None:
        return state.next_due()

    def pop_timer(self, state: Partition, until: int) -> Event | None:
        return state.pop_timer(until)

    def changed(self, state: Partition) -> Iterable[tuple[str, Any | None]]:
        return state.drain()
