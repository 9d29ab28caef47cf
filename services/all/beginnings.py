"""What a workspace begins with: pool `main`, and in it the queue `everyone`, which takes what no other queue takes."""

from __future__ import annotations

from typing import Final

from libs.common.auth import OnWorkspaceCreated
from libs.common.clock import Clock
from libs.common.commands import Commands, new_command_id
from libs.common.events import pool_key
from libs.common.events.commands import PutPool, PutQueue
from libs.common.events.values import QueueRules
from libs.common.pools import Pools
from services.router.core.floor import EVERYONE

FIRST_POOL: Final = "main"
LAST_QUEUE_ORDER: Final = 1_000_000
ACTOR: Final = "first-start"


def beginnings(commands: Commands, pools: Pools, clock: Clock) -> OnWorkspaceCreated:
    """How a workspace is furnished; doing it again changes nothing."""

    async def make(workspace: str) -> None:
        key = pool_key(workspace, FIRST_POOL)
        await pools.create(workspace, FIRST_POOL)
        for command in (
            PutPool(key=key, at=clock.now(), command_id=new_command_id(), actor=ACTOR),
            PutQueue(
                key=key,
                at=clock.now(),
                command_id=new_command_id(),
                actor=ACTOR,
                queue_id=EVERYONE,
                rules=QueueRules(order=LAST_QUEUE_ORDER),
            ),
        ):
            await commands.run(command)

    return OnWorkspaceCreated(make)
