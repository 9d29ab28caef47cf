"""Deliveries as records: claimed under a lease, settled, listed, sent again.

A claim moves `due_at` to the lease's end, and a settlement counts only while that is still so: whoever comes after
its lease changes nothing. Nothing is claimed while an earlier delivery of the same line (a subscription and a subject)
is pending.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Literal

import msgspec

from libs.common.errors import Conflict, NotFound
from libs.common.events import SECOND
from libs.common.postgres import Database
from services.notifier import metrics
from services.notifier.chunks import all_of, rows_of
from services.notifier.limits import LEASE_SECONDS

State = Literal["pending", "delivered", "dead"]
Lane = tuple[str, str]
"""A workspace and a subscription in it."""

COLUMNS: Final = (
    "id, subscription, position, event_id, type, at, value, state, attempts, due_at, last_status, "
    "last_failure, created_at, ended_at"
)
LIVE: Final = """
    s.disabled_at IS NULL AND EXISTS (
        SELECT FROM platform_workspaces AS w WHERE w.workspace = s.workspace AND w.deleted_at IS NULL)
"""
"""A subscription `s` that gets something: neither disabled nor of a workspace that was deleted."""
RECEIVER: Final = f"SELECT url, secret FROM notifier_subscriptions AS s WHERE workspace = $1 AND id = $2 AND {LIVE}"  # noqa: S608
CLAIM: Final = """
    WITH next AS (
        SELECT d.workspace, d.id FROM notifier_deliveries AS d
        WHERE d.workspace = $1 AND d.subscription = $2 AND d.state = 'pending' AND d.due_at <= $3 AND NOT EXISTS (
            SELECT FROM notifier_deliveries AS e
            WHERE e.line = d.line AND e.position < d.position AND e.state = 'pending')
        ORDER BY d.position LIMIT $4 FOR UPDATE OF d SKIP LOCKED)
    UPDATE notifier_deliveries AS d SET due_at = $5 FROM next WHERE d.workspace = next.workspace AND d.id = next.id
    RETURNING d.id, d.position, d.type, d.at, d.value, d.attempts, d.due_at AS lease
"""
NEXT_DUE: Final = """
    SELECT min(due_at) FROM notifier_deliveries
    WHERE workspace = $1 AND subscription = $2 AND state = 'pending' AND due_at > $3
"""
SETTLE: Final = """
    UPDATE notifier_deliveries AS d
    SET state = s.state, attempts = s.attempts, due_at = s.due_at, last_status = s.status, last_failure = s.failure,
        ended_at = s.ended_at
    FROM unnest($2::text[], $3::bigint[], $4::text[], $5::int[], $6::bigint[], $7::int[], $8::text[], $9::bigint[])
        AS s (id, lease, state, attempts, due_at, status, failure, ended_at)
    WHERE d.workspace = $1 AND d.id = s.id AND d.state = 'pending' AND d.due_at = s.lease
"""
GIVE_BACK: Final = """
    UPDATE notifier_deliveries AS d SET due_at = $4 FROM unnest($2::text[], $3::bigint[]) AS s (id, lease)
    WHERE d.workspace = $1 AND d.id = s.id AND d.state = 'pending' AND d.due_at = s.lease
"""
DISABLE: Final = """
    UPDATE notifier_subscriptions SET disabled_at = COALESCE(disabled_at, $3), disabled_reason = 'gone'
    WHERE workspace = $1 AND id = $2 AND url = $4 AND (disabled_at IS NULL OR disabled_reason = 'gone') RETURNING id
"""
DROP_PENDING: Final = """
    UPDATE notifier_deliveries SET state = 'dead', last_failure = 'gone', ended_at = $3, due_at = $3
    WHERE (workspace, id) IN (
        SELECT workspace, id FROM notifier_deliveries
        WHERE workspace = $1 AND subscription = $2 AND state = 'pending' AND EXISTS (
            SELECT FROM notifier_subscriptions WHERE workspace = $1 AND id = $2 AND disabled_reason = 'gone')
        ORDER BY position LIMIT $4)
"""
EXPIRE: Final = """
    UPDATE notifier_deliveries SET state = 'dead', last_failure = 'expired', ended_at = $2, due_at = $2
    WHERE (workspace, id) IN (
        SELECT workspace, id FROM notifier_deliveries
        WHERE state = 'pending' AND created_at < $1 AND COALESCE(again_at, created_at) < $1
        ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED)
"""
WAITING: Final = f"""
    SELECT s.workspace, s.id FROM notifier_subscriptions AS s
    WHERE {LIVE} AND EXISTS (
        SELECT FROM notifier_deliveries AS d
        WHERE d.workspace = s.workspace AND d.subscription = s.id AND d.state = 'pending')
"""  # noqa: S608
GET: Final = f"SELECT {COLUMNS} FROM notifier_deliveries WHERE workspace = $1 AND id = $2"  # noqa: S608
LIST: Final = f"""
    SELECT {COLUMNS} FROM notifier_deliveries
    WHERE workspace = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR subscription = $3)
      AND (position, id) < ($4, $5)
    ORDER BY position DESC, id DESC LIMIT $6
"""  # noqa: S608
AGAIN: Final = f"""
    UPDATE notifier_deliveries SET state = 'pending', attempts = 0, due_at = $3, ended_at = NULL, again_at = $3
    WHERE workspace = $1 AND id = $2 AND state <> 'pending' RETURNING {COLUMNS}
"""  # noqa: S608
FORGET: Final = """
    DELETE FROM notifier_deliveries WHERE (workspace, id) IN (
        SELECT workspace, id FROM notifier_deliveries WHERE state = $1 AND ended_at < $2 LIMIT $3)
"""
LAST_POSITION: Final = 2**63 - 1


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    subscription: str
    position: int
    event_id: str
    type: str
    at: int
    value: bytes
    state: State
    attempts: int
    due_at: int
    last_status: int | None
    last_failure: str | None
    created_at: int
    ended_at: int | None


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is ours to try until `lease`."""

    id: str
    position: int
    type: str
    at: int
    value: bytes
    attempts: int
    """Failed ones so far."""
    lease: int


class Receiver(msgspec.Struct, frozen=True):
    url: str
    secret: bytes
    """Sealed."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended. A delivery that is still pending is due again at `due_at`."""

    id: str
    lease: int
    state: State
    attempts: int
    due_at: int
    status: int | None = None
    failure: str | None = None
    ended_at: int | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What a lane may do next: try what was claimed, and look again at `next_due` if there is one."""

    receiver: Receiver | None
    claimed: tuple[Claimed, ...] = ()
    next_due: int | None = None


class Deliveries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def exchange(
        self, lane: Lane, settled: Sequence[Settled], limit: int, now: int, *, gone: str | None = None
    ) -> Turn:
        """Note what ended and claim up to `limit` more, in one transaction. To do the same again changes nothing.

        A receiver that is `gone` gets nothing more: its subscription is disabled (unless it has another address by
        now), and what waits for it is dead and can be sent again."""
        async with self._database.transaction() as connection:
            await settle(connection, lane[0], settled)
            ended = gone is not None and await connection.fetchval(DISABLE, *lane, now, gone)
            turn = await claim(connection, lane, limit, now)
        if ended:
            await all_of(partial(self._drop_pending, lane, now))
        return turn

    async def _drop_pending(self, lane: Lane, now: int, count: int) -> int:
        return rows_of(await self._database.pool.execute(DROP_PENDING, *lane, now, count))

    async def give_back(self, lane: Lane, claimed: Sequence[Claimed], now: int) -> None:
        """These were not tried to an end: anybody may, at once."""
        ids, leases = [one.id for one in claimed], [one.lease for one in claimed]
        await self._database.pool.execute(GIVE_BACK, lane[0], ids, leases, now)

    async def waiting(self) -> list[Lane]:
        """The subscriptions that something waits for."""
        return [(row[0], row[1]) for row in await self._database.pool.fetch(WAITING)]

    async def page(
        self,
        workspace: str,
        before: tuple[int, str] | None,
        count: int,
        *,
        state: State | None,
        subscription: str | None,
    ) -> list[Delivery]:
        """The newest first, before the given (position, id)."""
        start = before or (LAST_POSITION, "")
        rows = await self._database.pool.fetch(LIST, workspace, state, subscription, *start, count)
        return [Delivery(**dict(row)) for row in rows]

    async def again(self, workspace: str, delivery: str, now: int) -> Delivery:
        """Send once more what was delivered or died. Raises NotFound, Conflict while it is pending."""
        row = await self._database.pool.fetchrow(AGAIN, workspace, delivery, now)
        if row is not None:
            return Delivery(**dict(row))
        if await self._database.pool.fetchrow(GET, workspace, delivery) is None:
            raise NotFound("there is no such delivery")
        raise Conflict("the delivery is pending", members={"state": "pending"})

    async def expire(self, pending_since_before: int, now: int, count: int) -> int:
        """How many of up to `count` that wait for long are dead now; each can be sent again."""
        expired = rows_of(await self._database.pool.execute(EXPIRE, pending_since_before, now, count))
        metrics.DELIVERIES_TOTAL.labels("dead").inc(expired)
        return expired

    async def forget(self, state: State, ended_before: int, count: int) -> int:
        """How many of up to `count` old ones are gone now."""
        return rows_of(await self._database.pool.execute(FORGET, state, ended_before, count))


async def claim(connection: Any, lane: Lane, limit: int, now: int) -> Turn:
    receiver = await connection.fetchrow(RECEIVER, *lane)
    if receiver is None:
        return Turn(receiver=None)
    rows = await connection.fetch(CLAIM, *lane, now, limit, now + LEASE_SECONDS * SECOND) if limit else []
    due = await connection.fetchval(NEXT_DUE, *lane, now)
    claimed = sorted((Claimed(**dict(row)) for row in rows), key=lambda one: one.position)
    return Turn(receiver=Receiver(**dict(receiver)), claimed=tuple(claimed), next_due=due)


async def settle(connection: Any, workspace: str, settled: Sequence[Settled]) -> None:
    if settled:
        columns = zip(*(msgspec.structs.astuple(one) for one in settled), strict=True)
        await connection.execute(SETTLE, workspace, *map(list, columns))
