"""What is kept for a while only: the feed, and deliveries that have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from libs.common.clock import Clock
from libs.common.events import SECOND
from libs.common.postgres import DATABASE_TROUBLE
from libs.common.telemetry import log
from services.notifier.deliveries import Deliveries
from services.notifier.feed import Feed
from services.notifier.limits import (
    DEAD_KEPT_DAYS,
    DELIVERED_KEPT_DAYS,
    FEED_KEPT_DAYS,
    FORGET_EVERY_SECONDS,
    FORGET_ROWS_MAX,
)

DAY: Final = 86_400 * SECOND
Forget = Callable[[int, int], Awaitable[int]]


async def forget_old(deliveries: Deliveries, feed: Feed, clock: Clock) -> None:
    """For ever, by the hour."""
    while True:
        try:
            await forget_before(deliveries, feed, clock.now())
        except DATABASE_TROUBLE as failure:
            log.warning("old_notifications_kept", error=type(failure).__name__)
        await asyncio.sleep(FORGET_EVERY_SECONDS)


async def forget_before(deliveries: Deliveries, feed: Feed, now: int) -> None:
    """Everything that is too old at `now`, in small transactions."""
    await all_of(feed.forget, now - FEED_KEPT_DAYS * DAY)
    await all_of(lambda before, count: deliveries.forget("delivered", before, count), now - DELIVERED_KEPT_DAYS * DAY)
    await all_of(lambda before, count: deliveries.forget("dead", before, count), now - DEAD_KEPT_DAYS * DAY)


async def all_of(forget: Forget, before: int) -> None:
    forgotten = FORGET_ROWS_MAX
    while forgotten == FORGET_ROWS_MAX:
        forgotten = await forget(before, FORGET_ROWS_MAX)
