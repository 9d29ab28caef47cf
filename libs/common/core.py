"""What a core is to the machine that runs it: pure functions over the state of one partition.

`decide` chooses and changes nothing; `evolve` applies and chooses nothing. Neither sees a clock, randomness, I/O,
or an order that depends on hashing. Time arrives: the machine calls `advance(state, now)` once a batch, so that
`state.now` is the time of every decision in it; an event's own `at` is when that event became a fact.

State is made of entities (agents, contacts, queues, clocks …), each a dataclass or struct kept under a key such as
`contact|<workspace>/<pool>|con_x`. `evolve` changes them in place and marks their keys; `changed` drains the marks.
Timers and indexes are derived from entities: they are rebuilt by `load` and never stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from libs.common.events import Event, Topic

S = TypeVar("S")

SETTLES_MAX = 64
"""How often `decide` is asked to settle after one input; more work than that goes on at the next batch."""


class Core(Protocol[S]):
    service: str
    """`router`, `sla`: names the state and journal topics and the metrics."""
    version: str
    """The code version that the journal records."""
    inputs: tuple[Topic, ...]
    """Topics in the order in which a batch feeds what has no order of its own."""
    entities: Mapping[str, type[Any]]
    """Kind of entity (the key's part before the first `|`) → its class."""

    def new(self, partition: int) -> S:
        """The empty state of a partition."""
        ...

    def load(self, state: S, key: str, entity: Any) -> None:
        """Put one restored entity in its place; entities come in any order."""
        ...

    def loaded(self, state: S) -> None:
        """All entities are there: rebuild the indexes and timers, in an order that depends on keys alone."""
        ...

    def advance(self, state: S, now: int) -> None:
        """The time of the decisions that follow; never runs back."""
        ...

    def decide(self, state: S, event: Event) -> tuple[Event, ...]:
        """What follows from an input, a timer or `Settle`. A command is answered by exactly one CommandDecided."""
        ...

    def evolve(self, state: S, event: Event) -> None:
        """Apply one decided event."""
        ...

    def sequence(self, state: S, event: Event) -> int:
        """The gapless number of a public event that was just evolved, counted for its subject."""
        ...

    def next_due(self, state: S) -> int | None:
        """When the earliest timer falls due (microseconds); stale timers don't count."""
        ...

    def pop_timer(self, state: S, until: int) -> Event | None:
        """Take the earliest timer, in (due, id) order, that is due by `until`, as its event."""
        ...

    def changed(self, state: S) -> Iterable[tuple[str, Any | None]]:
        """Drain the changed entities as (key, entity), None for one that is gone, in ascending key order."""
        ...
