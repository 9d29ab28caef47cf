"""A recorded log routed again: by the same weights the same follows, by others what they would have made of it."""

from __future__ import annotations

from functools import cache
from statistics import fmean

import msgspec
import pytest

from libs.common.events import CONTACTS, ESCALATIONS, ROUTING, SECOND, Event
from libs.common.events.routing import (
    ContactAssigned,
    ContactClosed,
    ContactParked,
    ContactPaused,
    ContactResumed,
)
from services.router.core.core import RouterCore
from services.router.core.partition import Partition
from services.simulator.core_router import KEY, CoreRouter
from services.simulator.metrics import measure
from services.simulator.play import START, Play, Played
from services.simulator.recording import LEASE_SECONDS, Recording, handling, recording, typical
from services.simulator.reroute import Reroute
from services.simulator.worlds import World, draw
from tests.simulation.router import builders as b
from tests.simulation.router.driver import PoolDriver
from tests.unit.simulator.written import comes, morning, worker, world

HOUR = 3_600 * SECOND
SAME = ("within_target", "wait_over_target", "wait_max_s", "wait_p99_s", "strike_relative", "abandoned")
_JSON = msgspec.json.Encoder(order="deterministic")


class Tape(RouterCore):
    """Writes down what the log would hold, and at `snapshot_at` what was known then."""

    def __init__(self, snapshot_at: int) -> None:
        self.events: dict[str, list[Event]] = {CONTACTS: [], ROUTING: [], ESCALATIONS: []}
        self.stored: dict[str, bytes] = {}
        self.snapshot_at = snapshot_at
        self.snapshot: tuple[int, list[tuple[str, bytes]]] | None = None
        self.last = 0

    def decide(self, state: Partition, event: Event) -> tuple[Event, ...]:
        if event.topic == CONTACTS and event.at >= self.snapshot_at and self.snapshot is None:
            self.keep(state)
            self.snapshot = (self.last, sorted(self.stored.items()))
        self.last = state.now
        if event.topic in (CONTACTS, ESCALATIONS):
            self.events[event.topic].append(event)
        return super().decide(state, event)

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if event.topic == ROUTING:
            self.events[ROUTING].append(event)
        self.keep(state)

    def keep(self, state: Partition) -> None:
        for key, entity in self.changed(state):
            self.stored.pop(key, None)
            self.stored |= {} if entity is None else {key: _JSON.encode(entity)}

    def recording(self, *, since_snapshot: bool) -> Recording:
        start, entities = self.snapshot if since_snapshot and self.snapshot is not None else (0, [])
        return recording(entities, start, None, [one for topic in self.events.values() for one in topic])


@cache
def recorded_morning() -> tuple[Played, Tape]:
    tape, of = Tape(START + 2 * HOUR), draw(morning(), 5)
    return Play(of, CoreRouter(of, core=tape)).run(), tape


def metrics_of(told: Recording, weights: dict[str, int] | None, since: int = 0) -> dict[str, float]:
    return Reroute(told, weights).run().by_pool(since, told.end)[KEY]


def test_by_the_recorded_weights_it_goes_as_it_went() -> None:
    played, tape = recorded_morning()
    again, before = metrics_of(tape.recording(since_snapshot=False), None), measure(played)
    names = [name for name in before if name.split(".")[0] in SAME]
    assert {name: again[name] for name in names} == pytest.approx({name: before[name] for name in names})


def test_it_can_begin_at_a_snapshot_with_all_that_was_under_way() -> None:
    played, tape = recorded_morning()
    since = START + round(2.5 * HOUR)
    again = metrics_of(tape.recording(since_snapshot=True), None, since)
    later = [
        fate.started is not None and fate.started - fate.arrived <= 20 * SECOND
        for fate, arrival in zip(played.fates, played.world.arrivals, strict=True)
        if arrival.channel == 0 and fate.arrived >= since
    ]
    assert again["within_target.voice"] == pytest.approx(fmean(later))


def taped(of: World, weights: dict[str, int] | None = None) -> Recording:
    tape = Tape(START)
    Play(of, CoreRouter(of, weights, tape)).run()
    return tape.recording(since_snapshot=False)


BLIND = {"reach": 0, "sentiment": 0, "tier": 0, "strikes": 0}
CROWD = BLIND | {"reach": 250}


@pytest.mark.parametrize(("rule", "recorded", "tried", "waits"), [
    ("the weights that are tried",        BLIND, CROWD, 1_193),
    ("stand also where others were set",  CROWD, BLIND, 1_243),
    ("without any, those that were set",  CROWD, None,  1_193),
])  # fmt: skip
def test_weights_decide_who_is_served_first(
    rule: str, recorded: dict[str, int], tried: dict[str, int] | None, waits: int
) -> None:
    """A call holds the agent; five posts wait, and after them one that many can see. Five fit at once."""
    posts = [comes(1 + place, "post", 50) for place in range(5)]
    many = comes(7, "post", 50, reach=900.0)
    told = taped(world(comes(0, "voice", 1_200), *posts, many, workers=(worker("voice", "post"),)), recorded)
    exposure = (900 * waits + 5 * 1_200) / 60e6
    assert metrics_of(told, tried)["reach_minutes"] == pytest.approx(exposure, rel=0.01), rule


def test_who_had_left_unserved_leaves_again_unless_someone_has_begun() -> None:
    of = world(comes(0, "voice", 100), comes(1, "voice", patience=50.0), workers=(worker("voice"),))
    assert metrics_of(taped(of), None)["abandoned"] == 0.5


def test_presence_lasts_as_long_as_it_was_recorded_to_last() -> None:
    """Forty days are longer than a lease: she is there until she leaves, and then no more."""
    day = 24 * HOUR
    come = [b.opened(f"con_{at}", at=at * day, occurred_at=at * day, key=KEY) for at in (40, 42)]
    gone = b.presence("ann", "offline", at=41 * day, key=KEY)
    put, here = b.agent("ann", key=KEY)[0], b.presence("ann", lease=LEASE_SECONDS, key=KEY)
    inputs = (*(msgspec.structs.replace(one, at=0) for one in (put, here)), come[0], gone, come[1])
    told = Recording(entities=[], start=0, end=43 * day, inputs=inputs, handled={}, typical={"email": 60 * SECOND})
    assert metrics_of(told, None) == metrics_of(told, None) | {"abandoned": 0.5, "wait_max_s.email": 86_400.0}


def test_an_offer_that_was_live_at_the_beginning_is_accepted() -> None:
    pool = PoolDriver(b.agent("ann"))
    pool.receive(b.opened())
    told = Recording(
        entities=sorted(pool.stored.items()), start=pool.now, end=pool.now + HOUR, inputs=(),
        handled={"con_1": 60 * SECOND}, typical={},
    )  # fmt: skip
    book = Reroute(told, None).run().contacts["con_1"]
    assert (book.started, book.closed) == (pool.now, pool.now + 60 * SECOND)


def decided(kind: type[Event], at: int, contact: str = "con_1") -> Event:
    plain = {
        "agent_id": "ann", "queue": "q", "channel": "email", "medium": "async", "units": 20, "waited_seconds": 0.0,
        "paused_for": "con_2", "pause_left_seconds": 9.0, "waiting_since": 0, "reason": "unpaused",
        "resolution": "solved",
    }  # fmt: skip
    fields = {name: plain[name] for name in kind.__struct_fields__ if name in plain}
    return kind(key=KEY, at=at * SECOND, **fields | {"contact_id": contact})


A, P, C = ContactAssigned, ContactParked, ContactClosed
H, R = ContactPaused, ContactResumed


@pytest.mark.parametrize(("rule", "events", "held", "seconds"), [
    ("from assigned to closed",           [(A, 10), (C, 40)],                   {},                 {"con_1": 30}),
    ("not while it is parked",            [(A, 10), (P, 20), (A, 50), (C, 55)], {},                 {"con_1": 15}),
    ("nor while it is paused",            [(A, 10), (H, 20), (R, 50), (C, 55)], {},                 {"con_1": 15}),
    ("who is worked on still is unknown", [(A, 10)],                            {},                 {}),
    ("what was in hand goes on",          [(C, 40)],                            {"con_1": "email"}, {"con_1": 35}),
    ("closed unserved is no handling",    [(C, 40)],                            {},                 {}),
])  # fmt: skip
def test_handling_times(
    rule: str, events: list[tuple[type[Event], int]], held: dict[str, str], seconds: dict[str, int]
) -> None:
    handled, _ = handling([decided(kind, at) for kind, at in events], 5 * SECOND, held)
    assert handled == {contact: time * SECOND for contact, time in seconds.items()}, rule


def test_what_is_typical_is_the_median_of_the_channel() -> None:
    times, channels = {"a": 10 * SECOND, "b": 20 * SECOND, "c": 90 * SECOND}, {"a": "x", "b": "x", "c": "x"}
    assert typical(times, channels) == {"x": 20 * SECOND}
