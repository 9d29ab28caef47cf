"""Shows results as tables: a row per policy, shares in percent, the interval behind the mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from services.simulator.metrics import Estimate
from services.simulator.runs import Result, Results

Column = tuple[str, str, Callable[[float], str]]


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def decimals(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


def seconds(value: float) -> str:
    return f"{value:,.0f}"


OVERALL: Final[tuple[Column, ...]] = (
    ("worst %", "worst_channel", percent),
    ("reach M", "reach_minutes", decimals),
    ("left %", "abandoned", percent),
    ("strikes", "strike_relative", decimals),
    ("busy %", "occupancy", percent),
    ("jain", "jain", decimals),
)
PER_CHANNEL: Final[tuple[Column, ...]] = (
    ("in time %", "within_target", percent),
    ("wait ÷ target", "wait_over_target", decimals),
    ("p99 s", "wait_p99_s", seconds),
    ("longest s", "wait_max_s", seconds),
)


def tables(results: Results) -> Iterator[Table]:
    """For each scenario what holds for all channels, how that differs between policies, and a table by channel."""
    for scenario, group in groupby(results.results, key=lambda result: result.scenario):
        of_scenario = list(group)
        yield _overall(f"{scenario}{of_seeds(of_scenario[0])}", [(one.policy, one.metrics) for one in of_scenario])
        differ = [(one.policy, one.difference) for one in of_scenario if one.difference]
        if differ:
            yield _overall(f"{scenario}, less {of_scenario[0].policy} in the same worlds", differ, sign="+")
        yield _by_channel(scenario, of_scenario)


def of_seeds(result: Result) -> str:
    """Nothing for what was drawn from no seed."""
    match len(result.seeds):
        case 0: return ""
        case 1: return f": seed {result.seeds[0]}"
        case many: return f": mean of {many} seeds, ± 95 %"


def _overall(title: str, rows: Sequence[tuple[str, Mapping[str, Estimate]]], sign: str = "") -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("policy")
    for heading, _, _ in OVERALL:
        table.add_column(heading, justify="right")
    for policy, metrics in rows:
        table.add_row(policy, *(shown(metrics.get(name), form, sign) for _, name, form in OVERALL))
    return table


def _by_channel(scenario: str, results: list[Result]) -> Table:
    table = Table(title=f"{scenario}, by channel", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("policy", "channel"):
        table.add_column(heading)
    for heading, _, _ in PER_CHANNEL:
        table.add_column(heading, justify="right")
    for result in results:
        for channel in channels(result):
            values = (shown(result.metrics.get(f"{name}.{channel}"), form) for _, name, form in PER_CHANNEL)
            table.add_row(result.policy, channel, *values)
    return table


def channels(result: Result) -> list[str]:
    prefix = "within_target."
    return [name.removeprefix(prefix) for name in result.metrics if name.startswith(prefix)]


def shown(estimate: Estimate | None, form: Callable[[float], str], sign: str = "") -> str:
    """`sign` goes before what isn't negative."""
    if estimate is None:
        return ""
    mean = form(estimate.mean)
    mean = mean if mean.startswith("-") else f"{sign}{mean}"
    return mean if estimate.ci95 is None else f"{mean} ±{form(estimate.ci95)}"
