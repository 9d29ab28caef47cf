"""What many contacts are about at once: their queue may offer them as one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_incident_key"
down_revision = "0012_router_versions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingest_contacts", sa.Column("incident_key", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("ingest_contacts", "incident_key")
