"""What is kept for a while only: the feed, and deliveries, those that wait for a receiver that is away among them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from libs.common.clock import Clock
from libs.common.events import SECOND
from libs.common.postgres import DATABASE_TROUBLE
from libs.common.telemetry import log
from services.notifier.chunks import all_of
from services.notifier.deliveries import Deliveries
from services.notifier.feed import Feed
from services.notifier.limits import (
    DEAD_KEPT_DAYS,
    DELIVERED_KEPT_DAYS,
    FEED_KEPT_DAYS,
    FORGET_EVERY_SECONDS,
    PENDING_DAYS_MAX,
)

DAY: Final = 86_400 * SECOND


async def forget_old(deliveries: Deliveries, feed: Feed, clock: Clock) -> None:
    """For ever, by the hour."""
    while True:
        try:
            await forget_before(deliveries, feed, clock.now())
        except DATABASE_TROUBLE as failure:
            log.warning("old_notifications_kept", error=type(failure).__name__)
        await asyncio.sleep(FORGET_EVERY_SECONDS)


async def forget_before(deliveries: Deliveries, feed: Feed, now: int) -> None:
    """Everything that is too old at `now`; what waited for too long is dead first, and kept as such."""
    await all_of(partial(feed.forget, now - FEED_KEPT_DAYS * DAY))
    await all_of(partial(deliveries.expire, now - PENDING_DAYS_MAX * DAY, now))
    await all_of(partial(deliveries.forget, "delivered", now - DELIVERED_KEPT_DAYS * DAY))
    await all_of(partial(deliveries.forget, "dead", now - DEAD_KEPT_DAYS * DAY))
