"""Draws what a simulation came to, for each scenario: three bar charts as PNG, with the 95 % intervals as whiskers.

`<scenario>-attainment.png` (share within target, by channel and policy), `<scenario>-wait.png` (mean wait ÷ target)
and `<scenario>-exposure.png` (reach-minutes).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from services.simulator.metrics import Estimate
from services.simulator.report import channels, of_seeds
from services.simulator.runs import Result, Results

WIDTH_INCHES: Final = 9.0
HEIGHT_INCHES: Final = 4.5
GROUP_WIDTH: Final = 0.8
"""What the bars of one channel take of the room to the next one's."""
NOTHING: Final = Estimate(0.0, None)


def draw_plots(results: Results, folder: Path) -> list[Path]:
    """Writes them to the folder, which is made when it isn't there, and says which."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for scenario, group in groupby(results.results, key=lambda result: result.scenario):
        of_scenario = list(group)
        for name, figure in (
            ("attainment", by_channel(of_scenario, "within_target", "begun within the target, %", 100)),
            ("wait", by_channel(of_scenario, "wait_over_target", "mean wait ÷ target", 1)),
            ("exposure", exposure(of_scenario)),
        ):
            figure.axes[0].set_title(f"{scenario}{of_seeds(of_scenario[0])}", loc="left")
            written.append(folder / f"{scenario}-{name}.png")
            figure.savefig(written[-1])
    return written


def by_channel(results: Sequence[Result], metric: str, label: str, scale: float) -> Figure:
    """A group of bars a channel, in it a bar a policy."""
    figure, axes = blank(label)
    names = channels(results[0])
    width = GROUP_WIDTH / len(results)
    for place, result in enumerate(results):
        bars = [result.metrics.get(f"{metric}.{name}", NOTHING) for name in names]
        middles = [group + (place - (len(results) - 1) / 2) * width for group in range(len(names))]
        axes.bar(middles, [one.mean * scale for one in bars], width, yerr=whiskers(bars, scale), label=result.policy)
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(names)), names)
    axes.legend(ncols=min(6, len(results)), loc="upper center", bbox_to_anchor=(0.5, -0.08), frameon=False)
    return figure


def exposure(results: Sequence[Result]) -> Figure:
    """A bar a policy."""
    figure, axes = blank("reach × unanswered minutes, millions")
    bars = [result.metrics.get("reach_minutes", NOTHING) for result in results]
    axes.bar([result.policy for result in results], [one.mean for one in bars], yerr=whiskers(bars, 1))
    axes.set_ylim(bottom=0)
    return figure


def blank(label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
    axes = figure.subplots()
    axes.set_ylabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def whiskers(bars: Sequence[Estimate], scale: float) -> list[float]:
    return [(one.ci95 or 0.0) * scale for one in bars]
