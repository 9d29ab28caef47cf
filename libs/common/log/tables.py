"""The log's tables in PostgreSQL.

`log_places` has a row per topic and partition, with the position that its next record gets: the row's lock makes
positions gap-free and visible in order. `log_records` holds every record, cut by the day on which it was stored;
`log_state` the last value of every key of a compacted topic; `log_owners` who may commit.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Column, Date, Integer, LargeBinary, String, UniqueConstraint
from sqlmodel import Field, SQLModel


class LogPlace(SQLModel, table=True):
    """Updated by every commit: the pages keep room, so that old versions are pruned without a vacuum."""

    __tablename__ = "log_places"
    __table_args__ = (UniqueConstraint("topic", "partition"), {"postgresql_with": {"fillfactor": 20}})

    id: int | None = Field(default=None, primary_key=True)
    topic: str
    partition: int
    next_position: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


class LogRecord(SQLModel, table=True):
    __tablename__ = "log_records"
    __table_args__ = ({"postgresql_partition_by": "RANGE (day)"},)

    place: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    position: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    day: date = Field(sa_column=Column(Date, primary_key=True))
    key: str
    value: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    """Null is a tombstone."""
    headers: str | None = None
    """A JSON object of strings; null for none."""


class LogState(SQLModel, table=True):
    __tablename__ = "log_state"
    __table_args__ = ({"postgresql_with": {"fillfactor": 70}},)

    place: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    key: str = Field(sa_column=Column(String(collation="C"), primary_key=True))
    value: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    position: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Of the record that wrote it."""


class LogOwner(SQLModel, table=True):
    __tablename__ = "log_owners"

    service: str = Field(primary_key=True)
    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False))
    """One more with every take-over; a commit with an older one is refused."""


class LogSnapshot(SQLModel, table=True):
    """A partition's state between two commits, for exact replays."""

    __tablename__ = "log_snapshots"

    service: str = Field(primary_key=True)
    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    batch: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    entities: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogProjection(SQLModel, table=True):
    """How far a service's tables mirror a partition: the next positions, and the last commit applied as a whole."""

    __tablename__ = "log_projections"

    service: str = Field(primary_key=True)
    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    state_position: int = Field(sa_column=Column(BigInteger, nullable=False))
    events_position: int = Field(sa_column=Column(BigInteger, nullable=False))
    batch: int = Field(sa_column=Column(BigInteger, nullable=False))
