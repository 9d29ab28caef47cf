"""What routes a world: the product's core, with its own weights or others, or one of the baselines."""

from __future__ import annotations

from typing import Final

import msgspec

from services.simulator.baselines import BASELINES
from services.simulator.core_router import CoreRouter
from services.simulator.play import Router
from services.simulator.switchboard import Switchboard
from services.simulator.worlds import World

DEFAULT: Final = "default"
NAMES: Final = (DEFAULT, *BASELINES)


class Policy(msgspec.Struct, frozen=True):
    """`weights` in thousandths, for the core; None for its defaults, or where a baseline routes."""

    name: str
    weights: dict[str, int] | None = None

    def router(self, world: World) -> Router:
        """Raises Refused for weights that the core doesn't take."""
        order = BASELINES.get(self.name)
        return Switchboard(world, order) if order is not None else CoreRouter(world, self.weights)
