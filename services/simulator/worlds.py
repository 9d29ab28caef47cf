"""Draws a scenario's contacts and agents from a seed: the same seed, the same world, whatever routes it.

The random streams are fixed by what others have drawn from the same files: one numpy generator seeded with
(seed, salt) for the contacts, in the order profile, backlog, storm, then eight uniforms and one normal a contact; one
seeded with (seed, 777, salt) for the agents.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from services.simulator.scenarios import NATIVE_LEVEL, SECOND_LEVEL, Channel, Scenario

AGENTS_STREAM = 777
STRIKES = ((0.75, 0), (0.90, 1), (0.97, 2), (1.0, 3))
TIERS = ((0.80, 0), (0.95, 1), (1.0, 2))


class Arrival(NamedTuple):
    """A contact as it comes in. Times are seconds; `displeasure` is 0 to 1, the tone with its sign turned."""

    at: float
    channel: int
    language: int
    handling: float
    patience: float
    """Infinite for who never leaves."""
    reach: float
    strikes: int
    tier: int
    displeasure: float
    storm: bool


class Worker(NamedTuple):
    """An agent: channels by number, and language → level."""

    channels: tuple[int, ...]
    languages: dict[int, int]


class World(NamedTuple):
    scenario: Scenario
    arrivals: list[Arrival]
    workers: list[Worker]


def draw(scenario: Scenario, seed: int) -> World:
    return World(scenario, draw_arrivals(scenario, seed), draw_workers(scenario, seed))


def draw_arrivals(scenario: Scenario, seed: int) -> list[Arrival]:
    """In order of time."""
    random = np.random.default_rng([seed, scenario.salt])
    opened: list[tuple[float, int, bool]] = []
    for number, channel in enumerate(scenario.channels):
        for start, end, rate in channel.profile:
            opened += ((at, number, False) for at in poisson(random, start, end, rate))
        opened += ((0.0, number, False) for _ in range(channel.backlog))
    storm = scenario.storm
    if storm is not None:
        number = scenario.names.index(storm.channel)
        opened += ((at, number, True) for at in poisson(random, storm.t0, storm.t1, storm.rate_h))
    opened.sort()
    uniforms = random.random((len(opened), 8))
    normals = random.standard_normal(len(opened))
    return [
        arrival(scenario, one, chances.tolist(), float(normal))
        for one, chances, normal in zip(opened, uniforms, normals, strict=True)
    ]


def poisson(random: np.random.Generator, start: float, end: float, per_hour: float) -> list[float]:
    count = random.poisson(per_hour * (end - start) / 3600.0)
    moments: list[float] = random.uniform(start, end, count).tolist()
    return moments


def arrival(
    scenario: Scenario, opened: tuple[float, int, bool], chances: list[float], normal: float
) -> Arrival:
    """`chances` are uniform: handling, patience, reach, language, strikes, tier, tone, and one to spare."""
    at, number, storm = opened
    channel = scenario.channels[number]
    handling = handling_seconds(channel, chances[0], normal)
    if storm and scenario.storm is not None:
        handling *= scenario.storm.dur_factor
    patience = -math.log(1 - chances[1]) * channel.patience_s if channel.patience_s else math.inf
    law = scenario.reach
    reach = min(law.cap, law.xm * (1 - chances[2]) ** (-1 / law.alpha)) if channel.public else 1.0
    return Arrival(
        at=at, channel=number, language=language(scenario, chances[3]), handling=handling, patience=patience,
        reach=reach, strikes=step(STRIKES, chances[4]), tier=step(TIERS, chances[5]),
        displeasure=min(1.0, chances[6] * (0.6 + 0.4 * channel.public) + 0.3 * storm), storm=storm,
    )  # fmt: skip


def handling_seconds(channel: Channel, chance: float, normal: float) -> float:
    if channel.dist == "exp":
        return -math.log(1 - chance) * channel.mean_s
    variance = math.log(1 + channel.cv**2)
    return channel.mean_s * math.exp(normal * math.sqrt(variance) - variance / 2)


def language(scenario: Scenario, chance: float) -> int:
    shares = np.array(scenario.lang_p)
    return int(np.searchsorted(np.cumsum(shares), chance * shares.sum()))


def step(table: tuple[tuple[float, int], ...], chance: float) -> int:
    return next(value for below, value in table if chance < below)


# -- agents -----------------------------------------------------------------------------------------------------


def draw_workers(scenario: Scenario, seed: int) -> list[Worker]:
    """Group by group, native language by native language."""
    random = np.random.default_rng([seed, AGENTS_STREAM, scenario.salt])
    languages = len(scenario.langs)
    workers = []
    for group in scenario.agents:
        channels = tuple(scenario.names.index(name) for name in group.channels)
        for native, count in enumerate(split(group.native_p or scenario.lang_p, group.n)):
            for _ in range(count):
                spoken = {native: NATIVE_LEVEL}
                if random.random() < group.second_p and languages > 1:
                    others = [one for one in range(languages) if one != native]
                    spoken[int(random.choice(others))] = SECOND_LEVEL
                workers.append(Worker(channels, spoken))
    return workers


def split(shares: tuple[float, ...], count: int) -> list[int]:
    """Whole agents by the largest remainders."""
    exact = np.array(shares) * count
    whole = np.floor(exact).astype(int)
    for largest in np.argsort(-(exact - whole))[: count - int(whole.sum())]:
        whole[largest] += 1
    counts: list[int] = whole.tolist()
    return counts
