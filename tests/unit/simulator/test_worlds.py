"""Worlds are drawn from their seed alone, and just as others draw them."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.simulator.scenarios import read_scenarios
from services.simulator.worlds import draw, split
from tests.unit.simulator.written import morning
from tests.unit.simulator.yardstick import Yardstick


def test_the_same_seed_draws_the_same_world_and_another_another() -> None:
    assert draw(morning(), 1) == draw(morning(), 1)
    assert draw(morning(), 1).arrivals != draw(morning(), 2).arrivals


def test_contacts_come_in_order_and_the_backlog_is_there_from_the_start() -> None:
    arrivals = draw(morning(), 1).arrivals
    assert arrivals == sorted(arrivals, key=lambda one: one.at)
    assert [one.at for one in arrivals[:40]] == [0.0] * 40
    assert {one.channel for one in arrivals[:40]} == {3}, "letters"


def test_a_storm_is_on_its_channel_and_in_its_hours_and_shorter() -> None:
    arrivals = draw(morning(), 1).arrivals
    storm = [one for one in arrivals if one.storm]
    usual = [one for one in arrivals if one.channel == 2 and not one.storm]
    assert {one.channel for one in storm} == {2}
    assert all(7_200 <= one.at <= 10_800 for one in storm)
    assert len(storm) == pytest.approx(300, abs=3 * 300**0.5)
    assert sum(one.handling for one in storm) / len(storm) == pytest.approx(240, rel=0.25)
    assert sum(one.handling for one in usual) / len(usual) == pytest.approx(400, rel=0.25)


@pytest.mark.parametrize(("rule", "shares", "count", "parts"), [
    ("exact shares",                 (0.5, 0.5),        4,  [2, 2]),
    ("the largest remainder",        (0.55, 0.3, 0.15), 24, [13, 7, 4]),
    ("nobody gets more than exists", (0.9, 0.1),        1,  [1, 0]),
])  # fmt: skip
def test_agents_are_split_by_native_language(
    rule: str, shares: tuple[float, ...], count: int, parts: list[int]
) -> None:
    assert split(shares, count) == parts, rule


@pytest.mark.parametrize("seed", [1, 601])
@pytest.mark.parametrize("name", ["day", "overload", "siege", "long", "starve"])
def test_the_yardstick_draws_the_same_contacts_and_agents(
    name: str, seed: int, yardstick: Yardstick, test_data: Path
) -> None:
    world = draw(read_scenarios(test_data / "scenarios" / "public.json").scenarios[name], seed)
    assert [tuple(one) for one in world.arrivals] == yardstick.contacts(name, seed)
    assert [tuple(one) for one in world.workers] == yardstick.agents(name, seed)
