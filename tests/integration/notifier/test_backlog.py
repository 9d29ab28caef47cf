"""What gathers for a receiver that is away comes to an end, however much it is: in small transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from libs.common.events import SECOND
from services.notifier.forgetting import DAY, forget_before
from services.notifier.limits import FORGET_ROWS_MAX, PENDING_DAYS_MAX
from tests.integration.notifier.desk import Desk, Open, closed, eventually
from tests.integration.notifier.receiver import Receiver

BACKLOG = 2 * FORGET_ROWS_MAX + 1
LANE = ("default", "ops")
URL = "https://nobody.invalid/"
COPY = """
    INSERT INTO notifier_deliveries (workspace, id, subscription, position, line, event_id, type, at, value, state,
        attempts, due_at, created_at)
    SELECT workspace, 'dlv_' || n, subscription, n, 'l' || n, event_id, type, at, value, 'pending', 0,
        $1, created_at FROM notifier_deliveries, generate_series(2, $2::int) AS n
"""
COUNT = "SELECT count(*) FROM notifier_deliveries WHERE subscription = 'ops' AND state = $1"
LAST = "SELECT FROM notifier_deliveries WHERE position = $1 FOR UPDATE"


async def count(desk: Desk, state: str) -> int:
    return int(await desk.database.pool.fetchval(COUNT, state))


async def at_most(desk: Desk, pending: int) -> bool:
    return await count(desk, "pending") <= pending


@pytest.fixture
async def backlog(opened: Open) -> Desk:
    """So much waits for a receiver that is away, and nothing of it is due."""
    await opened.subscribe("ops", URL)
    opened.desk.publish(closed("c1"))
    await opened.failed(1)
    await opened.desk.database.pool.execute(COPY, opened.desk.clock.now() + DAY, BACKLOG)
    return opened.desk


@asynccontextmanager
async def last_one_held(desk: Desk) -> AsyncIterator[None]:
    """Whoever takes everything at once waits for the last one, and nobody sees what it did."""
    async with desk.database.transaction() as connection:
        await connection.execute(LAST, BACKLOG)
        yield


async def test_what_waited_for_days_is_given_up_and_can_be_sent_again(opened: Open, receiver: Receiver) -> None:
    receiver.judge = lambda _: 500
    await opened.subscribe("ops", receiver.url)
    opened.desk.publish(closed("c1"))
    await opened.failed(1)
    now = opened.desk.clock.now() + PENDING_DAYS_MAX * DAY
    await forget_before(opened.notifier.deliveries, opened.notifier.feed, now)
    assert await opened.deliveries(state="dead") == []
    await forget_before(opened.notifier.deliveries, opened.notifier.feed, now + SECOND)
    [dead] = await opened.deliveries(state="dead")
    assert (dead["last_failure"], dead["next_attempt_at"]) == ("expired", None)
    opened.desk.clock.move_to(now)
    again = await opened.call("POST", f"/v1/deliveries/{dead['id']}/redeliver")
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    await forget_before(opened.notifier.deliveries, opened.notifier.feed, now + SECOND)
    assert await opened.deliveries(state="dead") == []


async def test_a_backlog_is_given_up_to_the_last(opened: Open, backlog: Desk) -> None:
    now = backlog.clock.now() + PENDING_DAYS_MAX * DAY + SECOND
    await forget_before(opened.notifier.deliveries, opened.notifier.feed, now)
    assert (await count(backlog, "pending"), await count(backlog, "dead")) == (0, BACKLOG)


async def test_a_subscription_with_a_backlog_is_deleted_in_small_transactions(opened: Open, backlog: Desk) -> None:
    async with last_one_held(backlog):
        deleting = asyncio.create_task(opened.call("DELETE", "/v1/subscriptions/ops"))
        await eventually(partial(at_most, backlog, BACKLOG - FORGET_ROWS_MAX))
        assert (await opened.call("GET", "/v1/subscriptions/ops")).json()["disabled_reason"] == "deleted"
    assert (await deleting).status_code == 204
    assert (await opened.call("GET", "/v1/subscriptions/ops")).status_code == 404
    assert await count(backlog, "pending") == 0


async def test_what_waits_for_a_receiver_that_is_gone_dies_in_small_transactions(opened: Open, backlog: Desk) -> None:
    deliveries, now = opened.notifier.deliveries, backlog.clock.now()
    async with last_one_held(backlog):
        ending = asyncio.create_task(deliveries.exchange(LANE, (), 0, now, gone=URL))
        await eventually(partial(at_most, backlog, BACKLOG - FORGET_ROWS_MAX))
    assert (await ending).receiver is None
    assert await count(backlog, "dead") == BACKLOG
