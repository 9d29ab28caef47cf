"""What a played world comes to: one number a metric, and over seeds its mean with a 95 % interval.

Shares are 0 to 1. A contact that left unserved missed its target, and waited until it left.

    within_target.<channel>   share that were begun within the channel's target
    wait_over_target.<channel>  mean wait ÷ target
    worst_channel             the lowest within_target of any channel
    wait_max_s, wait_p99_s .<channel>  seconds
    reach_minutes             millions: Σ over public contacts of who can see them × minutes until begun
    strike_relative           wait ÷ target of contacts with strikes, weighted by strikes, ÷ that of all
    abandoned                 share that left unserved; turned_away: of these, because the waiting room was full
    occupancy                 work taken on ÷ (capacity × horizon), mean over agents
    jain                      Jain's index of fairness of occupancy: 1 when all agents are equally busy
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Final

import msgspec
import numpy as np

from libs.common.events import SECOND
from services.simulator.play import Fate, Played
from services.simulator.scenarios import UNITS
from services.simulator.worlds import Arrival

CONFIDENCE: Final = 0.95
MILLION: Final = 1_000_000
BISECTIONS: Final = 60


class Estimate(msgspec.Struct, frozen=True):
    """`mean` ± `ci95` over the seeds; one seed has no interval."""

    mean: float
    ci95: float | None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A contact and what became of it. `wait` is in seconds, until work on it began or it left."""

    channel: str
    public: bool
    reach: float
    strikes: int
    wait: float
    target: int
    served: bool
    turned_away: bool = False

    @property
    def over_target(self) -> float:
        return self.wait / self.target


def measure(played: Played) -> dict[str, float]:
    """Metrics of one world; who came while it warmed up isn't counted."""
    scenario = played.world.scenario
    cases = [
        case_of(played, arrival, fate)
        for arrival, fate in zip(played.world.arrivals, played.fates, strict=True)
        if arrival.at >= scenario.warm_up_s
    ]
    occupancies = [busy / (UNITS * SECOND * scenario.horizon_s) for busy in played.busy]
    return figures(cases, occupancies, scenario.names)


def case_of(played: Played, arrival: Arrival, fate: Fate) -> Case:
    until = fate.started if fate.started is not None else fate.left
    assert until is not None, "a world is played until nobody waits"
    channel = played.world.scenario.channels[arrival.channel]
    return Case(
        channel=channel.name, public=bool(channel.public), reach=arrival.reach, strikes=arrival.strikes,
        wait=(until - fate.arrived) / SECOND, target=channel.T, served=fate.started is not None,
        turned_away=fate.turned_away,
    )  # fmt: skip


def figures(cases: Sequence[Case], occupancies: Sequence[float], names: Sequence[str]) -> dict[str, float]:
    """The metrics, in the order of the table above; a channel without contacts has none."""
    channels = {name: of_channel for name in names if (of_channel := [one for one in cases if one.channel == name])}
    if not channels:
        return {}
    in_time = {name: share(is_in_time(case) for case in some) for name, some in channels.items()}
    waits = {name: [case.wait for case in some] for name, some in channels.items()}
    return {
        **by_channel("within_target", in_time),
        **by_channel("wait_over_target", {n: fmean(case.over_target for case in c) for n, c in channels.items()}),
        "worst_channel": min(in_time.values()),
        **by_channel("wait_max_s", {name: max(some) for name, some in waits.items()}),
        **by_channel("wait_p99_s", {name: float(np.percentile(some, 99)) for name, some in waits.items()}),
        **by_channel("wait_mean_s", {name: fmean(some) for name, some in waits.items()}),
        "reach_minutes": sum(case.reach * case.wait for case in cases if case.public) / 60 / MILLION,
        "strike_relative": strike_relative(cases),
        "abandoned": share(not case.served for case in cases),
        "turned_away": share(case.turned_away for case in cases),
        **of_agents(occupancies),
    }


def is_in_time(case: Case) -> bool:
    return case.served and case.wait <= case.target


def share(cases: Iterable[bool]) -> float:
    return fmean(cases)


def by_channel(name: str, values: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}.{channel}": value for channel, value in values.items()}


def strike_relative(cases: Sequence[Case]) -> float:
    """Below 1: whoever was failed before waits less than others, in units of the target. 1 when nobody waits."""
    everyone = fmean(case.over_target for case in cases)
    strikes = sum(case.strikes for case in cases)
    if not everyone or not strikes:
        return 1.0
    return sum(case.strikes * case.over_target for case in cases) / strikes / everyone


def of_agents(occupancies: Sequence[float]) -> dict[str, float]:
    if not occupancies:
        return {}
    squares = len(occupancies) * sum(one**2 for one in occupancies)
    return {
        "occupancy": fmean(occupancies),
        "jain": sum(occupancies) ** 2 / squares if squares else 1.0,
    }


# -- over the seeds ---------------------------------------------------------------------------------------------


def estimates(runs: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Each metric over the runs that have it."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: estimate([run[name] for run in runs if name in run]) for name in names}


def difference(runs: Sequence[Mapping[str, float]], others: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Each metric less the other's, pair by pair: the runs of one seed met the same world."""
    pairs = zip(runs, others, strict=True)
    return estimates([{name: one[name] - other[name] for name in one if name in other} for one, other in pairs])


def estimate(values: Sequence[float]) -> Estimate:
    if len(values) < 2:
        return Estimate(values[0], None)
    return Estimate(fmean(values), student(len(values) - 1) * stdev(values) / math.sqrt(len(values)))


def student(freedom: int) -> float:
    """The t within ± which Student's distribution has 95 %; by bisection of its distribution function."""
    low, high = 0.0, 13.0  # One degree of freedom has 12.706, the largest.
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < CONFIDENCE else (low, middle)
    return high


def within(t: float, freedom: int) -> float:
    """P(|T| < t): Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    if freedom % 2:
        terms, term = 0.0, math.cos(angle)
        for one in range(1, freedom - 1, 2):
            terms += term
            term *= square * (one + 1) / (one + 2)
        return 2 / math.pi * (angle + sine * terms)
    terms, term = 0.0, 1.0
    for one in range(0, freedom - 1, 2):
        terms += term
        term *= square * (one + 1) / (one + 2)
    return sine * terms
