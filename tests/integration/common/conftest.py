"""A migrated database of the test's own, a clock that the test moves, and an application around them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from libs.common.clock import VirtualClock
from libs.common.http import ApiRouter, build_app
from libs.common.idempotency import Idempotency
from libs.common.keys import Keys
from libs.common.postgres import Database
from libs.common.workspaces import OnWorkspaceCreated, Workspaces
from services.console.access import router as access

MASTER_KEY = b"a master key for tests"
NOON = 1_795_000_000_000_000
Made = Callable[[str], Awaitable[None]]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@dataclass
class Platform:
    """What a process is made of, and clients of it."""

    database: Database
    clock: VirtualClock
    keys: Keys
    workspaces: Workspaces
    idempotency: Idempotency
    root_key: str
    created: list[str] = field(default_factory=list)

    async def on_created(self, workspace: str) -> None:
        self.created.append(workspace)

    def app(self, *routers: ApiRouter, on_created: Made | None = None, **options: Any) -> Any:
        parts: dict[type[Any], Any] = {
            Keys: self.keys,
            Workspaces: self.workspaces,
            Idempotency: self.idempotency,
            OnWorkspaceCreated: OnWorkspaceCreated(on_created or self.on_created),
        }
        return build_app("test", [access, *routers], parts, **options)

    def client(self, key: str | None, *routers: ApiRouter, **options: Any) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(self.app(*routers, **options))
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


@pytest.fixture
async def platform(database: Database, clock: VirtualClock) -> Platform:
    keys = Keys(database, clock, MASTER_KEY)
    workspaces = Workspaces(database, keys, clock)
    root_key = await workspaces.ensure_first_start(None)
    assert root_key is not None
    idempotency = Idempotency(database, clock, MASTER_KEY, alone=False)
    return Platform(database, clock, keys, workspaces, idempotency, root_key)
