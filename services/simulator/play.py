"""Plays a world on virtual time: contacts come, wait, are worked on and leave, and a router says who works on what.

The router is told what happens and answers with moves; this file keeps the books, the same for every router. Work
starts when it is given and takes the contact's own time, chats of one agent longer where the scenario says so; paused
work goes on where it stopped. Times are microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple, Protocol

from libs.common.events import SECOND
from services.simulator.scenarios import FLUENT_LEVEL, Channel
from services.simulator.worlds import Arrival, Worker, World

START: Final = 1_800_000_000 * SECOND
"""When every world begins."""
ARRIVES: Final = 0
ENDS: Final = 1
LEAVES: Final = 2
TICK_EVENTS: Final = 500


class Started(NamedTuple):
    """The agent works on the contact from now on. Both by their number in the world."""

    contact: int
    agent: int


class Paused(NamedTuple):
    contact: int


class Resumed(NamedTuple):
    contact: int


Move = Started | Paused | Resumed


class Router(Protocol):
    """Who works on what. Every call is at `now`, which never runs back."""

    def arrive(self, contact: int, now: int) -> Iterable[Move]: ...

    def leave(self, contact: int, now: int) -> Iterable[Move]:
        """A contact that waits has gone."""
        ...

    def finish(self, contact: int, now: int) -> Iterable[Move]:
        """The work on it is done."""
        ...

    def next_due(self) -> int | None:
        """When the router wants to be asked again, whatever happens until then."""
        ...

    def wake(self, now: int) -> Iterable[Move]: ...


@dataclass(slots=True)
class Fate:
    """What became of a contact."""

    arrived: int
    started: int | None = None
    agent: int | None = None
    left: int | None = None
    turned_away: bool = False
    """It left because the waiting room was full."""
    ended: int | None = None
    """When its work ends, as far as is known; not while it is paused."""
    remaining: int = 0
    """Of the work, when it was paused."""
    paused_at: int | None = None
    paused: int = 0
    """For how long, in all."""
    version: int = 0
    """Counts the changes of its end: an end of another version is no longer true."""

    @property
    def waits(self) -> bool:
        return self.started is None and self.left is None


@dataclass(slots=True)
class Played:
    world: World
    fates: list[Fate]
    busy: list[int]
    """Per agent: units × microseconds of work taken on."""


class Play:
    def __init__(self, world: World, router: Router) -> None:
        self.world, self.router = world, router
        self.fates = [Fate(arrived=moment(arrival.at)) for arrival in world.arrivals]
        self.busy = [0] * len(world.workers)
        self.chats: list[list[int]] = [[] for _ in world.workers]
        """Per agent: the chats they are in."""
        self.waiting = 0
        self.agenda = [(fate.arrived, ARRIVES, number, 0) for number, fate in enumerate(self.fates)]
        heapify(self.agenda)

    def run(self, tick: Callable[[float], None] | None = None) -> Played:
        """To the end of the last work; `tick` is told the share of the contacts that have come."""
        events = arrived = 0
        while self.agenda:
            due = self.router.next_due()
            if due is not None and due <= self.agenda[0][0]:
                self._take(self.router.wake(due), due)
                continue
            now, kind, number, version = heappop(self.agenda)
            arrived += kind == ARRIVES
            events += 1
            if tick is not None and events % TICK_EVENTS == 0:
                tick(arrived / len(self.fates))
            self._happen(now, kind, number, version)
        return Played(self.world, self.fates, self.busy)

    def _happen(self, now: int, kind: int, number: int, version: int) -> None:
        fate = self.fates[number]
        if kind == ARRIVES:
            self._arrive(number, fate, now)
        elif kind == ENDS and version == fate.version:
            self._leaves_chats(number, fate, now)
            self._take(self.router.finish(number, now), now)
        elif kind == LEAVES and fate.waits:
            self._leave(number, fate, now)

    def _arrive(self, number: int, fate: Fate, now: int) -> None:
        room = self.world.scenario.waiting_room
        full = room is not None and self.waiting >= room
        self.waiting += 1
        self._take(self.router.arrive(number, now), now)
        if full and fate.waits:
            fate.turned_away = True
            self._leave(number, fate, now)
        patience = self.world.arrivals[number].patience
        if fate.waits and patience < math.inf:
            heappush(self.agenda, (now + round(patience * SECOND), LEAVES, number, 0))

    def _leave(self, number: int, fate: Fate, now: int) -> None:
        fate.left = now
        self.waiting -= 1
        self._take(self.router.leave(number, now), now)

    def _take(self, moves: Iterable[Move], now: int) -> None:
        for move in moves:
            fate = self.fates[move.contact]
            match move:
                case Started():
                    self._start(move, fate, now)
                case Paused():
                    assert fate.ended is not None, "only what is worked on is paused"
                    fate.remaining, fate.ended, fate.paused_at = fate.ended - now, None, now
                    fate.version += 1
                case Resumed():
                    assert fate.paused_at is not None, "only what was paused goes on"
                    fate.paused += now - fate.paused_at
                    fate.paused_at = None
                    self._ends(move.contact, fate, now + fate.remaining)

    def _start(self, started: Started, fate: Fate, now: int) -> None:
        assert fate.waits, "work starts once, on who is there"
        arrival = self.world.arrivals[started.contact]
        length = handling(self.world, arrival, self.world.workers[started.agent])
        length = round(length * self._joins_chats(started, now))
        fate.started, fate.agent = now, started.agent
        self.waiting -= 1
        self.busy[started.agent] += length * self._units(started.contact)
        self._ends(started.contact, fate, now + length)

    def _ends(self, number: int, fate: Fate, at: int) -> None:
        fate.ended = at
        heappush(self.agenda, (at, ENDS, number, fate.version))

    # -- chats beside each other --------------------------------------------------------------------------------

    def _joins_chats(self, started: Started, now: int) -> float:
        """How many times as long it takes, beside the chats that its agent has; they take longer from now on, too."""
        if self._channel(started.contact).medium != "live":
            return 1.0
        chats = self.chats[started.agent]
        self._go_on(chats, self._slowness(len(chats) + 1) / self._slowness(len(chats)), now)
        chats.append(started.contact)
        return self._slowness(len(chats))

    def _leaves_chats(self, number: int, fate: Fate, now: int) -> None:
        assert fate.agent is not None, "only what was begun ends"
        chats = self.chats[fate.agent]
        if number in chats:
            chats.remove(number)
            self._go_on(chats, self._slowness(len(chats)) / self._slowness(len(chats) + 1), now)

    def _slowness(self, chats: int) -> float:
        return 1 + self.world.scenario.slow_beside * max(0, chats - 1)

    def _go_on(self, chats: Iterable[int], times_as_long: float, now: int) -> None:
        if times_as_long == 1:
            return
        for number in chats:
            fate = self.fates[number]
            assert fate.ended is not None, "a chat is never paused"
            assert fate.agent is not None, "a chat that goes on has begun"
            left = fate.ended - now
            longer = round(left * times_as_long) - left
            self.busy[fate.agent] += longer * self._units(number)
            fate.version += 1
            self._ends(number, fate, now + left + longer)

    def _channel(self, number: int) -> Channel:
        return self.world.scenario.channels[self.world.arrivals[number].channel]

    def _units(self, number: int) -> int:
        return self._channel(number).units


def moment(seconds: float) -> int:
    """Seconds since the world began → microseconds since 1970."""
    return START + round(seconds * SECOND)


def handling(world: World, arrival: Arrival, worker: Worker) -> int:
    """How long this agent takes for it, in microseconds."""
    fluent = worker.languages[arrival.language] >= FLUENT_LEVEL
    return round(arrival.handling * (1.0 if fluent else world.scenario.slow_level2) * SECOND)
