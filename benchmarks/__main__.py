"""The figures of the README, measured here and now, as one Markdown table: `make bench`.

    python -m benchmarks [--thorough]

Quick by default (a few minutes); each benchmark has its own command with more to say.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress

from benchmarks import decisions, latency, loop, picks, takeover
from tests.kafka.kafka_broker import KafkaBroker

Row = tuple[str, str, str]
"""What, by which command, measured."""


@dataclass(frozen=True)
class Sizes:
    waiting: int
    picks: int
    contacts: int
    rounds: int
    seconds: float
    take_overs: int


QUICK = Sizes(waiting=100_000, picks=300, contacts=2_000, rounds=2, seconds=10, take_overs=2)
THOROUGH = Sizes(waiting=1_000_000, picks=2_000, contacts=5_000, rounds=3, seconds=30, take_overs=5)
RATE = 50.0
FEW = 1_000


def picks_row(sizes: Sizes) -> Iterator[Row]:
    """p50 and p99 of a pick, few waiting and many."""
    bench, shown = picks.Bench(60), []
    for depth in (FEW, sizes.waiting):
        while bench.waiting < depth:
            bench.open_one()
            bench.core.changed(bench.state)
        p50, p99 = picks.quantiles(picks.measure(bench, sizes.picks)[0])
        shown.append(f"{p50 * 1e6:.0f} / {p99 * 1e6:.0f} µs with {depth:,}")
    yield f"a pick, p50 / p99, with {FEW:,} and with {sizes.waiting:,} waiting", "picks", ", ".join(shown)


def decision_rows(sizes: Sizes) -> Iterator[Row]:
    """The ends of the curves to their base."""
    with Progress(console=Console(stderr=True)) as progress:
        points = decisions.curves(sizes.waiting, sizes.picks, progress)
    last = {point.curve: point for point in points}
    few = dict(zip(decisions.CURVES, decisions.BASE, strict=True))
    for curve, found in decisions.ends(points).items():
        many = getattr(last[curve], curve)
        yield f"the cost of a decision with {many:,} {curve} ÷ with {few[curve]:,}", "decisions", found


async def loops(sizes: Sizes) -> list[tuple[float, float]]:
    """Of each round: the share of the bare loop's speed, and µs an input."""
    found = []
    with KafkaBroker(quick_jit=False) as broker:
        await loop.one_round(broker.bootstrap, "warm", min(sizes.contacts, 1_000))
        for number in range(sizes.rounds):
            inputs, routed, bare, *_ = await loop.one_round(broker.bootstrap, f"r{number}", sizes.contacts)
            found.append((bare / routed, routed / inputs * 1e6))
    return found


def loop_row(sizes: Sizes) -> Iterator[Row]:
    ratios, costs = zip(*asyncio.run(loops(sizes)), strict=True)
    yield (
        "the router's whole loop ÷ an empty transactional loop writing the same records", "loop",
        f"{statistics.median(ratios):.2f}; {statistics.median(costs):.0f} µs an input",
    )  # fmt: skip


def latency_rows(sizes: Sizes) -> Iterator[Row]:
    for one in latency.figures_of("both", RATE, sizes.seconds):
        offers, answers = (
            " / ".join(latency.milliseconds(sample, share) for share in (0.5, 0.99))
            for sample in (one.offered, one.answered)
        )
        what = f"webhook → offer on the desk, p50 / p99, {RATE:g} a second, log in {one.log}"
        yield what, "latency", f"{offers} ms; answered in {answers} ms"


def takeover_rows(sizes: Sizes) -> Iterator[Row]:
    for how, seconds in asyncio.run(takeover.measure(sizes.take_overs, 4)).items():
        shown = f"{statistics.median(seconds):.2f} / {max(seconds):.2f} s"
        yield f"take-over after {how}: the longest wait for a decision, median / max", "takeover", shown


BENCHMARKS: tuple[Callable[[Sizes], Iterator[Row]], ...] = (
    loop_row, picks_row, decision_rows, latency_rows, takeover_rows,
)  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--thorough", action="store_true", help="larger and longer")
    sizes = THOROUGH if options.parse_args().thorough else QUICK
    console, rows = Console(stderr=True), list[Row]()
    for benchmark in BENCHMARKS:
        console.print(f"{benchmark.__name__.partition('_')[0]} …")
        rows += benchmark(sizes)
    print("| what | command | measured |\n|---|---|---|")
    for what, command, measured in rows:
        print(f"| {what} | `python -m benchmarks.{command}` | {measured} |")
    print(f"\n{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}; all on one machine.")


if __name__ == "__main__":
    main()
