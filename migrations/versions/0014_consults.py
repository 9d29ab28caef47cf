"""Who helps with a contact, by consult: one agent may be asked more than once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_consults"
down_revision = "0013_incident_key"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ingest_consults",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("consult_id", sa.String(), nullable=False),
        sa.Column("agent_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "contact_id", "consult_id", "agent_id"),
    )


def downgrade() -> None:
    op.drop_table("ingest_consults")
