"""The product's core in a world: what it is told, and that it routes by its own rules there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from services.simulator.core_pool import Refused
from services.simulator.core_router import CoreRouter
from services.simulator.metrics import measure
from services.simulator.scenarios import read_scenarios
from services.simulator.worlds import Arrival, World, draw
from tests.unit.simulator.written import ALL, begun, channel, comes, ended, play, worker, world
from tests.unit.simulator.yardstick import Yardstick

BLIND = {"reach": 0, "sentiment": 0, "tier": 0, "strikes": 0}
CALL = comes(0, "voice")
LOUD = comes(2, "post", reach=1_000_000.0)
FAILED = comes(2, "post", strikes=3)
GOLD = comes(2, "post", tier=2)
ANGRY = comes(2, "post", displeasure=1.0)


def one_at_a_time(*arrivals: Arrival) -> World:
    """One agent, whom every contact takes whole."""
    channels = tuple(channel(name, units=59 if name in {"post", "pm", "email"} else 60) for name in ALL)
    return world(*arrivals, channels=channels)


@pytest.mark.parametrize(("rule", "weights", "second", "third", "starts"), [
    ("the earliest promise first",        None,            comes(1, "email"), comes(2, "post"),   [200, 100]),
    ("a post doesn't pass a call",        None,            LOUD,              comes(3, "voice"),  [200, 100]),
    ("equal promises: who came first",    None,            comes(1, "post"),  comes(2, "post"),   [100, 200]),
    ("many viewers move it forward",      None,            comes(1, "post"),  LOUD,               [200, 100]),
    ("so do earlier failures",            None,            comes(1, "post"),  FAILED,             [200, 100]),
    ("and gold",                          None,            comes(1, "post"),  GOLD,               [200, 100]),
    ("and anger",                         None,            comes(1, "post"),  ANGRY,              [200, 100]),
    ("by a share of the target at most",  None,            comes(1, "pm"),    comes(902, "post"), [100, 902]),
    ("without weights none of them does", BLIND,           comes(1, "post"),  LOUD,               [100, 200]),
    ("a weight can be another",           {"reach": 250} | {"tier": 0}, comes(1, "post"), GOLD,   [100, 200]),
])  # fmt: skip
def test_what_an_agent_takes(
    rule: str, weights: Mapping[str, int] | None, second: Arrival, third: Arrival, starts: list[float]
) -> None:
    of = one_at_a_time(CALL, second, third)
    assert begun(play(of, CoreRouter(of, weights)))[1:] == starts, rule


def test_fluent_speakers_are_wanted_and_not_waited_for() -> None:
    of = world(*(comes(at, "voice") for at in (0, 1, 2)), workers=(worker(languages={0: 2}), worker()))
    played = play(of, CoreRouter(of))
    assert begun(played) == [0, 1, 100]
    assert [fate.agent for fate in played.fates] == [1, 0, 1]


def test_weights_that_the_core_refuses_are_refused() -> None:
    with pytest.raises(Refused, match="invalid"):
        CoreRouter(world(CALL), {"reach": 251})


def test_a_call_pauses_a_letter_which_goes_on_where_it_stopped() -> None:
    of = world(comes(0, "email", 50), comes(10, "voice", 100))
    played = play(of, CoreRouter(of))
    assert begun(played) == [0, 10]
    assert ended(played) == [150, 110]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [601, 602])
def test_on_a_day_with_a_storm_the_worst_channel_does_as_well_as_the_yardsticks(
    seed: int, yardstick: Yardstick, test_data: Path
) -> None:
    """Within three points: the yardstick's ageing lane counts where the core's turns."""
    of = draw(read_scenarios(test_data / "scenarios" / "public.json").scenarios["day"], seed)
    ours = measure(play(of, CoreRouter(of)))["worst_channel"]
    assert ours > yardstick.metrics("day", seed, "default")["worst_sl"] / 100 - 0.03
