"""Whose public exposure was counted, so that of several processes one counts it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_sla_exposures"
down_revision = "0008_deliveries_end"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sla_exposures",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("entity_key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "entity_key"),
    )


def downgrade() -> None:
    op.drop_table("sla_exposures")
