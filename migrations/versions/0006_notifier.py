"""The tables of: notifier."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006_notifier"
down_revision = "0005_sla"
branch_labels = None
depends_on = None

PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.create_table(
        "notifier_subscriptions",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", postgresql.JSONB(), nullable=False),
        sa.Column("filter", postgresql.JSONB(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "id"),
    )
    op.create_table(
        "notifier_heads",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace"),
    )
    op.create_table(
        "notifier_feed",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "position"),
    )
    op.create_index("notifier_feed_stored_at", "notifier_feed", ["stored_at"])
    create_deliveries()
    op.create_table(
        "notifier_progress",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("outbox", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "topic"),
    )


def create_deliveries() -> None:
    table = "notifier_deliveries"
    op.create_table(
        table,
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("subscription", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_failure", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "id"),
    )
    lane = ["workspace", "subscription"]
    op.create_index("notifier_deliveries_order", table, [*lane, "position"], postgresql_where=PENDING)
    op.create_index("notifier_deliveries_due", table, [*lane, "due_at"], postgresql_where=PENDING)
    op.create_index("notifier_deliveries_line", table, ["line", "position"], postgresql_where=PENDING)
    op.create_index("notifier_deliveries_position", table, ["workspace", "position", "id"])
    op.create_index("notifier_deliveries_ended", table, ["state", "ended_at"])


def downgrade() -> None:
    for table in (
        "notifier_progress",
        "notifier_deliveries",
        "notifier_feed",
        "notifier_heads",
        "notifier_subscriptions",
    ):
        op.drop_table(table)
