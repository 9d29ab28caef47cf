"""The smallest machine: it answers every command of a log at once, as its state says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from libs.common.events import COMMANDS
from libs.common.events.codec import decode, encode_headers, encode_value
from libs.common.events.commands import Command, CommandDecided
from libs.common.log import Draft, Log, Record


class Echo:
    def __init__(self) -> None:
        self.seen: list[Command] = []
        self.headers: list[dict[str, str]] = []
        self.partitions: list[int] = []
        self.answers: dict[str, tuple[int, str]] = {}
        """Command type → status and code; 200 for others."""
        self.silent = False
        self._more = asyncio.Event()

    async def until_seen(self, count: int) -> None:
        while len(self.seen) < count:
            self._more.clear()
            await self._more.wait()

    def outcome(self, command: Command) -> CommandDecided:
        status, code = self.answers.get(command.type, (200, "ok"))
        state: dict[str, Any] = {"seen": len(self.seen)}
        return CommandDecided(
            key=command.key,
            at=command.at,
            command_id=command.command_id,
            status=status,
            code=code,
            state=state,
            batch=len(self.seen),
        )

    def take(self, record: Record) -> Draft | None:
        command = decode(record.key, record.value, record.headers).event
        assert isinstance(command, Command)
        self.seen.append(command)
        self.headers.append(record.headers)
        self.partitions.append(record.partition)
        self._more.set()
        return None if self.silent else draft(self.outcome(command))


def draft(outcome: CommandDecided) -> Draft:
    assert outcome.topic is not None
    value = encode_value(outcome, sequence=1, cause="test")
    return Draft(topic=outcome.topic, key=outcome.key, value=value, headers=encode_headers(outcome, sequence=1))


@asynccontextmanager
async def answering(log: Log) -> AsyncIterator[Echo]:
    echo = Echo()
    reader = await log.reader({(COMMANDS, partition): 0 for partition in range(log.partitions)})

    async def answer() -> None:
        while True:
            for record in await reader.read(max_records=100, wait_seconds=5):
                if answer := echo.take(record):
                    await log.append(record.partition, [answer])

    task = asyncio.create_task(answer())
    try:
        yield echo
    finally:
        task.cancel()
        await asyncio.wait([task])
        await reader.close()
