"""What the router's handlers stand on: who calls, what can be read, and how a command is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from libs.common.auth import Caller, caller
from libs.common.clock import Clock
from libs.common.commands import Commands, new_command_id
from libs.common.errors import FieldError, Forbidden, Invalid, NotFound
from libs.common.events import pool_key
from libs.common.events.commands import Command, ContactCommand
from libs.common.notes import Notes
from libs.common.parts import from_app, part
from libs.common.pools import Pools
from services.router.core.floor import EVERYONE
from services.router.core.state import contact_and_number
from services.router.names import Named, Names
from services.router.outlook import Outlook
from services.router.reads import Reads
from services.router.stats import Stats
from services.router.stream import Streams
from services.router.versions import Versions


@dataclass(frozen=True)
class Shell:
    """What `running` hands to the handlers."""

    reads: Reads
    outlook: Outlook
    names: Names
    stats: Stats
    streams: Streams
    notes: Notes
    versions: Versions
    clock: Clock


class Ask:
    """Turns a request into a command and its outcome into the answer."""

    def __init__(self, commands: Commands, clock: Clock) -> None:
        self._commands = commands
        self._clock = clock

    async def __call__(
        self, kind: type[Command], by: Caller, pool: str, *, command_id: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """The state that the outcome tells. Raises the Problem that the command was refused with.

        The id is given by who asks several things at once: ids are drawn in the order of what was sent.
        """
        command = kind(
            key=pool_key(by.workspace, pool),
            at=self._clock.now(),
            command_id=command_id or new_command_id(),
            actor=by.actor,
            **fields,
        )
        return (await self._commands.run(command)).state


def ask(connection: HTTPConnection) -> Ask:
    return Ask(part(connection, Commands), part(connection, Clock))


Shelled = Annotated[Shell, Depends(from_app(Shell))]
Asking = Annotated[Ask, Depends(ask)]
Pooled = Annotated[Pools, Depends(from_app(Pools))]
Reader = Annotated[Caller, Depends(caller("viewer"))]
ReaderOrAgent = Annotated[Caller, Depends(caller("viewer", "agent"))]
Supervisor = Annotated[Caller, Depends(caller("supervisor"))]
Worker = Annotated[Caller, Depends(caller("supervisor", "agent"))]
Platform = Annotated[Caller, Depends(caller("supervisor", "agent", "integration"))]
"""Whoever may act on a contact: an agent on its own, supervisors and platforms on any."""
Admin = Annotated[Caller, Depends(caller("admin"))]


def acting_agent(by: Caller) -> str | None:
    """The agent who asks and must own what is asked for; None for those who act for anyone."""
    return by.agent_id if by.role == "agent" else None


def check_own(by: Caller, agent_id: str) -> None:
    """Raises Forbidden when an agent's key asks about another agent."""
    if by.role == "agent" and by.agent_id != agent_id:
        raise Forbidden("an agent's key acts for that agent only")


async def check_pool(shell: Shell, pools: Pools, workspace: str, pool: str) -> None:
    """Raises Invalid `unknown_pool` when there is no such pool to configure something in."""
    there = pool in await pools.all(workspace)
    if not there or await shell.reads.is_deleted(workspace, "pool", pool):
        detail = FieldError(pointer="/pool", detail="there is no such pool")
        raise Invalid("unknown pool", code="unknown_pool", errors=[detail])


async def check_in_pool(shell: Shell, workspace: str, pool: str, kind: Named, id_: str, pointer: str) -> None:
    """Raises Invalid `unknown_queue`, `unknown_agent` or `another_pool`."""
    if (kind, id_) == ("queue", EVERYONE):
        return  # Every pool has one.
    try:
        row = await shell.reads.entity(workspace, kind, id_)
    except NotFound:
        errors = [FieldError(pointer, f"there is no such {kind}")]
        raise Invalid(f"unknown {kind}", code=f"unknown_{kind}", errors=errors) from None
    if row.pool != pool:
        errors = [FieldError(pointer, "belongs to another pool; contacts can only be referred there")]
        raise Invalid(f"this {kind} is of another pool", code="another_pool", errors=errors)


async def pool_of_contact(shell: Shell, workspace: str, contact_id: str) -> str:
    """Raises NotFound."""
    return (await shell.reads.entity(workspace, "contact", contact_id)).pool


async def ask_of_contact(
    kind: type[ContactCommand], contact_id: str, by: Caller, shell: Shell, ask: Ask, **fields: Any
) -> dict[str, Any]:
    """As `Ask` does; an agent asks it of their own contact. Raises NotFound."""
    pool = await pool_of_contact(shell, by.workspace, contact_id)
    return await ask(kind, by, pool, contact_id=contact_id, agent_id=acting_agent(by), **fields)


def contact_of_offer(offer_id: str) -> str:
    """`con_x.offer.3` → `con_x`. Raises NotFound for what is no offer's id."""
    contact_id, number = contact_and_number(offer_id)
    if not number:
        raise NotFound("there is no such offer")
    return contact_id
