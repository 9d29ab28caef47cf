"""Small worlds whose every contact is written down: tests say who comes when, and read who was served when."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from libs.common.events import SECOND
from services.simulator.play import Play, Played, Router
from services.simulator.scenarios import Channel, Scenario, read_scenarios
from services.simulator.worlds import Arrival, Worker, World

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "morning.json"
KINDS: Mapping[str, dict[str, Any]] = {
    "voice": {"T": 20, "units": 60},
    "chat": {"T": 60, "units": 20},
    "post": {"T": 900, "units": 12, "soft": 1, "public": 1},
    "pm": {"T": 1_800, "units": 15, "soft": 1},
    "email": {"T": 14_400, "units": 12, "soft": 1},
}
ALL = tuple(KINDS)


def morning() -> Scenario:
    return read_scenarios(EXAMPLE).scenarios["morning"]


def channel(name: str, **fields: Any) -> Channel:
    """One of `KINDS`; nobody comes by it but who is written down."""
    return Channel(**{"name": name, "mean_s": 300.0, "profile": (), **KINDS[name], **fields})


def scenario(**fields: Any) -> Scenario:
    plain: dict[str, Any] = {
        "horizon_s": 3_600.0, "channels": tuple(channel(name) for name in ALL), "agents": (), "pbudget": 0.5,
    }  # fmt: skip
    return Scenario(**(plain | fields))


def comes(at: float, name: str, seconds: float = 100, **fields: Any) -> Arrival:
    """A contact whose handling takes `seconds`, by a standard customer whom nobody can see and who stays."""
    plain: dict[str, Any] = {
        "at": at, "channel": ALL.index(name), "language": 0, "handling": seconds, "patience": math.inf, "reach": 1.0,
        "strikes": 0, "tier": 0, "displeasure": 0.0, "storm": False,
    }  # fmt: skip
    return Arrival(**(plain | fields))


def worker(*names: str, languages: dict[int, int] | None = None) -> Worker:
    return Worker(tuple(ALL.index(name) for name in names or ALL), languages or {0: 5})


def world(*arrivals: Arrival, workers: tuple[Worker, ...] = (), **fields: Any) -> World:
    return World(scenario(**fields), list(arrivals), list(workers or (worker(),)))


def play(played: World, router: Router) -> Played:
    return Play(played, router).run()


def begun(played: Played) -> list[float | None]:
    """When work on each contact began, in seconds of the world; None for who left unserved."""
    return [_seconds(played, fate.started) for fate in played.fates]


def ended(played: Played) -> list[float | None]:
    return [_seconds(played, fate.ended) for fate in played.fates]


def _seconds(played: Played, moment: int | None) -> float | None:
    first = played.fates[0].arrived - round(played.world.arrivals[0].at * SECOND)
    return None if moment is None else (moment - first) / SECOND
