"""Plays every scenario with every policy and every seed, and sums up over the seeds."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import msgspec

from services.simulator.metrics import Estimate, difference, estimates, measure
from services.simulator.play import Play
from services.simulator.policies import Policy
from services.simulator.scenarios import Scenario
from services.simulator.worlds import draw

Progress = Callable[[float], None]
"""Told how many runs are done; a part of a run counts."""


class Run(NamedTuple):
    scenario: Scenario
    policy: Policy
    seed: int


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    scenario: str
    policy: str
    seeds: tuple[int, ...]
    metrics: dict[str, Estimate]
    difference: dict[str, Estimate] = {}
    """To the first policy, of the same seeds: the worlds' own luck is not in it. The first one has none."""
    runs: tuple[dict[str, float], ...] = ()
    """The metrics of each seed, in the order of `seeds`."""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    results: list[Result]


def run(one: Run, progress: Progress | None = None) -> dict[str, float]:
    """Its metrics: the same run, the same numbers."""
    world = draw(one.scenario, one.seed)
    return measure(Play(world, one.policy.router(world)).run(progress))


def simulate(
    scenarios: Mapping[str, Scenario], policies: Sequence[Policy], seeds: Sequence[int], *,
    jobs: int = 1, progress: Progress = lambda done: None,
) -> Results:  # fmt: skip
    """A result per scenario and policy, in the order given. `jobs` processes share the runs and change no number."""
    runs = [Run(scenario, policy, seed) for scenario in scenarios.values() for policy in policies for seed in seeds]
    measured = dict(in_turn(runs, progress) if jobs == 1 else side_by_side(runs, jobs, progress))
    results, place = [], iter(range(len(runs)))
    for name in scenarios:
        first: tuple[dict[str, float], ...] = ()
        for policy in policies:
            of_seeds = tuple(measured[next(place)] for _ in seeds)
            result = Result(
                scenario=name, policy=policy.name, seeds=tuple(seeds), metrics=estimates(of_seeds),
                difference=difference(of_seeds, first) if first else {}, runs=of_seeds,
            )  # fmt: skip
            results.append(result)
            first = first or of_seeds
    return Results(results=results)


def in_turn(runs: Sequence[Run], progress: Progress) -> Iterator[tuple[int, dict[str, float]]]:
    for place, one in enumerate(runs):
        yield place, run(one, lambda part, done=place: progress(done + part))  # type: ignore[misc]
        progress(place + 1)


def side_by_side(runs: Iterable[Run], jobs: int, progress: Progress) -> Iterator[tuple[int, dict[str, float]]]:
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as processes:
        places = {processes.submit(run, one): place for place, one in enumerate(runs)}
        for done, finished in enumerate(as_completed(places), 1):
            yield places[finished], finished.result()
            progress(done)
