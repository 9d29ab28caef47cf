"""Ingest's records: accounts, customers, identities, contacts, messages, the outbox.

They hold everything personal, behind the opaque ids that the log carries, so that erasing a customer is deleting
rows. Times are integer microseconds since 1970 UTC. What the history projection keeps: `ingest_failures`,
`ingest_consults`, `ingest_positions`, `last_agent` of a customer, and of a contact its state, agent, offer and routed
queue.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Identity, Index, LargeBinary, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel


def _instant(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(BigInteger, nullable=nullable))


class IngestAccount(SQLModel, table=True):
    """A company's own address on a channel. Its id is taken once in all workspaces: webhook addresses name it."""

    __tablename__ = "ingest_accounts"
    workspace: str = Field(primary_key=True)
    account: str = Field(primary_key=True, unique=True)
    provider: str
    pool: str
    public_url: str | None = None
    routable: list[str] = Field(sa_column=Column(JSON, nullable=False))
    secrets: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """Sealed JSON: name → secret."""
    changed_at: int = _instant()


class IngestCustomer(SQLModel, table=True):
    __tablename__ = "ingest_customers"
    workspace: str = Field(primary_key=True)
    customer_id: str = Field(primary_key=True)
    tier: str
    last_agent: str | None = None
    created_at: int = _instant()


class IngestIdentity(SQLModel, table=True):
    __tablename__ = "ingest_identities"
    __table_args__ = (Index("ingest_identities_of", "workspace", "customer_id"),)
    workspace: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    customer_id: str
    handle: str | None = None
    name: str | None = None
    verified: bool = Field(sa_column=Column(Boolean, nullable=False))


class IngestConversation(SQLModel, table=True):
    """Which contact the messages of a conversation join now. Its row is the lock under which they do."""

    __tablename__ = "ingest_conversations"
    workspace: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    conversation: str = Field(primary_key=True)
    contact_id: str | None = None


class IngestContact(SQLModel, table=True):
    __tablename__ = "ingest_contacts"
    __table_args__ = (Index("ingest_contacts_of", "workspace", "customer_id", "contact_id"),)
    workspace: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    pool: str
    account: str
    conversation: str | None = None
    channel: str
    medium: str
    visibility: str
    customer_id: str
    state: str
    """open, closed, or withdrawn."""
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    """How many facts of it were put on the contacts topic."""
    repeat_of: str | None = None
    linked_to: str | None = None
    opened_at: int = _instant()
    language: str | None = None
    topics: list[str] = Field(sa_column=Column(JSON, nullable=False))
    sentiment: float = Field(sa_column=Column(Float, nullable=False))
    tier: str
    reach: dict[str, int] = Field(sa_column=Column(JSON, nullable=False))
    requirement: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    queue: str | None = None
    incident_key: str | None = None
    attributes: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    routed_queue: str | None = None
    agent_id: str | None = None
    offered_to: list[str] | None = Field(default=None, sa_column=Column(ARRAY(String), nullable=True))
    """Who has its live offers; never empty."""


class IngestMessage(SQLModel, table=True):
    """What was said, once for each source id of an account. `contact_id` is None for a post of the company's own
    that belongs to no contact: it is kept (without text) so that an answer to it can be told from one to a customer,
    and that it is an answer itself should what it answers come later."""

    __tablename__ = "ingest_messages"
    __table_args__ = (
        Index("ingest_messages_source", "workspace", "account", "source_id", unique=True),
        Index("ingest_messages_of_contact", "workspace", "contact_id", "ordinal"),
        Index("ingest_messages_of_conversation", "workspace", "account", "conversation", "ordinal"),
        Index("ingest_messages_of_customer", "workspace", "customer_id"),
    )
    workspace: str = Field(primary_key=True)
    message_id: str = Field(primary_key=True)
    ordinal: int = Field(sa_column=Column(BigInteger, Identity(), nullable=False))
    account: str
    source_id: str | None = None
    conversation: str
    contact_id: str | None = None
    customer_id: str | None = None
    """Who wrote; None for the company."""
    author: str
    kind: str
    visibility: str
    text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    language: str | None = None
    agent_id: str | None = None
    automatic: bool = Field(sa_column=Column(Boolean, nullable=False))
    opens: bool = Field(sa_column=Column(Boolean, nullable=False))
    occurred_at: int = _instant()
    received_at: int = _instant()
    deleted_at: int | None = _instant(nullable=True)


class IngestFailure(SQLModel, table=True):
    """A contact that breached, or that its customer came back after: what strikes are counted from."""

    __tablename__ = "ingest_failures"
    __table_args__ = (Index("ingest_failures_of", "workspace", "customer_id", "at"),)
    workspace: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    customer_id: str
    at: int = _instant()


class IngestConsult(SQLModel, table=True):
    """Who is offered a consult about a contact, or has it."""

    __tablename__ = "ingest_consults"
    workspace: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    """The contact that help is asked for."""
    consult_id: str = Field(primary_key=True)
    agent_id: str = Field(primary_key=True)


class IngestCallback(SQLModel, table=True):
    """A linked contact that opens when its customer is to be called."""

    __tablename__ = "ingest_callbacks"
    __table_args__ = (Index("ingest_callbacks_due", "due_at"),)
    workspace: str = Field(primary_key=True)
    linked_id: str = Field(primary_key=True)
    contact_id: str
    customer_id: str
    due_at: int = _instant()


class IngestOutbox(SQLModel, table=True):
    """Facts that are stored and not yet known to be on the log. `position` is given by the relay, before it appends."""

    __tablename__ = "ingest_outbox"
    __table_args__ = (
        Index("ingest_outbox_numbered", "partition", "position", postgresql_where=text("position IS NOT NULL")),
        Index("ingest_outbox_new", "partition", "id", postgresql_where=text("position IS NULL")),
    )
    id: int = Field(sa_column=Column(BigInteger, Identity(), primary_key=True))
    partition: int
    position: int | None = _instant(nullable=True)
    key: str
    value: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    headers: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))


class IngestRelay(SQLModel, table=True):
    """The last outbox position that was given in a partition."""

    __tablename__ = "ingest_relays"
    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: int = Field(sa_column=Column(BigInteger, nullable=False))


class IngestPosition(SQLModel, table=True):
    """How far the history projection has read a topic's partition."""

    __tablename__ = "ingest_positions"
    topic: str = Field(primary_key=True)
    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: int = Field(sa_column=Column(BigInteger, nullable=False))
