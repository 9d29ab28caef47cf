"""The platform's own records: keys, workspaces, pools, commands, idempotent answers, installation-wide settings.

Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Index, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class PlatformWorkspace(SQLModel, table=True):
    """A tenant. `ready` once everything that a workspace begins with is there; a deleted id is never given again."""

    __tablename__ = "platform_workspaces"
    workspace: str = Field(primary_key=True)
    name: str
    ready: bool = False
    created_at: int = Field(sa_type=BigInteger)
    deleted_at: int | None = Field(default=None, sa_type=BigInteger)


class PlatformKey(SQLModel, table=True):
    """An API key: only its keyed hash is kept."""

    __tablename__ = "platform_keys"
    workspace: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    role: str
    agent: str | None = None
    hash: bytes = Field(unique=True)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)


class PlatformPool(SQLModel, table=True):
    """Which partition a pool lives in, for its life."""

    __tablename__ = "platform_pools"
    workspace: str = Field(primary_key=True)
    pool: str = Field(primary_key=True)
    partition: int = Field(sa_type=SmallInteger)


class PlatformCommand(SQLModel, table=True):
    """A command that was asked for, and its outcome once known; `position` is where the outcome may be found."""

    __tablename__ = "platform_commands"
    __table_args__ = (Index("platform_commands_asked_at", "asked_at"),)
    workspace: str = Field(primary_key=True)
    command_id: str = Field(primary_key=True)
    partition: int = Field(sa_type=SmallInteger)
    position: int = Field(sa_type=BigInteger)
    asked_at: int = Field(sa_type=BigInteger)
    status: int | None = Field(default=None, sa_type=SmallInteger)
    code: str | None = None
    state: dict[str, Any] | None = Field(default=None, sa_type=JSONB)


class PlatformNote(SQLModel, table=True):
    """What somebody wrote about a contact. Personal: it goes with the contact's customer."""

    __tablename__ = "platform_notes"
    __table_args__ = (Index("platform_notes_contact", "workspace", "contact_id", "at", "note_id"),)
    workspace: str = Field(primary_key=True)
    note_id: str = Field(primary_key=True)
    contact_id: str
    author: str
    text: str = Field(sa_type=Text)
    at: int = Field(sa_type=BigInteger)


class PlatformIdempotency(SQLModel, table=True):
    """A POST with an Idempotency-Key: stored before it runs, answered for 24 hours after."""

    __tablename__ = "platform_idempotency"
    __table_args__ = (
        Index("platform_idempotency_started_at", "started_at"),
        Index("platform_idempotency_customer", "workspace", "customer_id"),
    )
    workspace: str = Field(primary_key=True)
    key_id: str = Field(primary_key=True)
    path: str = Field(primary_key=True)
    idempotency_key: str = Field(primary_key=True)
    body_hash: bytes
    command_id: str
    customer_id: str | None = None
    runner: str | None = None
    """Which process is at it; None when nobody is."""
    runs_until: int = Field(sa_type=BigInteger)
    started_at: int = Field(sa_type=BigInteger)
    status: int | None = Field(default=None, sa_type=SmallInteger)
    headers: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    body: bytes | None = None


class PlatformSetting(SQLModel, table=True):
    """What the whole installation was created with and can't change: partitions, the secret key's fingerprint."""

    __tablename__ = "platform_settings"
    name: str = Field(primary_key=True)
    value: str
