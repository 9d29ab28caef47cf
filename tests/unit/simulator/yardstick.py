"""The reference simulator beside the scenarios, where the recorded data is: independent of ours."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

WAITED_IN_VAIN = 4


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


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("refsim", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
