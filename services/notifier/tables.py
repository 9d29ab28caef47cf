"""The notifier's tables, all of them records: subscriptions, the feed, deliveries, and how far the log was taken.

A feed position is given while the workspace's row in `notifier_heads` is locked: positions have no gaps and become
visible in order. Instants are microseconds since 1970 UTC. An event's value is kept as the bytes that the log had.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

PENDING = text("state = 'pending'")


class NotifierSubscription(SQLModel, table=True):
    """Who is told what. `secret` is sealed. `disabled_reason` says why nothing is sent; a new PUT ends it."""

    __tablename__ = "notifier_subscriptions"

    workspace: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    url: str
    events: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    filter: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    secret: bytes
    disabled_at: int | None = Field(default=None, sa_type=BigInteger)
    disabled_reason: str | None = None
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)


class NotifierHead(SQLModel, table=True):
    """The last position of a workspace's feed."""

    __tablename__ = "notifier_heads"

    workspace: str = Field(primary_key=True)
    position: int = Field(sa_type=BigInteger)


class NotifierFeed(SQLModel, table=True):
    """A public event of the workspace at its position."""

    __tablename__ = "notifier_feed"
    __table_args__ = (Index("notifier_feed_stored_at", "stored_at"),)

    workspace: str = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    event_id: str
    type: str
    stored_at: int = Field(sa_type=BigInteger)
    value: bytes


class NotifierDelivery(SQLModel, table=True):
    """An event on its way to a subscription.

    `due_at` is when it may be tried; a claim moves it to the claim's end, so that a process that died has claimed
    nothing for long. `state` is `pending`, `delivered` or `dead`. A delivery waits for pending ones of the same
    `line` (a subscription's events of one subject) at lower positions. `again_at` is when somebody had it sent again:
    it waits since then, else since `created_at`.
    """

    __tablename__ = "notifier_deliveries"
    __table_args__ = (
        Index("notifier_deliveries_order", "workspace", "subscription", "position", postgresql_where=PENDING),
        Index("notifier_deliveries_due", "workspace", "subscription", "due_at", postgresql_where=PENDING),
        Index("notifier_deliveries_line", "line", "position", postgresql_where=PENDING),
        Index("notifier_deliveries_age", "created_at", postgresql_where=PENDING),
        Index("notifier_deliveries_subscription", "workspace", "subscription"),
        Index("notifier_deliveries_position", "workspace", "position", "id"),
        Index("notifier_deliveries_ended", "state", "ended_at"),
    )

    workspace: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    subscription: str
    position: int = Field(sa_type=BigInteger)
    line: str
    event_id: str
    type: str
    at: int = Field(sa_type=BigInteger)
    value: bytes
    state: str
    attempts: int = 0
    due_at: int = Field(sa_type=BigInteger)
    last_status: int | None = None
    last_failure: str | None = None
    created_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    again_at: int | None = Field(default=None, sa_type=BigInteger)


class NotifierProgress(SQLModel, table=True):
    """How far a place of the log is stored: the next position, and the last outbox position taken from it."""

    __tablename__ = "notifier_progress"

    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    topic: str = Field(primary_key=True)
    position: int = Field(default=0, sa_type=BigInteger)
    outbox: int = Field(default=0, sa_type=BigInteger)
