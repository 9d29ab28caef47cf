"""Routes by a fixed order: a contact goes to who was given work longest ago, an agent takes the first in line.

Calls and chats may pause soft work of their agent, most pause budget left first; work whose budget is used up is
protected. What was paused last goes on first, as soon as it fits again.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from libs.common.events import SECOND
from services.simulator.baselines import Key, Order
from services.simulator.play import Move, Paused, Resumed, Started
from services.simulator.scenarios import FLUENT_LEVEL, UNITS, Channel
from services.simulator.worlds import World

Line = tuple[int, int, bool]
"""Who waits for whom: channel, language, and whether only fluent agents may take them."""
Place = tuple[Key, int]


class Seat:
    """An agent at work. `firm` are the units of calls and chats, `soft` those of what may be paused and isn't."""

    __slots__ = ("firm", "given_at", "lines", "number", "on_call", "paused", "running", "soft")

    def __init__(self, number: int, lines: tuple[Line, ...]) -> None:
        self.number, self.lines = number, lines
        self.firm = self.soft = self.given_at = 0
        self.on_call = False
        self.running: list[int] = []
        self.paused: list[int] = []


class Switchboard:
    def __init__(self, world: World, order: Order) -> None:
        self.world, self.order = world, order
        self.channels = world.scenario.channels
        self.kinds = [arrival.channel for arrival in world.arrivals]
        self.seats = [Seat(number, tuple(lines_of(world, number))) for number in range(len(world.workers))]
        self.able: dict[Line, list[Seat]] = {}
        for seat in self.seats:
            for line in seat.lines:
                self.able.setdefault(line, []).append(seat)
        self.queues: dict[Line, list[Place]] = {}
        self.waits: set[int] = set()
        self.holder: dict[int, Seat] = {}
        self.widened: list[tuple[int, int]] = []
        """(when, contact): from then on anybody who speaks its language may take it."""
        self.pauses = [0] * len(world.arrivals)
        self.paused_at: dict[int, int] = {}
        self.budgets = [round(world.scenario.pbudget * channel.T * SECOND) for channel in self.channels]

    # -- what happens -------------------------------------------------------------------------------------------

    def arrive(self, contact: int, now: int) -> list[Move]:
        kept = self.order.fluent_share > 0
        seat = self._longest_idle(contact, fluent_only=kept)
        if seat is not None:
            return self._start(seat, contact, now)
        self.waits.add(contact)
        self._queue(contact, fluent_only=True)
        if kept:
            target = self.channels[self.kinds[contact]].T
            heappush(self.widened, (now + round(self.order.fluent_share * target * SECOND), contact))
        else:
            self._queue(contact, fluent_only=False)
        return []

    def leave(self, contact: int, _now: int) -> list[Move]:
        self.waits.discard(contact)
        return []

    def finish(self, contact: int, now: int) -> list[Move]:
        seat, channel = self.holder.pop(contact), self._channel(contact)
        if channel.soft:
            seat.soft -= channel.units
            seat.running.remove(contact)
        else:
            seat.firm -= channel.units
            seat.on_call = False if channel.medium == "voice" else seat.on_call
        moves = self._resume(seat, now)
        while (first := self._first_in_line(seat)) is not None:
            moves += self._start(seat, first, now)
        return moves

    def next_due(self) -> int | None:
        while self.widened and self.widened[0][1] not in self.waits:
            heappop(self.widened)
        return self.widened[0][0] if self.widened else None

    def wake(self, now: int) -> list[Move]:
        moves: list[Move] = []
        while (due := self.next_due()) is not None and due <= now:
            _, contact = heappop(self.widened)
            seat = self._longest_idle(contact, fluent_only=False)
            if seat is not None:
                moves += self._start(seat, contact, now)
            else:
                self._queue(contact, fluent_only=False)
        return moves

    # -- who and what -------------------------------------------------------------------------------------------

    def _queue(self, contact: int, *, fluent_only: bool) -> None:
        arrival = self.world.arrivals[contact]
        line = (arrival.channel, arrival.language, fluent_only)
        heappush(self.queues.setdefault(line, []), (self.order.key(arrival, self._channel(contact)), contact))

    def _longest_idle(self, contact: int, *, fluent_only: bool) -> Seat | None:
        arrival, channel = self.world.arrivals[contact], self._channel(contact)
        fluencies = (True,) if fluent_only else (True, False)
        able = (seat for fluent in fluencies for seat in self.able.get((arrival.channel, arrival.language, fluent), ()))
        with_room = (seat for seat in able if self._has_room(seat, channel))
        return min(with_room, key=lambda seat: (seat.given_at, seat.number), default=None)

    def _first_in_line(self, seat: Seat) -> int | None:
        first = min(self._fronts(seat), default=None)
        return first[1] if first is not None else None

    def _fronts(self, seat: Seat) -> Iterable[Place]:
        for line in seat.lines:
            queue = self.queues.get(line)
            if queue and self._has_room(seat, self.channels[line[0]]):
                while queue and queue[0][1] not in self.waits:
                    heappop(queue)
                if queue:
                    yield queue[0]

    def _has_room(self, seat: Seat, channel: Channel) -> bool:
        used = seat.firm + seat.soft
        if seat.on_call:
            return False
        if channel.soft:
            return not seat.paused and used + channel.units <= UNITS
        if used + channel.units <= UNITS:
            return True
        return seat.firm + channel.units + self._protected(seat) <= UNITS

    def _protected(self, seat: Seat) -> int:
        """Units of running soft work that may not be paused any more."""
        return sum(self._channel(one).units for one in seat.running if self._budget(one) <= 0)

    def _budget(self, contact: int) -> int:
        return self.budgets[self.kinds[contact]] - self.pauses[contact]

    def _channel(self, contact: int) -> Channel:
        return self.channels[self.kinds[contact]]

    # -- moves --------------------------------------------------------------------------------------------------

    def _start(self, seat: Seat, contact: int, now: int) -> list[Move]:
        channel = self._channel(contact)
        self.waits.discard(contact)
        self.holder[contact], seat.given_at = seat, now
        if channel.soft:
            seat.soft += channel.units
            seat.running.append(contact)
            return [Started(contact, seat.number)]
        seat.firm += channel.units
        seat.on_call = channel.medium == "voice"
        return [*self._pause(seat, now), Started(contact, seat.number)]

    def _pause(self, seat: Seat, now: int) -> list[Move]:
        moves: list[Move] = []
        while seat.firm + seat.soft > UNITS:
            paused = max(seat.running, key=lambda one: (self._budget(one), one))
            seat.running.remove(paused)
            seat.paused.append(paused)
            seat.soft -= self._channel(paused).units
            self.paused_at[paused] = now
            moves.append(Paused(paused))
        return moves

    def _resume(self, seat: Seat, now: int) -> list[Move]:
        moves: list[Move] = []
        while seat.paused and seat.firm + seat.soft + self._channel(seat.paused[-1]).units <= UNITS:
            resumed = seat.paused.pop()
            seat.running.append(resumed)
            seat.soft += self._channel(resumed).units
            self.pauses[resumed] += now - self.paused_at.pop(resumed)
            moves.append(Resumed(resumed))
        return moves


def lines_of(world: World, agent: int) -> Iterable[Line]:
    """What the agent may take: whoever is fluent serves the first lines of a language, the others the second."""
    worker = world.workers[agent]
    for channel in worker.channels:
        for language, level in sorted(worker.languages.items()):
            yield (channel, language, level >= FLUENT_LEVEL)
