"""The SLA service's tables: all of them a projection of the log that can be dropped and rebuilt.

`sla_targets` and `sla_calendars` mirror the machine's entities, a row a partition; `sla_clocks` follows the
published events, so it also knows the clocks of contacts that the machine has forgotten; `sla_exposures` says whose
exposure was counted, for as long as the machine remembers the contact. Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class SlaTarget(SQLModel, table=True):
    __tablename__ = "sla_targets"

    workspace: str = Field(primary_key=True)
    target_id: str = Field(primary_key=True)
    partition: int = Field(primary_key=True)
    version: int = Field(sa_type=BigInteger)
    doc: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class SlaCalendar(SQLModel, table=True):
    __tablename__ = "sla_calendars"

    workspace: str = Field(primary_key=True)
    calendar_id: str = Field(primary_key=True)
    partition: int = Field(primary_key=True)
    version: int = Field(sa_type=BigInteger)
    doc: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class SlaClock(SQLModel, table=True):
    """One promise to one contact, from its start to its outcome."""

    __tablename__ = "sla_clocks"
    __table_args__ = (
        Index("sla_clocks_partition", "partition"),
        Index("sla_clocks_decided", "workspace", "metric", "decided_at", postgresql_where=text("outcome IS NOT NULL")),
        Index(
            "sla_clocks_breached",
            "workspace",
            "breached_at",
            "contact_id",
            "metric",
            postgresql_where=text("breached_at IS NOT NULL"),
        ),
        Index("sla_clocks_ended", "ended_at"),
    )

    workspace: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    metric: str = Field(primary_key=True)
    partition: int
    pool: str
    target: str
    target_version: int = Field(sa_type=BigInteger)
    queue: str
    channel: str
    medium: str
    visibility: str
    calendar: str
    seconds: int
    started_at: int = Field(sa_type=BigInteger)
    due_at: int = Field(sa_type=BigInteger)
    paused_at: int | None = Field(default=None, sa_type=BigInteger)
    elapsed_seconds: float | None = None
    """Of the clock's own time, at the pause or at the fulfilment."""
    warned_at: int | None = Field(default=None, sa_type=BigInteger)
    breached_at: int | None = Field(default=None, sa_type=BigInteger)
    breach_reason: str | None = None
    met_at: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    end_reason: str | None = None
    outcome: str | None = None
    """`met`, `missed` or `cancelled`; None while nobody knows."""
    decided_at: int | None = Field(default=None, sa_type=BigInteger)
    """When the outcome became known: a miss at its breach."""
    steps: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))


class SlaExposure(SQLModel, table=True):
    """A public contact whose exposure was counted: the process that inserts the row counts it."""

    __tablename__ = "sla_exposures"

    partition: int = Field(primary_key=True)
    entity_key: str = Field(primary_key=True)
