"""The tail of the outcomes: one reader a process, positioned before anything of it is appended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from libs.common.beside import beside
from libs.common.events import OUTCOMES
from libs.common.events.codec import Unreadable, decode
from libs.common.events.commands import CommandDecided
from libs.common.log.port import Log, LogError, Place, Record
from libs.common.telemetry import log as say

READ_RECORDS_MAX: Final = 1_000
READ_WAIT_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.5

Answer = asyncio.Future[CommandDecided]


class Outcomes:
    def __init__(self, log: Log, start: dict[Place, int]) -> None:
        self._log = log
        self._next = start
        self._waiting: dict[str, list[Answer]] = {}

    def position(self, partition: int) -> int:
        """The answer to anything that is appended from now on is here or after."""
        return self._next[OUTCOMES, partition]

    @contextmanager
    def expecting(self, command_id: str) -> Iterator[Answer]:
        """The future answer to a command; begin to expect before the append."""
        answer: Answer = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(command_id, [])
        waiting.append(answer)
        try:
            yield answer
        finally:
            waiting.remove(answer)
            if not waiting:
                self._waiting.pop(command_id, None)

    async def find(self, partition: int, position: int, command_id: str) -> CommandDecided | None:
        """Look for an answer from a position to the present end. Raises LogError."""
        place = (OUTCOMES, partition)
        end = (await self._log.stable_ends([place]))[place]
        reader = await self._log.reader({place: position})
        try:
            while reader.next_positions()[place] < end:
                for record in await reader.read(max_records=READ_RECORDS_MAX, wait_seconds=RETRY_SECONDS):
                    if found := _outcome(record, command_id):
                        return found
        finally:
            await reader.close()
        return None

    async def follow(self) -> None:
        """Read for ever; a log that fails is asked again from the same place."""
        while True:
            try:
                await self._read_on()
            except LogError as failure:
                say.warning("the outcomes can't be read now", error=failure)
                await asyncio.sleep(RETRY_SECONDS)

    async def _read_on(self) -> None:
        reader = await self._log.reader(self._next)
        try:
            while True:
                records = await reader.read(max_records=READ_RECORDS_MAX, wait_seconds=READ_WAIT_SECONDS)
                for record in records:
                    self._hand_out(record)
                self._next = reader.next_positions()
        finally:
            await reader.close()

    def _hand_out(self, record: Record) -> None:
        command_id = record.headers.get("ce_subject", "")
        if command_id not in self._waiting:
            return  # Another process asked.
        outcome = _outcome(record, command_id)
        for answer in self._waiting[command_id]:
            if outcome and not answer.done():
                answer.set_result(outcome)


def _outcome(record: Record, command_id: str) -> CommandDecided | None:
    if record.headers.get("ce_subject") != command_id:
        return None
    try:
        event = decode(record.key, record.value, record.headers).event
    except Unreadable:
        return None  # The machine that wrote it can't have; nobody is served by stopping here.
    return event if isinstance(event, CommandDecided) else None


@asynccontextmanager
async def following(log: Log) -> AsyncIterator[Outcomes]:
    """An Outcomes that reads in the background, from the present ends."""
    ends = await log.ends([(OUTCOMES, partition) for partition in range(log.partitions)])
    outcomes = Outcomes(log, ends)
    async with beside(outcomes.follow()):
        yield outcomes
