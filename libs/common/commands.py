"""Ask a core to do something: append a command, wait for its one outcome and until a read would show it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from libs.common import telemetry
from libs.common.clock import Clock
from libs.common.command_records import CommandRecords
from libs.common.drafts import command_draft
from libs.common.errors import OutcomeUnknown, Problem
from libs.common.events.commands import (
    Command,
    CommandDecided,
    DeleteCalendar,
    DeleteTarget,
    PutCalendar,
    PutTarget,
)
from libs.common.idempotency import drawn_command_id
from libs.common.leases import Leases
from libs.common.log.port import Log, LogError
from libs.common.outcomes import Outcomes, following
from libs.common.pools import Pools
from libs.common.postgres import Database

__all__ = ["CommandStatus", "Commands", "Freshness", "command_draft", "new_command_id", "open_commands"]

OUTCOME_SECONDS_MAX: Final = 8
DECIDED_BY_SLA: Final = (PutTarget, DeleteTarget, PutCalendar, DeleteCalendar)


class Freshness(Protocol):
    """A projection that can be waited for."""

    async def reached(self, service: str, partition: int, batch: int) -> None:
        """Return once what `service` committed on `partition` up to `batch` can be read."""
        ...


@dataclass(frozen=True, slots=True)
class CommandStatus:
    """`status`, `code` and `state` are the outcome's; None while there is none (`done` is false)."""

    command_id: str
    done: bool
    status: int | None = None
    code: str | None = None
    state: dict[str, Any] | None = None


def new_command_id() -> str:
    """Within a POST with an Idempotency-Key: the ids that belong to it, the same whenever it is run again."""
    return drawn_command_id()


class Commands:
    def __init__(
        self,
        log: Log,
        pools: Pools,
        records: CommandRecords,
        outcomes: Outcomes,
        leases: Leases,
        fresh: Mapping[str, Freshness],
        *,
        outcome_seconds_max: float = OUTCOME_SECONDS_MAX,
    ) -> None:
        self._log = log
        self._pools = pools
        self._records = records
        self._outcomes = outcomes
        self._leases = leases
        self._fresh = fresh
        self._seconds_max = outcome_seconds_max

    async def run(self, command: Command, *, partition: int | None = None) -> CommandDecided:
        """The command's outcome, once a read shows it.

        Raises a Problem with the outcome's status, code and `state` when it was refused, NotFound for an unknown
        pool, OutcomeUnknown after 8 s.
        """
        assert partition is not None or command.pool != "*", "a workspace's command goes to every partition"
        place = partition
        if place is None:
            place = await self._pools.partition(command.workspace, command.pool)
        outcome = await self._timed(command, place)
        if outcome.status >= 400:
            raise refusal(outcome)
        return outcome

    async def broadcast(self, make: Callable[[int], Command]) -> list[CommandDecided]:
        """A copy for every partition, its id the first copy's with `.p<n>`; answered when all are there.

        Raises as `run` does, for the first partition that refused.
        """
        first = make(0)
        copies = [first, *(make(partition) for partition in range(1, self._log.partitions))]
        named = [
            msgspec.structs.replace(copy, command_id=f"{first.command_id}.p{partition}")
            for partition, copy in enumerate(copies)
        ]
        assert all(copy.pool == "*" and copy.workspace == first.workspace for copy in named)
        async with self._records.in_turn(first.workspace):
            outcomes = await asyncio.gather(*(self._timed(copy, place) for place, copy in enumerate(named)))
        for outcome in outcomes:
            if outcome.status >= 400:
                raise refusal(outcome)
        return list(outcomes)

    def renew_lease(self, workspace: str, pool: str, agent: str, seconds: int) -> None:
        """A heartbeat: it goes out with the others of its pool within a second, and nobody waits for it."""
        self._leases.renew(workspace, pool, agent, seconds)

    async def flush(self) -> None:
        """Append the heartbeats that are gathered, now."""
        await self._leases.flush()

    async def status(self, workspace: str, command_id: str) -> CommandStatus:
        """What became of a command of the last 24 hours. Raises NotFound, also for another workspace's."""
        record = await self._records.get(workspace, command_id)
        if record.status is not None:
            return CommandStatus(command_id, True, record.status, record.code, record.state)
        async with asyncio.timeout(self._seconds_max):
            found = await self._outcomes.find(record.partition, record.position, command_id)
        if found is None or found.workspace != workspace:
            return CommandStatus(command_id, done=False)
        await self._records.answer(workspace, found)
        return CommandStatus(command_id, True, found.status, found.code, found.state)

    async def sweep(self) -> int:
        """Forget commands older than 24 hours; how many went."""
        return await self._records.sweep()

    async def _timed(self, command: Command, partition: int) -> CommandDecided:
        kind = command.type
        with telemetry.span(f"command {kind}"), telemetry.command_seconds.labels(kind).time():
            try:
                async with asyncio.timeout(self._seconds_max):
                    outcome = await self._answered(command, partition)
            except (TimeoutError, LogError):
                telemetry.commands_total.labels(kind, "unknown").inc()
                raise OutcomeUnknown(command.command_id) from None
        telemetry.commands_total.labels(kind, str(outcome.status)).inc()
        return outcome

    async def _answered(self, command: Command, partition: int) -> CommandDecided:
        outcome = await self._asked_before(command, partition)
        if outcome is None:
            with self._outcomes.expecting(command.command_id) as answer:
                await self._log.append(partition, [command_draft(command)])
                outcome = await answer
        await self._records.answer(command.workspace, outcome)
        service = "sla" if isinstance(command, DECIDED_BY_SLA) else "router"
        if service in self._fresh:
            await self._fresh[service].reached(service, partition, outcome.batch)
        return outcome

    async def _asked_before(self, command: Command, partition: int) -> CommandDecided | None:
        """A repeat after a crash: its outcome may have been given since, and longer ago than the machine knows."""
        position = self._outcomes.position(partition)
        if await self._records.ask(command, partition, position):
            return None
        record = await self._records.get(command.workspace, command.command_id)
        return await self._outcomes.find(record.partition, record.position, command.command_id)


def refusal(outcome: CommandDecided) -> Problem:
    """A refused command as the caller is told: the core's status and code, and the subject's present state."""
    detail = outcome.code.replace("_", " ")
    return Problem(detail, status=outcome.status, code=outcome.code, members={"state": outcome.state})


@asynccontextmanager
async def open_commands(
    log: Log,
    pools: Pools,
    database: Database,
    clock: Clock,
    fresh: Mapping[str, Freshness] | None = None,
    *,
    outcome_seconds_max: float = OUTCOME_SECONDS_MAX,
) -> AsyncIterator[Commands]:
    """The process's Commands, with the tail of the outcomes and the heartbeats in the background."""
    leases = Leases(log, pools, clock)
    async with following(log) as outcomes, leases.flushing():
        records = CommandRecords(database, clock)
        yield Commands(log, pools, records, outcomes, leases, fresh or {}, outcome_seconds_max=outcome_seconds_max)
