"""The tables of: ingest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_ingest"
down_revision = "0002_platform"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_accounts()
    create_contacts()
    create_customers()
    create_messages()
    create_outbox()


def create_accounts() -> None:
    op.create_table(
        "ingest_accounts",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("public_url", sa.String(), nullable=True),
        sa.Column("routable", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "account"),
        sa.UniqueConstraint("account"),
    )


def create_contacts() -> None:
    op.create_table(
        "ingest_contacts",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("conversation", sa.String(), nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("medium", sa.String(), nullable=False),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("repeat_of", sa.String(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("sentiment", sa.Float(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("reach", sa.JSON(), nullable=False),
        sa.Column("requirement", sa.JSON(), nullable=True),
        sa.Column("queue", sa.String(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("routed_queue", sa.String(), nullable=True),
        sa.Column("agent_id", sa.String(), nullable=True),
        sa.Column("offered_to", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "contact_id"),
    )
    op.create_index("ingest_contacts_of", "ingest_contacts", ["workspace", "customer_id", "contact_id"], unique=False)
    op.create_table(
        "ingest_conversations",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("conversation", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "account", "conversation"),
    )


def create_customers() -> None:
    op.create_table(
        "ingest_customers",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("last_agent", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "customer_id"),
    )
    op.create_table(
        "ingest_failures",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "contact_id"),
    )
    op.create_index("ingest_failures_of", "ingest_failures", ["workspace", "customer_id", "at"], unique=False)
    op.create_table(
        "ingest_identities",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("handle", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "channel", "address"),
    )
    op.create_index("ingest_identities_of", "ingest_identities", ["workspace", "customer_id"], unique=False)


def create_messages() -> None:
    op.create_table(
        "ingest_messages",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("source_id", sa.String(), nullable=True),
        sa.Column("conversation", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=True),
        sa.Column("customer_id", sa.String(), nullable=True),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("agent_id", sa.String(), nullable=True),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("opens", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "message_id"),
    )
    op.create_index(
        "ingest_messages_of_contact", "ingest_messages", ["workspace", "contact_id", "ordinal"], unique=False
    )
    op.create_index(
        "ingest_messages_of_conversation",
        "ingest_messages",
        ["workspace", "account", "conversation", "ordinal"],
        unique=False,
    )
    op.create_index("ingest_messages_of_customer", "ingest_messages", ["workspace", "customer_id"], unique=False)
    op.create_index("ingest_messages_source", "ingest_messages", ["workspace", "account", "source_id"], unique=True)


def create_outbox() -> None:
    op.create_table(
        "ingest_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ingest_outbox_new",
        "ingest_outbox",
        ["partition", "id"],
        unique=False,
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_index(
        "ingest_outbox_numbered",
        "ingest_outbox",
        ["partition", "position"],
        unique=False,
        postgresql_where=sa.text("position IS NOT NULL"),
    )
    op.create_table(
        "ingest_positions",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    op.create_table(
        "ingest_relays",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition"),
    )


def downgrade() -> None:
    op.drop_table("ingest_relays")
    op.drop_table("ingest_positions")
    op.drop_index(
        "ingest_outbox_numbered", table_name="ingest_outbox", postgresql_where=sa.text("position IS NOT NULL")
    )
    op.drop_index("ingest_outbox_new", table_name="ingest_outbox", postgresql_where=sa.text("position IS NULL"))
    op.drop_table("ingest_outbox")
    op.drop_index("ingest_messages_source", table_name="ingest_messages")
    op.drop_index("ingest_messages_of_conversation", table_name="ingest_messages")
    op.drop_index("ingest_messages_of_customer", table_name="ingest_messages")
    op.drop_index("ingest_messages_of_contact", table_name="ingest_messages")
    op.drop_table("ingest_messages")
    op.drop_index("ingest_identities_of", table_name="ingest_identities")
    op.drop_table("ingest_identities")
    op.drop_index("ingest_failures_of", table_name="ingest_failures")
    op.drop_table("ingest_failures")
    op.drop_table("ingest_customers")
    op.drop_table("ingest_conversations")
    op.drop_index("ingest_contacts_of", table_name="ingest_contacts")
    op.drop_table("ingest_contacts")
    op.drop_table("ingest_accounts")
