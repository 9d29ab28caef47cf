"""Decisions on their way to those who watch: an agent's desk gets every event that names the agent, as it happens.

A subscriber who reads too slowly loses the events in between and is told to look again from a snapshot; nobody else
waits for it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from libs.common.errors import TooMany
from libs.common.events.codec import Envelope

STREAMS_MAX: Final = 2_000
"""Open streams a process."""
EVENTS_BEHIND_MAX: Final = 256
"""Events that a subscriber may be behind before it has to look again."""
TRY_AGAIN_SECONDS: Final = 5

Watched = tuple[str, str]
"""A workspace and an agent in it."""


class Stream:
    """One subscriber's events, in order. `look_again` is set at first and whenever some were lost."""

    def __init__(self) -> None:
        self.look_again = True
        self._events: deque[Envelope] = deque()
        self._news = asyncio.Event()

    def put(self, envelope: Envelope) -> None:
        if len(self._events) >= EVENTS_BEHIND_MAX:
            self.lose()
        else:
            self._events.append(envelope)
            self._news.set()

    def lose(self) -> None:
        self._events.clear()
        self.look_again = True
        self._news.set()

    @property
    def has_news(self) -> bool:
        return self._news.is_set()

    async def next(self) -> list[Envelope]:
        """What came since the last time, at least one event; empty when the subscriber has to look again."""
        await self._news.wait()
        self._news.clear()
        events = [] if self.look_again else list(self._events)
        self._events.clear()
        return events


class Streams:
    """Everybody in this process who watches an agent."""

    def __init__(self) -> None:
        self._watching: defaultdict[Watched, set[Stream]] = defaultdict(set)
        self._open = 0

    def publish(self, envelopes: Iterable[Envelope]) -> None:
        for envelope in envelopes:
            agent = getattr(envelope.event, "agent_id", None)
            for stream in self._watching.get((envelope.event.workspace, agent or ""), ()):
                stream.put(envelope)

    def look_again(self) -> None:
        """Something has changed that isn't told as events: everybody needs a new snapshot."""
        for watching in self._watching.values():
            for stream in watching:
                stream.lose()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Counts one open stream. Raises TooMany when there are as many as a process holds."""
        if self._open >= STREAMS_MAX:
            raise TooMany(f"{STREAMS_MAX} streams are open", retry_after=TRY_AGAIN_SECONDS)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    @contextmanager
    def watch(self, workspace: str, agent: str) -> Iterator[Stream]:
        """The agent's events from now on."""
        stream = Stream()
        self._watching[workspace, agent].add(stream)
        try:
            yield stream
        finally:
            self._forget((workspace, agent), stream)

    def _forget(self, watched: Watched, stream: Stream) -> None:
        self._watching[watched].discard(stream)
        if not self._watching[watched]:
            del self._watching[watched]
