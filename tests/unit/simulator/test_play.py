"""The books of a world: when work begins and ends, who leaves, who is turned away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from libs.common.events import SECOND
from services.simulator.baselines import BASELINES
from services.simulator.core_router import CoreRouter
from services.simulator.play import Play, Router
from services.simulator.switchboard import Switchboard
from services.simulator.worlds import Arrival, World, draw
from tests.unit.simulator.written import begun, comes, ended, morning, play, worker, world

ROUTERS: dict[str, Callable[[World], Router]] = {
    "core": CoreRouter,
    "fifo": lambda of: Switchboard(of, BASELINES["fifo"]),
}
every_router = pytest.mark.parametrize("router", ROUTERS.values(), ids=ROUTERS)


@every_router
@pytest.mark.parametrize(("rule", "arrivals", "fields", "begins", "ends"), [
    ("work begins at once when it can",  [comes(5, "voice", 60)], {}, [5], [65]),
    ("and else when the agent is free",  [comes(0, "voice"), comes(9, "voice", 60)], {}, [0, 100], [100, 160]),
    ("who loses patience is gone",       [comes(0, "voice"), comes(1, "voice", patience=98.0)],
     {}, [0, None], [100, None]),
    ("who has enough is served",         [comes(0, "voice"), comes(1, "voice", patience=99.5)],
     {}, [0, 100], [100, 200]),
    ("a full waiting room turns away",   [comes(0, "voice"), comes(1, "voice"), comes(2, "voice")],
     {"waiting_room": 1}, [0, 100, None], [100, 200, None]),
    ("but nobody who is served at once", [comes(0, "voice"), comes(1, "email")],
     {"waiting_room": 0, "workers": (worker("voice"), worker("email"))}, [0, 1], [100, 101]),
    ("a second language takes longer",   [comes(0, "email", 100)],
     {"workers": (worker(languages={0: 2}),)}, [0], [125]),
    ("chats slow each other down",       [comes(0, "chat"), comes(50, "chat")],
     {"slow_beside": 0.5}, [0, 50], [125, 175]),
    ("a third one as much again",        [comes(0, "chat", 300), comes(0, "chat", 300), comes(0, "chat", 50)],
     {"slow_beside": 0.5}, [0, 0, 0], [475, 475, 100]),
    ("but no other work",                [comes(0, "chat"), comes(0, "email"), comes(0, "post")],
     {"slow_beside": 0.5}, [0, 0, 0], [100, 100, 100]),
    ("nor those of somebody else",       [comes(0, "chat"), comes(0, "chat", language=1)],
     {"slow_beside": 0.5, "langs": ("a", "b"), "lang_p": (0.5, 0.5),
      "workers": (worker(), worker(languages={1: 5}))}, [0, 0], [100, 100]),
])  # fmt: skip
def test_the_books(
    rule: str, arrivals: list[Arrival], fields: dict[str, Any], begins: list[float], ends: list[float],
    router: Callable[[World], Router],
) -> None:  # fmt: skip
    of = world(*arrivals, **fields)
    played = play(of, router(of))
    assert (begun(played), ended(played)) == (begins, ends), rule


@every_router
def test_an_agent_is_busy_for_as_long_as_chats_take_beside_each_other(router: Callable[[World], Router]) -> None:
    of = world(comes(0, "chat"), comes(50, "chat"), slow_beside=0.5)
    assert play(of, router(of)).busy == [20 * (125 + 125) * SECOND]


@every_router
def test_the_same_world_goes_the_same_way(router: Callable[[World], Router]) -> None:
    of = draw(morning(), 3)
    assert play(of, router(of)) == play(of, router(of))


@every_router
def test_everybody_is_served_or_leaves_and_nobody_works_more_than_their_units(
    router: Callable[[World], Router],
) -> None:
    of = draw(morning(), 4)
    played = play(of, router(of))
    assert all((one.started is None) != (one.left is None) for one in played.fates)
    assert all(one.ended is not None for one in played.fates if one.started is not None)
    edges = sorted(
        edge
        for one, arrival in zip(played.fates, of.arrivals, strict=True)
        if one.started is not None and one.ended is not None and not one.paused
        for units in (of.scenario.channels[arrival.channel].units,)
        for edge in ((one.ended, one.agent, -units), (one.started, one.agent, units))
    )
    held = dict.fromkeys(range(len(of.workers)), 0)
    for _, agent, units in edges:
        assert agent is not None
        held[agent] += units
        assert held[agent] <= 60


def test_a_tick_tells_how_many_have_come() -> None:
    of, told = draw(morning(), 1), list[float]()
    Play(of, ROUTERS["fifo"](of)).run(told.append)
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] <= 1
