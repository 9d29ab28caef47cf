"""How much dies: every point once with the other tests, three times and under 2,000 contacts with `make killed`."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from random import Random
from typing import Final

from libs.common.crash import Point

FULL: Final = os.environ.get("OMNIROUTE_TEST_KILLED") == "full"
CONTACTS: Final = int(os.environ.get("OMNIROUTE_TEST_KILLED_CONTACTS") or (2_000 if FULL else 200))
EACH_POINT: Final = 3 if FULL else 1
RANDOM_KILLS: Final = 3 if FULL else 1
RATE: Final = 10.0
"""Contacts a second."""
PASSINGS_MAX: Final = 40


def seeded() -> tuple[Random, str]:
    """Chance, and the word that repeats it: OMNIROUTE_TEST_SEED."""
    seed = os.environ.get("OMNIROUTE_TEST_SEED") or str(time.time_ns())
    return Random(seed), seed


def orders(rng: Random, points: Iterable[Point], times: int = EACH_POINT) -> deque[str]:
    """Each point so many times, in any order, each at some passing."""
    every = [point for point in points for _ in range(times)]
    rng.shuffle(every)
    return deque(f"{point}:{passing(rng, point)}" for point in every)


def passing(rng: Random, point: Point) -> int:
    return rng.randint(1, 2) if point == "worker.restoring" else rng.randint(2, PASSINGS_MAX)


def shown(deaths: Mapping[str, Counter[str]]) -> str:
    return "; ".join(f"{name}: {dict(sorted(counted.items()))}" for name, counted in deaths.items())
