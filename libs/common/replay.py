"""Exact replay: the journal fed to the same core gives the same bytes, or the place where it doesn't is named."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any, Final

import msgspec

from libs.common.core import Core
from libs.common.events import DEAD_LETTERS
from libs.common.log import Draft, Log, Record
from libs.common.machine import JournalEntry, Machine, Step, digest

READ_MAX: Final = 500
READ_WAIT_SECONDS: Final = 1.0


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One commit, decided again. `drafts` are its decisions, without state, journal and dead letters."""

    entry: JournalEntry
    drafts: tuple[Draft, ...]

    @property
    def identical(self) -> bool:
        return digest(self.drafts) == self.entry.digest


class Missing(Exception):
    """What the replay needs is no longer on the log: it must begin later."""


class _Cursor:
    """One topic of one partition, read forward once; records before the first asked for are passed over."""

    def __init__(self, log: Log, topic: str, partition: int) -> None:
        self._log, self._place = log, (topic, partition)
        self._waiting: list[Record] = []
        self._reader: Any = None

    async def take(self, start: int, end: int) -> list[Record]:
        """The records with start ≤ position < end; both ends are those of records. Raises Missing when some are
        gone: the log is cut from its beginning."""
        if self._reader is None:
            self._reader = await self._log.reader({self._place: start})
        while self._reader.next_positions()[self._place] < end:
            records = await self._reader.read(max_records=READ_MAX, wait_seconds=READ_WAIT_SECONDS)
            if not records and (await self._log.ends([self._place]))[self._place] < end:
                break
            self._waiting.extend(records)
        taken = [record for record in self._waiting if start <= record.position < end]
        self._waiting = [record for record in self._waiting if record.position >= end]
        if not taken or taken[0].position != start or taken[-1].position != end - 1:
            raise Missing(f"{self._place[0]} partition {self._place[1]}, positions {start} to {end - 1}")
        return taken

    async def close(self) -> None:
        if self._reader is not None:
            await self._reader.close()


async def replay(
    log: Log, core: Core[Any], partition: int, entities: Iterable[tuple[str, bytes]], *, until: int | None = None
) -> AsyncIterator[Replayed]:
    """Decide again every commit after the snapshot `entities` (none: from the beginning), up to time `until`.

    Raises Missing when the log no longer holds the commit that comes first, or what its journal names.
    """
    machine: Machine[Any] = Machine(core, partition)
    machine.load(entities)
    inputs: dict[str, _Cursor] = {topic: _Cursor(log, topic, partition) for topic in core.inputs}
    try:
        async for entry in journal(log, core.service, partition, after=machine.positions.batch):
            if until is not None and entry.at > until:
                return
            if entry.batch != machine.positions.batch + 1:
                raise Missing(f"{core.service} partition {partition}, commit {machine.positions.batch + 1}")
            yield await _again(machine, entry, inputs)
    finally:
        for cursor in inputs.values():
            await cursor.close()


async def _again(machine: Machine[Any], entry: JournalEntry, inputs: dict[str, _Cursor]) -> Replayed:
    machine.begin(entry.at)
    for step in entry.steps:
        await _take_step(machine, step, inputs)
    private = (f"omniroute.{machine.core.service}.state", f"omniroute.{machine.core.service}.journal", DEAD_LETTERS)
    return Replayed(entry=entry, drafts=tuple(draft for draft in machine.finish() if draft.topic not in private))


async def _take_step(machine: Machine[Any], step: Step, inputs: dict[str, _Cursor]) -> None:
    if step.timers:
        for _ in range(step.timers):
            machine.fire(step.until, skip=step.skipped)
        return
    for record in await inputs[step.topic].take(step.start, step.end):
        if step.skipped:
            machine.skipped.add((record.topic, record.position))
        machine.feed(record)


async def journal(log: Log, service: str, partition: int, *, after: int) -> AsyncGenerator[JournalEntry, None]:
    """The journal's entries of the batches after `after`, up to its end as it was at the start."""
    place = (f"omniroute.{service}.journal", partition)
    end = (await log.ends([place]))[place]
    reader = await log.reader({place: 0})
    try:
        while reader.next_positions()[place] < end:
            for record in await reader.read(max_records=READ_MAX, wait_seconds=READ_WAIT_SECONDS):
                entry = msgspec.json.decode(record.value or b"", type=JournalEntry)
                if entry.batch > after and record.position < end:
                    yield entry
    finally:
        await reader.close()
