"""The reference simulator beside the scenarios, where the recorded data is: independent of ours.

    python -m tests.unit.simulator.yardstick RESULTS

compares the policy `default` of a file that `omniroute simulate --json` wrote with the same policy here, seed by seed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from services.simulator.metrics import difference
from services.simulator.runs import Results

WAITED_IN_VAIN = 4
NAMES = {
    "within_target.voice": ("sl_voice", 100), "wait_over_target.email": ("x_email", 1),
    "worst_channel": ("worst_sl", 100), "wait_max_s.pm": ("max_pm", 1), "wait_p99_s.post": ("p99_post", 1),
    "reach_minutes": ("reachmin", 1), "strike_relative": ("strike_rel", 1), "abandoned": ("ab", 100),
    "occupancy": ("occ", 100), "jain": ("jain", 1),
}  # fmt: skip
"""Our metric → what the yardstick calls it, and how many of its units are one of ours."""


class Yardstick:
    def __init__(self, folder: Path) -> None:
        self.scenarios: dict[str, Any] = json.loads((folder / "public.json").read_text())["scenarios"]
        self.module = _load(folder / "refsim.py")

    def contacts(self, name: str, seed: int) -> list[tuple[Any, ...]]:
        drawn: list[tuple[Any, ...]] = self.module.gen(self.scenarios[name], seed)
        return drawn

    def agents(self, name: str, seed: int) -> list[tuple[tuple[int, ...], dict[int, int]]]:
        return [(tuple(one["ch"]), one["lev"]) for one in self.module.make_agents(self.scenarios[name], seed)]

    def played(self, name: str, seed: int, policy: str) -> tuple[list[tuple[Any, ...]], dict[str, Any]]:
        contacts, agents = self.contacts(name, seed), self.module.make_agents(self.scenarios[name], seed)
        return contacts, self.module.sim(self.scenarios[name], contacts, agents, policy)

    def served(self, name: str, seed: int, policy: str) -> list[tuple[int | None, float | None]]:
        """(agent, seconds of waiting) of every contact; Nones for who left."""
        contacts, result = self.played(name, seed, policy)
        return [
            (None, None) if state == WAITED_IN_VAIN else (who, start - contact[0])
            for contact, state, who, start in zip(
                contacts, result["state"], result["who"], result["start"], strict=True
            )
        ]

    def metrics(self, name: str, seed: int, policy: str) -> dict[str, float]:
        contacts, result = self.played(name, seed, policy)
        measured = self.module.metrics(self.scenarios[name], contacts, result, 62)
        return {metric: float(value) for metric, value in measured.items()}

    def in_our_terms(self, name: str, seed: int, policy: str) -> dict[str, float]:
        theirs = self.metrics(name, seed, policy)
        return {ours: theirs[their] / scale for ours, (their, scale) in NAMES.items() if their in theirs}


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("refsim", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compare(written: Path, yardstick: Yardstick) -> None:
    results = msgspec.json.decode(written.read_bytes(), type=Results).results
    for result in (one for one in results if one.policy == "default"):
        theirs = [yardstick.in_our_terms(result.scenario, seed, "default") for seed in result.seeds]
        for name, less in difference(result.runs, theirs).items():
            print(f"{result.scenario:10} {name:24} {less.mean:+.4f} ± {less.ci95 or 0:.4f}")


if __name__ == "__main__":
    compare(Path(sys.argv[1]), Yardstick(Path(os.environ["OMNIROUTE_TEST_DATA"]) / "scenarios"))
