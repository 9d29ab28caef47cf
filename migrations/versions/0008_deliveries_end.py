"""What is needed so that deliveries end: since when they wait, and indexes to find them by age and by subscription."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_deliveries_end"
down_revision = "0007_snapshots"
branch_labels = None
depends_on = None

TABLE = "notifier_deliveries"
PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("again_at", sa.BigInteger(), nullable=True))
    op.create_index("notifier_deliveries_age", TABLE, ["created_at"], postgresql_where=PENDING)
    op.create_index("notifier_deliveries_subscription", TABLE, ["workspace", "subscription"])


def downgrade() -> None:
    op.drop_index("notifier_deliveries_subscription", TABLE)
    op.drop_index("notifier_deliveries_age", TABLE)
    op.drop_column(TABLE, "again_at")
