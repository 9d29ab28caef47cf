"""The three worlds in which the log's suite runs, and the words it is told in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field

from libs.common.events import (
    COMMANDS,
    CONTACTS,
    DEAD_LETTERS,
    OUTCOMES,
    ROUTER_JOURNAL,
    ROUTER_STATE,
    ROUTING,
    Event,
)
from libs.common.events.codec import encode_headers, encode_value
from libs.common.log import Draft, Group, Log, Reader, Record

PARTITIONS = 2
TOPICS = (CONTACTS, COMMANDS, ROUTING, OUTCOMES, DEAD_LETTERS, ROUTER_STATE, ROUTER_JOURNAL)
PATIENCE_SECONDS = 30.0
"""How long a test waits for what must come: a bound on failing, never a pause."""


@dataclass
class World:
    """One log below; every `open_log` is another handle on it, as another process would have."""

    name: str
    open_handle: Callable[[], AbstractAsyncContextManager[Log]]
    opened: AsyncExitStack
    gap_free: bool = True
    shared_out: bool = False
    """Whether the members of a group share the partitions among them."""

    async def open_log(self) -> Log:
        return await self.opened.enter_async_context(self.open_handle())


@dataclass
class Member:
    """A process that joined a group, and what it was told."""

    held: frozenset[int] = frozenset()
    told: list[tuple[str, frozenset[int]]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    finish: asyncio.Event | None = None
    """What its batch in flight waits for, when it has one."""

    async def join(self, log: Log, *topics: str, service: str = "router") -> Group:
        return await log.join(service, topics, assigned=self.assigned, revoked=self.revoked)

    async def assigned(self, partitions: frozenset[int]) -> None:
        await self.note("assigned", partitions, partitions)

    async def revoked(self, partitions: frozenset[int]) -> None:
        await self.note("revoked", partitions, self.held - partitions)
        if self.finish is not None:
            await self.finish.wait()

    async def note(self, what: str, partitions: frozenset[int], held: frozenset[int]) -> None:
        async with self.changed:
            self.told.append((what, partitions))
            self.held = held
            self.changed.notify_all()

    async def holds(self, *partitions: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self.changed:
            await self.changed.wait_for(lambda: self.held == frozenset(partitions))

    async def holds_one(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self.changed:
            await self.changed.wait_for(lambda: len(self.held) == 1)

    async def told_more_than(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self.changed:
            await self.changed.wait_for(lambda: len(self.told) > count)

    async def told_of(self, what: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self.changed:
            await self.changed.wait_for(lambda: any(told == what for told, _ in self.told))


def draft(value: object, *, topic: str = ROUTING, key: str = "acme/main") -> Draft:
    return Draft(topic=topic, key=key, value=str(value).encode())


def drafts(*values: object, topic: str = ROUTING) -> list[Draft]:
    return [draft(value, topic=topic) for value in values]


def entity(key: str, value: str | None) -> Draft:
    """A record of the compacted topic; None ends the entity."""
    return Draft(topic=ROUTER_STATE, key=key, value=None if value is None else value.encode())


def values(records: list[Record], topic: str = ROUTING) -> list[str]:
    return [(record.value or b"").decode() for record in records if record.topic == topic]


async def read(reader: Reader, count: int) -> list[Record]:
    """At least `count` records, or it fails."""
    records: list[Record] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(records) < count:
            records += await reader.read(max_records=1_000, wait_seconds=1.0)
    return records


async def read_to_ends(log: Log, reader: Reader) -> list[Record]:
    """Everything committed by now: until the reader's positions have reached the ends observed first."""
    ends = await log.ends(list(reader.next_positions()))
    records: list[Record] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(reader.next_positions()[place] < end for place, end in ends.items()):
            records += await reader.read(max_records=1_000, wait_seconds=1.0)
    return records


async def everything(log: Log, *topics: str, partition: int = 0) -> list[Record]:
    reader = await log.reader({(topic, partition): 0 for topic in topics})
    try:
        return await read_to_ends(log, reader)
    finally:
        await reader.close()


def fact(event: Event) -> Draft:
    """An event as its service would append it."""
    assert event.topic is not None
    value = encode_value(event, sequence=1, cause="")
    return Draft(topic=event.topic, key=event.key, value=value, headers=encode_headers(event, sequence=1))
