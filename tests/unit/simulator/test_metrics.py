"""What a world comes to, computed by hand beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.simulator.baselines import BASELINES
from services.simulator.metrics import Estimate, estimate, estimates, measure, student
from services.simulator.play import Play
from services.simulator.scenarios import read_scenarios
from services.simulator.switchboard import Switchboard
from services.simulator.worlds import draw
from tests.unit.simulator.written import comes, play, worker, world
from tests.unit.simulator.yardstick import NAMES, Yardstick

MEASURED = world(
    comes(0, "voice", 100), comes(90, "voice", 100), comes(160, "voice", 10, strikes=1),
    comes(170, "voice", patience=20.0), comes(0, "post", 60, reach=3_000.0), comes(30, "post", 30, reach=6_000.0),
    workers=(worker("voice"), worker("post")), horizon_s=1_000.0,
)  # fmt: skip
"""Calls begin after 0, 10, 40 s (late), and one leaves after 20; both posts begin at once."""


@pytest.mark.parametrize(("metric", "value"), [
    ("within_target.voice",     2 / 4),
    ("within_target.post",      1.0),
    ("wait_over_target.voice",  (0 + 10 + 40 + 20) / 4 / 20),
    ("worst_channel",           0.5),
    ("wait_max_s.voice",        40.0),
    ("wait_p99_s.voice",        40 - 0.03 * 20),
    ("wait_mean_s.voice",       17.5),
    ("reach_minutes",           0.0),
    ("strike_relative",         (40 / 20) / ((0 + 10 + 40 + 20) / 20 / 6)),
    ("abandoned",               1 / 6),
    ("turned_away",             0.0),
    ("occupancy",               ((100 + 100 + 10) / 1_000 + (60 + 30) * 12 / 60 / 1_000) / 2),
    ("jain",                    (0.210 + 0.018) ** 2 / (2 * (0.210**2 + 0.018**2))),
])  # fmt: skip
def test_a_metric(metric: str, value: float) -> None:
    assert measure(play(MEASURED, Switchboard(MEASURED, BASELINES["fifo"])))[metric] == pytest.approx(value), metric


def test_exposure_is_reach_times_unanswered_minutes_in_millions() -> None:
    of = world(comes(0, "voice", 120), comes(0, "post", reach=500_000.0), workers=(worker("voice", "post"),))
    assert measure(play(of, Switchboard(of, BASELINES["fifo"])))["reach_minutes"] == pytest.approx(1.0)


def test_who_comes_while_it_warms_up_is_not_counted() -> None:
    of = world(comes(0, "voice", 100), comes(50, "voice"), comes(210, "voice"), warm_up_s=60.0)
    measured = measure(play(of, Switchboard(of, BASELINES["fifo"])))
    assert (measured["within_target.voice"], measured["abandoned"]) == (1.0, 0.0)


@pytest.mark.parametrize(("freedom", "quantile"), [
    (1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (10, 2.2281), (11, 2.2010), (30, 2.0423),
    (120, 1.9799),
])  # fmt: skip
def test_students_quantile(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, abs=5e-5)


def test_an_estimate_is_the_mean_and_half_its_interval() -> None:
    three = estimate([1.0, 2.0, 3.0])
    assert three.mean == 2.0
    assert three.ci95 == pytest.approx(4.3027 / 3**0.5, abs=1e-4)
    assert estimate([7.0]) == Estimate(7.0, None)


def test_a_metric_that_some_seeds_lack_is_estimated_from_the_others() -> None:
    assert estimates([{"a": 1.0, "b": 4.0}, {"a": 3.0}])["b"] == Estimate(4.0, None)


@pytest.mark.parametrize("order", ["strict", "twilio"])
def test_the_yardstick_measures_the_same(order: str, yardstick: Yardstick, test_data: Path) -> None:
    of = draw(read_scenarios(test_data / "scenarios" / "public.json").scenarios["overload"], 602)
    ours = measure(Play(of, Switchboard(of, BASELINES[order])).run())
    expected = yardstick.in_our_terms("overload", 602, order)
    assert expected.keys() == NAMES.keys()
    assert {name: ours[name] for name in NAMES} == pytest.approx(expected, rel=1e-6, abs=1e-5)
