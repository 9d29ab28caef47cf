"""Busy hours of agents who can be interrupted: more work than they can do, of every medium, and all that changes it.

Every step is audited, and what an agent's room must be at any moment is counted anew from what they hold.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from libs.common.events import Event, commands
from services.auditor.promises import Auditor, Violation
from services.router.core.core import RouterCore
from services.router.core.desks import Desk
from services.router.core.interruption import is_pausable
from services.router.core.state import units_held
from tests.simulation.router import builders as b
from tests.simulation.router.broken import ForgetsThePause, PausesForGood, PausesTooEarly, SparesTheBudget
from tests.simulation.router.driver import PoolDriver

STEPS = 300
CHANNELS = ("email", "email", "email", "x", "whatsapp", "chat", "chat", "voice", "voice")
ENDINGS: list[type[Event]] = [commands.CloseContact] * 4 + [commands.ParkContact, commands.ReleaseContact]
INTERRUPTIONS: tuple[dict[str, tuple[str, ...]], ...] = (
    {"async": ("live", "voice")}, {"async": ("live", "voice"), "live": ("voice",)}, {"async": ("voice",)},
)  # fmt: skip


class BusyHour:
    """One seed draws the agents and what happens; bots take nearly everything that is offered."""

    def __init__(self, seed: int, core: RouterCore | None = None, restored_at: int = -1) -> None:
        self.random = r = Random(seed)
        asks: dict[str, Any] = {"parallel_offers": r.choice([1, 2]), "auto_accept": r.choice([(), ("live",)])}
        rules = b.queue(wrap_up_seconds=5, **asks)
        self.pool = PoolDriver(b.target("mail", 300, channel="email"), rules, core=core)
        self.auditor = Auditor()
        self.violations: list[Violation] = []
        self.agents = [f"agent{n}" for n in range(self.random.randint(1, 3))]
        self.opened = 0
        for agent_id in self.agents:
            self._do(self._put(agent_id), b.presence(agent_id))
        for step in range(STEPS):
            if step == restored_at:
                self.pool.restore(sorted(self.pool.stored, reverse=True))
            self._do(*self._next())
            self._see(self.pool.advance(self.random.choice([0, 0, 1, 4, 20])))
            for agent_id in self.agents:
                check(self.pool.floor.desks[agent_id])

    def _next(self) -> tuple[Event, ...]:
        r = self.random
        held = [one for _, one in sorted(self.pool.floor.contacts.items()) if one.state == "assigned"]
        live = [(contact, offer) for contact in self.pool.live_offers() for offer in contact.offers]
        offers = [b.accept(f"{contact.id}.offer.{offer.number}", offer.agent_id) for contact, offer in live]
        calls = [one for one in held if one.medium != "async"]  # They don't last long.
        about: dict[str, Any] = {"contact_id": r.choice(calls or held).id if held else "con_0"}
        agent_id = r.choice(self.agents)
        happens = r.random()
        if happens < 0.3:
            return (self._contact(),)
        if happens < 0.75:
            return tuple(offers) or (self._contact(),)
        if happens < 0.95:
            return (b.make(r.choice(ENDINGS), **about),)
        return (r.choice([
            b.presence(agent_id, "away"), b.presence(agent_id), b.presence(agent_id), self._put(agent_id),
            b.make(commands.CompleteWrapUp, agent_id=agent_id), b.make(commands.RequeueAgent, agent_id=agent_id),
            b.make(commands.TransferContact, **about, to_agent=agent_id),
            b.make(commands.AssignContact, contact_id=f"con_{r.randrange(self.opened + 1)}", to_agent=agent_id),
            b.make(commands.ResumeContact, contact_id=f"con_{r.randrange(self.opened + 1)}"),
            b.added(f"con_{r.randrange(self.opened + 1)}", occurred_at=self.pool.now),
        ]),)  # fmt: skip

    def _contact(self) -> Event:
        self.opened += 1
        fact: Event = b.opened(f"con_{self.opened}", channel=self.random.choice(CHANNELS), occurred_at=self.pool.now)
        return fact

    def _put(self, agent_id: str) -> Event:
        r = self.random
        put, _ = b.agent(
            agent_id, "public", units=r.choice([120, 120, 120, 60]), interrupted_by=r.choice(INTERRUPTIONS),
            wake_up_reserve=r.choice([0, 20]), cost=r.choice([{"live": 40, "async": 20}, {"voice": 60, "async": 15}]),
        )  # fmt: skip
        return put

    def _do(self, *events: Event) -> None:
        for event in events:
            self._see(self.pool.receive(event))

    def _see(self, events: list[Event]) -> None:
        for emitted in self.pool.emitted[len(self.pool.emitted) - len(events) :]:
            self.violations += self.auditor.take(emitted.event, emitted.sequence)


def check(desk: Desk) -> None:
    """What is paused takes no units and finds no room."""
    capacity, held = desk.agent.capacity, list(desk.held.values())
    assert desk.used == sum(units_held(one, desk.agent.id) for one in held if one.paused_at is None)
    assert [one.id for one in held if one.paused_at is not None] == [one.id for one in held if one.id in desk.paused]
    assert all(one.state == "assigned" for one in desk.paused.values())
    if desk.paused:
        assert desk.used, "something goes on"
        assert desk.used + max(one.units for one in desk.paused.values()) > capacity.units, "what has room goes on"
    if desk.agent.status == "available" and desk.used > capacity.units and desk.agent.version == 1:
        offered = [one.medium for one in held if one.state == "offered"]
        yielding = [sum(one.units for one in held if is_pausable(capacity, one, by)) for by in offered]
        assert desk.used - max(yielding, default=0) <= capacity.units, "a pause makes room for what was offered"


@pytest.mark.parametrize("seed", range(30))
def test_no_busy_hour_breaks_a_promise(seed: int) -> None:
    hour = BusyHour(seed)
    assert not hour.violations, f"seed {seed}: {hour.violations[0]}"


def test_the_hours_have_what_they_are_for() -> None:
    pools = [BusyHour(seed).pool for seed in range(5)]
    paused = sum(len(pool.events("contact.paused")) for pool in pools)
    unpaused = sum(one.reason == "unpaused" for pool in pools for one in pool.events("contact.resumed"))
    assert paused > unpaused > 50


@pytest.mark.parametrize("seed", range(10))
def test_a_restored_core_pauses_the_same(seed: int) -> None:
    whole, restored = BusyHour(seed), BusyHour(seed, restored_at=STEPS // 2)
    assert whole.pool.emitted == restored.pool.emitted, f"seed {seed}"


@pytest.mark.parametrize("core", [ForgetsThePause, PausesForGood, PausesTooEarly, SparesTheBudget])
def test_the_hours_catch_a_planted_bug(core: type[RouterCore]) -> None:
    assert any(is_caught(seed, core) for seed in range(20)), f"{core.__name__} goes unseen"


def is_caught(seed: int, core: type[RouterCore]) -> bool:
    try:
        return any(violation.promise == "P4" for violation in BusyHour(seed, core()).violations)
    except AssertionError:
        return True
