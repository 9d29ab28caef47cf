"""How far projections are, and snapshots to replay from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_snapshots"
down_revision = "0006_notifier"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_projections",
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("state_position", sa.BigInteger(), nullable=False),
        sa.Column("events_position", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service", "partition"),
    )
    op.create_table(
        "log_snapshots",
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("entities", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("service", "partition", "batch"),
    )


def downgrade() -> None:
    op.drop_table("log_snapshots")
    op.drop_table("log_projections")
