"""Who belongs to a pool, there or not."""

from __future__ import annotations

from services.router.core.desks import Desk
from services.router.core.floor import Floor


def on_roster(floor: Floor, agent_id: str | None) -> Desk | None:
    """The agent's desk; None for who was never put, or was deleted."""
    desk = None if agent_id is None else floor.desks.get(agent_id)
    return None if desk is None or desk.agent.deleted else desk
