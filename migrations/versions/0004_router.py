"""The tables of: router."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_router"
down_revision = "0003_ingest"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_entities()
    create_events()
    create_names()


def create_entities() -> None:
    op.create_table(
        "router_entities",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("doc", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("queue", sa.String(), nullable=True),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("customer_id", sa.String(), nullable=True),
        sa.Column("agent", sa.String(), nullable=True),
        sa.Column("offered_to", sa.String(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("waiting_since", sa.BigInteger(), nullable=True),
        sa.Column("promise_at", sa.BigInteger(), nullable=True),
        sa.Column("target_us", sa.BigInteger(), nullable=True),
        sa.Column("units", sa.Integer(), nullable=True),
        sa.Column("unroutable", sa.Boolean(), nullable=False),
        sa.Column("ended", sa.JSON(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "kind", "id", "pool", "partition"),
    )
    op.create_index("router_contacts_agent", "router_entities", ["workspace", "agent"])
    op.create_index("router_contacts_customer", "router_entities", ["workspace", "customer_id"])
    op.create_index("router_contacts_ended", "router_entities", ["ended_at"])
    op.create_index("router_contacts_offered", "router_entities", ["workspace", "offered_to"])
    op.create_index(
        "router_contacts_opened",
        "router_entities",
        ["workspace", "opened_at", "id"],
        postgresql_where=sa.text("kind = 'contact'"),
    )
    op.create_index(
        "router_contacts_state",
        "router_entities",
        ["workspace", "state", "queue"],
        postgresql_where=sa.text("kind = 'contact'"),
    )
    op.create_index("router_entities_pool", "router_entities", ["workspace", "pool", "kind"])


def create_events() -> None:
    op.create_table(
        "router_events",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("doc", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "contact_id", "sequence"),
    )
    op.create_index("router_events_at", "router_events", ["at"])


def create_names() -> None:
    op.create_table(
        "router_names",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "kind", "id"),
    )


def downgrade() -> None:
    for table in ("router_names", "router_events", "router_entities"):
        op.drop_table(table)
