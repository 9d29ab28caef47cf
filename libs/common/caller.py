"""Roles, and the caller that a key makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["root", "admin", "supervisor", "agent", "integration", "viewer"]

EVERYTHING: Final[frozenset[Role]] = frozenset({"root", "admin", "supervisor", "agent", "integration", "viewer"})
IMPLIES: Final[dict[Role, frozenset[Role]]] = {
    "root": EVERYTHING,
    "admin": EVERYTHING - {"root"},
    "supervisor": frozenset({"supervisor", "viewer"}),
    "integration": frozenset({"integration", "viewer"}),
    "agent": frozenset({"agent"}),
    "viewer": frozenset({"viewer"}),
}
"""What a role may do besides its own: admin everything in its workspace, root also make workspaces."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it is. Nothing outside `workspace` exists for it."""

    key_id: str
    workspace: str
    role: Role
    agent_id: str | None = None

    def may(self, *roles: Role) -> bool:
        """Whether the caller has one of these roles, or one that implies it; any role when none is named."""
        return not roles or not IMPLIES[self.role].isdisjoint(roles)

    @property
    def actor(self) -> str:
        """How commands and audit name the caller: `agent:<id>` or the key's id."""
        return f"agent:{self.agent_id}" if self.agent_id else self.key_id
