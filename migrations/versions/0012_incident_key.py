"""What many contacts are about at once: their queue may offer them as one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_incident_key"
down_revision = "0011_parallel_offers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingest_contacts", sa.Column("incident_key", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("ingest_contacts", "incident_key")
