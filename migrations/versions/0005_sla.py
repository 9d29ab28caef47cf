"""The tables of: sla."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005_sla"
down_revision = "0004_router"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_configuration()
    create_clocks()


def create_configuration() -> None:
    op.create_table(
        "sla_targets",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("target_id", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("doc", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "target_id", "partition"),
    )
    op.create_table(
        "sla_calendars",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("calendar_id", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("doc", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "calendar_id", "partition"),
    )


def create_clocks() -> None:
    op.create_table(
        "sla_clocks",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("target_version", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("medium", sa.String(), nullable=False),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("calendar", sa.String(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("elapsed_seconds", sa.Float(), nullable=True),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.Column("breached_at", sa.BigInteger(), nullable=True),
        sa.Column("breach_reason", sa.String(), nullable=True),
        sa.Column("met_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("steps", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "contact_id", "metric"),
    )
    op.create_index("sla_clocks_partition", "sla_clocks", ["partition"])
    op.create_index(
        "sla_clocks_decided",
        "sla_clocks",
        ["workspace", "metric", "decided_at"],
        postgresql_where=sa.text("outcome IS NOT NULL"),
    )
    op.create_index(
        "sla_clocks_breached",
        "sla_clocks",
        ["workspace", "breached_at", "contact_id", "metric"],
        postgresql_where=sa.text("breached_at IS NOT NULL"),
    )
    op.create_index("sla_clocks_ended", "sla_clocks", ["ended_at"])


def downgrade() -> None:
    for table in ("sla_clocks", "sla_calendars", "sla_targets"):
        op.drop_table(table)
