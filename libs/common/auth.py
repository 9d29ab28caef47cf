"""The door: `Annotated[Caller, Depends(caller("supervisor"))]` lets in whoever has the role, and says who it is."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from libs.common.caller import IMPLIES, Caller, Role
from libs.common.errors import Forbidden, Unauthorized
from libs.common.keys import Key, Keys
from libs.common.parts import part
from libs.common.workspaces import OnWorkspaceCreated, Workspace, Workspaces

__all__ = [
    "IMPLIES",
    "Caller",
    "Key",
    "Keys",
    "OnWorkspaceCreated",
    "RequireRole",
    "Role",
    "Workspace",
    "Workspaces",
    "caller",
    "identify",
]

BEARER: Final = HTTPBearer(auto_error=False, scheme_name="key", description="An API key of one workspace.")


class RequireRole:
    """Lets in a caller with one of the roles, or one that implies it. Raises Unauthorized, Forbidden."""

    def __init__(self, *roles: Role) -> None:
        self.roles = roles

    async def __call__(
        self,
        connection: HTTPConnection,
        _documented: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
    ) -> Caller:
        return self.check(await identify(connection))

    def check(self, known: Caller | None) -> Caller:
        if known is None:
            raise Unauthorized("an API key is needed: Authorization: Bearer <key>")
        if not known.may(*self.roles):
            raise Forbidden(f"role {known.role} may not do this")
        return known


def caller(*roles: Role) -> RequireRole:
    """A dependency that answers who calls; without roles any key will do."""
    return RequireRole(*roles)


async def identify(connection: HTTPConnection) -> Caller | None:
    """Whose key the request carries; looked up once a request."""
    if not hasattr(connection.state, "caller"):
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        keys: Keys | None = part(connection, Keys)
        known = await keys.authenticate(bearer.strip()) if keys and scheme.lower() == "bearer" else None
        connection.state.caller = known
    found: Caller | None = connection.state.caller
    return found
