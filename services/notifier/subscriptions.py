"""Subscriptions as records. Their secrets are sealed: they sign, and are never read back."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any, Final

import msgspec

from libs.common.errors import Conflict, NotFound
from libs.common.postgres import Database
from libs.common.secrets import SecretBox
from services.notifier.channels.webhook import secret_of
from services.notifier.chunks import all_of, rows_of
from services.notifier.limits import SECRET_BYTES_GENERATED, SUBSCRIPTIONS_PER_WORKSPACE_MAX

COLUMNS: Final = "workspace, id, url, events, filter, secret, disabled_at, disabled_reason, created_at, updated_at"
GET: Final = f"SELECT {COLUMNS} FROM notifier_subscriptions WHERE workspace = $1 AND id = $2"  # noqa: S608
LIST: Final = f"SELECT {COLUMNS} FROM notifier_subscriptions WHERE workspace = $1 AND id > $2 ORDER BY id LIMIT $3"  # noqa: S608
COUNT: Final = "SELECT count(*) FROM notifier_subscriptions WHERE workspace = $1 AND id <> $2"
ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('notifier.subscriptions'), hashtext($1))"
PUT: Final = f"""
    INSERT INTO notifier_subscriptions ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, NULL, NULL, $7, $7)
    ON CONFLICT (workspace, id) DO UPDATE SET url = EXCLUDED.url, events = EXCLUDED.events, filter = EXCLUDED.filter,
        secret = EXCLUDED.secret, disabled_at = NULL, disabled_reason = NULL, updated_at = EXCLUDED.updated_at
"""  # noqa: S608
STOP: Final = """
    UPDATE notifier_subscriptions SET disabled_at = COALESCE(disabled_at, $3), disabled_reason = 'deleted'
    WHERE workspace = $1 AND id = $2 RETURNING id
"""
DELETE: Final = "DELETE FROM notifier_subscriptions WHERE workspace = $1 AND id = $2"
DELETE_DELIVERIES: Final = """
    DELETE FROM notifier_deliveries WHERE (workspace, id) IN (
        SELECT workspace, id FROM notifier_deliveries WHERE workspace = $1 AND subscription = $2 LIMIT $3)
"""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    workspace: str
    id: str
    url: str
    events: tuple[str, ...]
    filter: dict[str, str]
    secret: bytes
    """Sealed."""
    disabled_at: int | None
    disabled_reason: str | None
    created_at: int
    updated_at: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks for; without a secret the present one stays, or one is made."""

    url: str
    events: tuple[str, ...]
    filter: dict[str, str]
    secret: str | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    subscription: Subscription
    created: bool
    secret: str | None
    """The one that was made, to be shown once."""


def subscription_of(row: Any) -> Subscription:
    fields = dict(row)
    fields["events"] = tuple(msgspec.json.decode(fields["events"], type=list[str]))
    fields["filter"] = msgspec.json.decode(fields["filter"], type=dict[str, str])
    return Subscription(**fields)


class Subscriptions:
    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    async def get(self, workspace: str, subscription: str) -> Subscription:
        """Raises NotFound."""
        row = await self._database.pool.fetchrow(GET, workspace, subscription)
        if row is None:
            raise NotFound("there is no such subscription")
        return subscription_of(row)

    async def page(self, workspace: str, after: str, count: int) -> list[Subscription]:
        """In the order of their ids, after the given one."""
        rows = await self._database.pool.fetch(LIST, workspace, after, count)
        return [subscription_of(row) for row in rows]

    async def put(self, workspace: str, subscription: str, wanted: Wanted, now: int) -> Made:
        """Create or replace; a disabled one is enabled. Raises Conflict when the workspace has too many."""
        async with self._database.transaction() as connection:
            await connection.execute(ONE_AT_A_TIME, workspace)
            present = await connection.fetchrow(GET, workspace, subscription)
            if present is None and await connection.fetchval(COUNT, workspace, subscription) >= (
                SUBSCRIPTIONS_PER_WORKSPACE_MAX
            ):
                raise Conflict(f"a workspace has at most {SUBSCRIPTIONS_PER_WORKSPACE_MAX} subscriptions")
            sealed, shown = self._secret(wanted, present)
            events, chosen = _json(wanted.events), _json(wanted.filter)
            await connection.execute(PUT, workspace, subscription, wanted.url, events, chosen, sealed, now)
            stored = await connection.fetchrow(GET, workspace, subscription)
        return Made(subscription=subscription_of(stored), created=present is None, secret=shown)

    def _secret(self, wanted: Wanted, present: Any) -> tuple[bytes, str | None]:
        if wanted.secret is not None:
            return self._box.seal(wanted.secret.encode()), None
        if present is not None:
            return present["secret"], None
        made = secret_of(secrets.token_bytes(SECRET_BYTES_GENERATED))
        return self._box.seal(made.encode()), made

    async def delete(self, workspace: str, subscription: str, now: int) -> None:
        """With all its deliveries, in small transactions: from the first one on nothing is stored for it, the last one
        takes the subscription along. Raises NotFound."""
        await all_of(partial(self._delete_some, workspace, subscription, now))

    async def _delete_some(self, workspace: str, subscription: str, now: int, count: int) -> int:
        """What is stored at this moment waits for the row, and is then seen."""
        async with self._database.transaction() as connection:
            if await connection.fetchval(STOP, workspace, subscription, now) is None:
                raise NotFound("there is no such subscription")
            deleted = rows_of(await connection.execute(DELETE_DELIVERIES, workspace, subscription, count))
            if deleted < count:
                await connection.execute(DELETE, workspace, subscription)
        return deleted


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
