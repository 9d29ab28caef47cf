"""What the notifier does by itself: reads the log, delivers, forgets what is old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from libs.common.clock import Clock, SystemClock
from libs.common.log import Log
from libs.common.postgres import Database
from libs.common.secrets import SecretBox
from libs.common.settings import Network
from services.notifier.api import router
from services.notifier.channels.webhook import Webhooks, open_webhooks
from services.notifier.deliveries import Deliveries
from services.notifier.dispatch import Dispatch
from services.notifier.egress import Guard, Resolver
from services.notifier.feed import Feed
from services.notifier.forgetting import forget_old
from services.notifier.intake import Intake, News
from services.notifier.parts import Notifier
from services.notifier.readers import Readers
from services.notifier.subscriptions import Subscriptions

__all__ = ["Notifier", "router", "running"]


@asynccontextmanager
async def running(
    log: Log,
    database: Database,
    clock: Clock,
    *,
    box: SecretBox,
    allow_private: Iterable[Network] = (),
    wall: Clock | None = None,
    resolve: Resolver | None = None,
) -> AsyncIterator[Notifier]:
    """Runs the notifier; if it fails for good, so does whoever is in this context.

    `clock` says what is due. `wall` dates signatures: receivers compare it with their own clock, so it is the
    machine's even where `clock` is one that tests move.
    """
    guard = Guard(allow_private)
    async with open_webhooks(guard, wall or SystemClock(), resolve) as webhooks, asyncio.TaskGroup() as tasks:
        notifier = assembled(log, database, clock, box, guard, webhooks, tasks)
        background = [
            tasks.create_task(notifier.intake.run(), name="notifier-intake"),
            tasks.create_task(notifier.dispatch.sweep(), name="notifier-sweep"),
            tasks.create_task(notifier.readers.measure(), name="notifier-lag"),
            tasks.create_task(forget_old(notifier.deliveries, notifier.feed, clock), name="notifier-forgetting"),
        ]
        try:
            await notifier.readers.join()
            yield notifier
        finally:
            await stop(notifier, background)


def assembled(
    log: Log,
    database: Database,
    clock: Clock,
    box: SecretBox,
    guard: Guard,
    webhooks: Webhooks,
    tasks: asyncio.TaskGroup,
) -> Notifier:
    """What is stored wakes the feed's followers and the lanes of the subscriptions."""
    deliveries, feed = Deliveries(database), Feed(database)
    dispatch = Dispatch(deliveries, webhooks, box, clock, tasks)

    def on_news(news: News) -> None:
        feed.wake(news.workspaces)
        dispatch.wake(news.lanes)

    intake = Intake(database, clock, on_news)
    return Notifier(
        subscriptions=Subscriptions(database, box),
        deliveries=deliveries,
        feed=feed,
        webhooks=webhooks,
        guard=guard,
        box=box,
        clock=clock,
        dispatch=dispatch,
        intake=intake,
        readers=Readers(log, intake, tasks),
    )


async def stop(notifier: Notifier, background: Iterable[asyncio.Task[None]]) -> None:
    """No new work first, then what is in flight."""
    notifier.feed.close()
    await notifier.readers.leave()
    for task in background:
        task.cancel()
    await notifier.dispatch.close()
