"""What a decision costs, as curves: over waiting contacts, over agents, over requirements, each from small to large.

    python -m benchmarks.decisions [--most 1000000] [--count 500] [--plot decisions.png]

A pick is what the core does once an agent has room and something fits; an arrival is a chat or a call that comes, is
queued, and is placed with the best of the agents who could take it. The world is in `benchmarks/world.py`. Every ratio
is to 1,000 waiting, 100 agents and 10 requirements, of medians to the median and of p99 to the p99; the promise is at
most 3. A bare heapq push and pop as deep as the waiting contacts says
how fast the machine was meanwhile. At the end a restore of 100,000 open contacts from their JSON, as a router does it
that takes over.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Final, NamedTuple

import msgspec
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.picks import bare_heap, memory_kib, quantiles
from benchmarks.world import World
from libs.common.machine import Machine
from services.router.core.core import RouterCore
from services.router.core.partition import Partition
from services.router.core.state import Entity

WAITING: Final = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
AGENTS: Final = (10, 100, 1_000, 5_000, 15_000)
REQUIREMENTS: Final = (1, 10, 100, 500, 2_000)
CURVES: Final = ("waiting", "agents", "requirements")
BASE: Final = (1_000, 100, 10)
"""Waiting contacts, agents, requirements."""
ENOUGH: Final = 10_000
"""Waiting contacts on the curve over requirements: so many that all of them are asked for."""
RATIO_MAX: Final = 3.0
KILOBYTES_MAX: Final = 1.5
RESTORED: Final = 100_000
RESTORE_SECONDS_MAX: Final = 5.0
DRAIN_EVERY: Final = 500
WIDTH: Final = 120


class Cost(NamedTuple):
    """Of one size of the world, in seconds; p50 and p99."""

    pick: tuple[float, float]
    arrival: tuple[float, float]
    heap: float


class Point(NamedTuple):
    curve: str
    waiting: int
    agents: int
    requirements: int
    cost: Cost
    kilobytes: float | None
    """Memory a waiting contact; None where too few wait to tell."""


def curves(most: int, count: int, progress: Progress) -> list[Point]:
    """All three, with so many waiting at most."""
    depths = [depth for depth in WAITING if depth <= most]
    return waiting_curve(depths, count, progress) + other_curves(most, count, progress)


def waiting_curve(depths: Sequence[int], count: int, progress: Progress) -> list[Point]:
    """One world that fills, so that its memory can be told."""
    _, agents, requirements = BASE
    world, before, points = World(agents, requirements), memory_kib(), list[Point]()
    for depth in depths:
        fill(world, depth, progress)
        each = (memory_kib() - before) * 1.024 / depth if depth >= ENOUGH else None
        points.append(Point("waiting", depth, agents, requirements, cost(world, depth, count), each))
    return points


def other_curves(most: int, count: int, progress: Progress) -> list[Point]:
    """A world for each number of agents and of requirements."""
    waiting, agents, requirements = BASE
    sizes = [("agents", min(waiting, most), many, requirements) for many in AGENTS]
    sizes += [("requirements", min(ENOUGH, most), agents, many) for many in REQUIREMENTS]
    points = []
    for curve, depth, many, needs in sizes:
        world = World(many, needs)
        fill(world, depth, progress)
        points.append(Point(curve, depth, many, needs, cost(world, depth, count), None))
    return points


def fill(world: World, depth: int, progress: Progress) -> None:
    """Customers write until so many wait; what the state topic would be told meanwhile is dropped."""
    task = progress.add_task(f"{depth:,} waiting, {len(world.agents):,} agents", total=depth)
    for waiting in world.fill(depth):
        if world.opened % DRAIN_EVERY == 0:
            world.drain()
            progress.update(task, completed=waiting)
    progress.remove_task(task)


def cost(world: World, depth: int, count: int) -> Cost:
    picks = sorted(world.pick() for _ in range(count))
    arrivals = sorted(world.arrive() for _ in range(count))
    return Cost(quantiles(picks), quantiles(arrivals), bare_heap(depth, count))


def restore(contacts: int, progress: Progress) -> tuple[float, int]:
    """Seconds from the records of the state topic to a core that decides, and how many contacts it then has."""
    world = World(BASE[1], BASE[2])
    kept = fill_kept(world, contacts, progress)
    encode = msgspec.json.Encoder(order="deterministic").encode
    records = [(key, encode(entity)) for key, entity in sorted(kept.items()) if entity is not None]
    del world
    begin = process_time()
    machine: Machine[Partition] = Machine(RouterCore(), 0)
    machine.load(records)
    return process_time() - begin, sum(len(floor.contacts) for floor in machine.state.floors.values())


def fill_kept(world: World, contacts: int, progress: Progress) -> dict[str, Entity | None]:
    """Customers write until so many wait; what the state topic holds then."""
    task = progress.add_task(f"{contacts:,} to restore", total=contacts)
    kept: dict[str, Entity | None] = {}
    world.kept = kept
    world.drain()
    for waiting in world.fill(contacts):
        progress.update(task, completed=waiting)
    world.drain()
    progress.remove_task(task)
    return kept


# -- what is shown ------------------------------------------------------------------------------------------------


def base_of(points: Sequence[Point]) -> Cost:
    """The cost at 1,000 waiting, 100 agents and 10 requirements; in a smaller run the first point's."""
    return next((point.cost for point in points if point[1:4] == BASE), points[0].cost)


def ratios(point: Point, base: Cost) -> tuple[float, ...]:
    """Of a pick's and of an arrival's median and p99, to those of the base."""
    cost = (*point.cost.pick, *point.cost.arrival)
    return tuple(one / other for one, other in zip(cost, (*base.pick, *base.arrival), strict=True))


def table(points: Sequence[Point]) -> Table:
    base = base_of(points)
    shown = Table(
        "curve", "waiting", "agents", "require-\nments", "pick\np50 µs", "pick\np99 µs", "arrival\np50 µs",
        "arrival\np99 µs", "pick\n× base", "arrival\n× base", "heap\nµs", "kB\neach",
    )  # fmt: skip
    for point in points:
        micros = (f"{one * 1e6:.0f}" for one in (*point.cost.pick, *point.cost.arrival))
        sizes = (f"{one:,}" for one in point[1:4])
        pick, pick_most, arrival, arrival_most = ratios(point, base)
        times = (f"{pick:.1f}, {pick_most:.1f}", f"{arrival:.1f}, {arrival_most:.1f}")
        memory = "" if point.kilobytes is None else f"{point.kilobytes:.2f}"
        shown.add_row(point.curve, *sizes, *micros, *times, f"{point.cost.heap * 1e6:.1f}", memory)
    return shown


def ends(points: Sequence[Point]) -> dict[str, str]:
    """Each curve's end to the base, against the promise."""
    base, said = base_of(points), {}
    for last in {point.curve: point for point in points}.values():
        pick, pick_most, arrival, arrival_most = ratios(last, base)
        kept = "kept" if max(ratios(last, base)) <= RATIO_MAX else "NOT kept"
        found = f"pick × {pick:.2f}, p99 × {pick_most:.2f}; arrival × {arrival:.2f}, p99 × {arrival_most:.2f}"
        said[last.curve] = f"{found} (at most {RATIO_MAX:g}: {kept})"
    return said


def plot(points: Sequence[Point], file: Path) -> None:
    """The three curves side by side, medians and p99 over size, both logarithmic."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(CURVES), sharey=True), CURVES, strict=True):
        curve = [point for point in points if point.curve == name]
        sizes = [getattr(point, name) for point in curve]
        for label, colour in (("pick", "C0"), ("arrival", "C1")):
            halves, most = zip(*(getattr(point.cost, label) for point in curve), strict=True)
            axes.loglog(sizes, [one * 1e6 for one in halves], f"{colour}o-", label=f"{label}, p50")
            axes.loglog(sizes, [one * 1e6 for one in most], f"{colour}o:", label=f"{label}, p99")
        axes.set_xlabel(name)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("µs")
    figure.axes[-1].legend(frameon=False)
    figure.savefig(file)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--most", type=int, default=WAITING[-1], help="waiting contacts at most")
    options.add_argument("--count", type=int, default=500, help="picks and arrivals measured at each point")
    options.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves, as PNG or SVG")
    chosen = options.parse_args()
    console = Console(width=WIDTH)
    with Progress(console=Console(stderr=True)) as progress:
        points = curves(chosen.most, chosen.count, progress)
        seconds, restored = restore(min(RESTORED, chosen.most), progress)
    console.print(table(points))
    for curve, found in ends(points).items():
        console.print(f"over {curve}: {found}")
    each = [point.kilobytes for point in points if point.kilobytes is not None]
    if each:
        console.print(f"memory: {each[-1]:.2f} kB a waiting contact (at most {KILOBYTES_MAX:g})")
    console.print(f"restore: {restored:,} open contacts in {seconds:.2f} s (at most {RESTORE_SECONDS_MAX:g})")
    if chosen.plot is not None:
        plot(points, chosen.plot)


if __name__ == "__main__":
    main()
