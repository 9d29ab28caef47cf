"""The feed: every public event of a workspace in one order, from any position that is still kept.

Positions have no gaps and become visible in order, so a follower that sees a position jump, or that has fallen behind
everything kept, knows exactly what it missed and is told.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec

from libs.common.errors import TooMany
from libs.common.postgres import DATABASE_TROUBLE, Database
from services.notifier import metrics
from services.notifier.chunks import rows_of
from services.notifier.limits import (
    FEED_PAGE_ROWS,
    FEED_POLL_SECONDS,
    FEED_REST_SECONDS,
    FOLLOW_AGAIN_SECONDS,
    FOLLOWERS_MAX,
    FOLLOWERS_PER_WORKSPACE_MAX,
    HEARTBEAT_SECONDS,
)

HEAD: Final = "SELECT position FROM notifier_heads WHERE workspace = $1"
PAGE: Final = """
    SELECT h.position AS head, f.position, f.event_id, f.type, f.value
    FROM notifier_heads AS h LEFT JOIN LATERAL (
        SELECT * FROM notifier_feed AS f WHERE f.workspace = h.workspace AND f.position > $2
        ORDER BY f.position LIMIT $3) AS f ON true
    WHERE h.workspace = $1 ORDER BY f.position
"""
FORGET: Final = """
    DELETE FROM notifier_feed WHERE (workspace, position) IN (
        SELECT workspace, position FROM notifier_feed WHERE stored_at < $1 ORDER BY stored_at LIMIT $2)
"""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An event at its position. `value` is the event's JSON object."""

    position: int
    event_id: str
    type: str
    value: bytes


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """The events from `first` to `last` can't be had any more; the feed goes on behind `goes_on_after`."""

    first: int
    last: int
    goes_on_after: int


class Heartbeat(msgspec.Struct, frozen=True):
    """Nothing happened for a while; the connection is well."""


FeedItem = Entry | Gap | Heartbeat


class Feed:
    def __init__(self, database: Database, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._database = database
        self._heartbeat_seconds = heartbeat_seconds
        self._followers: Counter[str] = Counter()
        self._news: dict[str, asyncio.Event] = {}
        self._closed = asyncio.Event()

    def wake(self, workspaces: Iterable[str]) -> None:
        """These feeds go on."""
        for workspace in workspaces:
            if (news := self._news.pop(workspace, None)) is not None:
                news.set()

    def close(self) -> None:
        """End every follower's stream."""
        self._closed.set()
        self.wake(tuple(self._news))

    @contextmanager
    def opened(self, workspace: str) -> Iterator[None]:
        """Counts a follower. Raises TooMany."""
        if self._followers.total() >= FOLLOWERS_MAX or self._followers[workspace] >= FOLLOWERS_PER_WORKSPACE_MAX:
            raise TooMany("too many feeds are open", retry_after=FOLLOW_AGAIN_SECONDS)
        self._followers[workspace] += 1
        metrics.FEED_FOLLOWERS.inc()
        try:
            yield
        finally:
            self._followers[workspace] -= 1
            metrics.FEED_FOLLOWERS.dec()

    async def head(self, workspace: str) -> int:
        """The position of the last event; 0 before the first."""
        return await self._database.pool.fetchval(HEAD, workspace) or 0

    async def follow(self, workspace: str, after: int) -> AsyncIterator[FeedItem]:
        """Everything behind a position, for ever: what is kept, then what comes."""
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        while not self._closed.is_set():
            news = self._news.setdefault(workspace, asyncio.Event())
            items = await self._look(workspace, after)
            for item in items:
                yield item
                after = item.position if isinstance(item, Entry) else item.goes_on_after
            if items:
                quiet_since = loop.time()
                await asyncio.sleep(FEED_REST_SECONDS)
            elif loop.time() - quiet_since >= self._heartbeat_seconds:
                quiet_since = loop.time()
                yield Heartbeat()
            else:
                await self._wait(news)

    async def _wait(self, news: asyncio.Event) -> None:
        """For this process's news; another one's are found by looking."""
        with suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), min(FEED_POLL_SECONDS, self._heartbeat_seconds))

    async def _look(self, workspace: str, after: int) -> list[Entry | Gap]:
        """The next page; empty also when the database is away for a moment."""
        try:
            rows = await self._database.pool.fetch(PAGE, workspace, after, FEED_PAGE_ROWS)
        except DATABASE_TROUBLE:
            return []
        return items_of(rows, after)

    async def forget(self, stored_before: int, count: int) -> int:
        """How many of up to `count` old events are gone now."""
        return rows_of(await self._database.pool.execute(FORGET, stored_before, count))


def items_of(rows: Iterable[Any], after: int) -> list[Entry | Gap]:
    """What the rows behind `after` say; positions that are missing become a Gap before what follows them."""
    items: list[Entry | Gap] = []
    head = 0
    for row in rows:
        head = row["head"]
        if row["position"] is None:
            break
        if row["position"] > after + 1:
            items.append(Gap(first=after + 1, last=row["position"] - 1, goes_on_after=row["position"] - 1))
        after = row["position"]
        items.append(Entry(position=after, event_id=row["event_id"], type=row["type"], value=bytes(row["value"])))
    return items or missed(after, head)


def missed(after: int, head: int) -> list[Entry | Gap]:
    """Nothing is there behind `after`: all of it was forgotten, or the position is from before a restored backup."""
    if after < head:
        return [Gap(first=after + 1, last=head, goes_on_after=head)]
    if after > head:
        return [Gap(first=head + 1, last=after, goes_on_after=head)]
    return []
