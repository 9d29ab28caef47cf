"""The router's tables: one of records (`router_names`), the others a projection that can be dropped and rebuilt.

The projection mirrors what the log says: `router_entities` the machine's state, `router_events` its decisions about
contacts; `log_projections` says how far both were read. Documents are `json`, not `jsonb`: they keep the log's own
bytes, so no number changes and no text that PostgreSQL dislikes can stop the projection.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel


class RouterEntity(SQLModel, table=True):
    """One entity of the machine's state. A contact that has ended keeps its last entity, and how it `ended`."""

    __tablename__ = "router_entities"
    __table_args__ = (
        Index("router_entities_pool", "workspace", "pool", "kind"),
        Index("router_contacts_opened", "workspace", "opened_at", "id", postgresql_where=text("kind = 'contact'")),
        Index("router_contacts_state", "workspace", "state", "queue", postgresql_where=text("kind = 'contact'")),
        Index(
            "router_contacts_urgent",
            "workspace",
            "target_us",
            "promise_at",
            postgresql_where=text("kind = 'contact' AND state = 'waiting'"),
        ),
        Index("router_contacts_customer", "workspace", "customer_id"),
        Index("router_contacts_agent", "workspace", "agent"),
        Index(
            "router_contacts_offered",
            "offered_to",
            postgresql_using="gin",
            postgresql_where=text("offered_to IS NOT NULL"),
        ),
        Index("router_contacts_ended", "ended_at"),
    )

    workspace: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    pool: str = Field(primary_key=True)
    partition: int = Field(primary_key=True)
    """Of a pool's one; what concerns a whole workspace has a copy in each."""
    doc: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str | None = None
    """A contact's state, an agent's presence status; `deleted` for what is only remembered."""
    queue: str | None = None
    channel: str | None = None
    customer_id: str | None = None
    agent: str | None = None
    """Who owns the contact."""
    offered_to: list[str] | None = Field(default=None, sa_column=Column(ARRAY(String), nullable=True))
    """Who has its live offers."""
    offered_units: list[int] | None = Field(default=None, sa_column=Column(ARRAY(Integer), nullable=True))
    """What each of these offers takes of its agent's capacity."""
    opened_at: int | None = Field(default=None, sa_type=BigInteger)
    waiting_since: int | None = Field(default=None, sa_type=BigInteger)
    promise_at: int | None = Field(default=None, sa_type=BigInteger)
    """Arrival + (1 − boost) · target: with `target_us` all that the order of a queue depends on."""
    target_us: int | None = Field(default=None, sa_type=BigInteger)
    units: int | None = None
    """What the contact takes of its agent's capacity, or all that the agent has."""
    unroutable: bool = False
    ended: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    """The event that closed or abandoned the contact; its `state` no longer follows the entity."""
    ended_at: int | None = Field(default=None, sa_type=BigInteger)


class RouterEvent(SQLModel, table=True):
    """A decision about a contact, as it was published."""

    __tablename__ = "router_events"
    __table_args__ = (Index("router_events_at", "at"),)

    workspace: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    pool: str
    partition: int
    id: str
    type: str
    at: int = Field(sa_type=BigInteger)
    doc: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class RouterVersion(SQLModel, table=True):
    """A version of a queue's, an agent's or a policy's configuration: what it said, since when, and who wanted it."""

    __tablename__ = "router_versions"

    workspace: str = Field(primary_key=True)
    pool: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    partition: int
    at: int = Field(sa_type=BigInteger)
    actor: str | None = None
    """None for what a command older than this table has changed."""
    deleted: bool = False
    doc: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class RouterName(SQLModel, table=True):
    """A record: the name that people gave an agent, queue or pool, and the pool it belongs to for life.

    Names are personal data or may hold some, so they stay off the log.
    """

    __tablename__ = "router_names"

    workspace: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    pool: str
    name: str | None = None
