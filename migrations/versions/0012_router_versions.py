"""Versions of queues, agents and policies: who changed what, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_router_versions"
down_revision = "0011_parallel_offers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "router_versions",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("doc", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "pool", "kind", "id", "version"),
    )


def downgrade() -> None:
    op.drop_table("router_versions")
