"""Linked contacts, calls for later, and the notes that go with a move."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_moves"
down_revision = "0009_sla_exposures"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingest_contacts", sa.Column("linked_to", sa.String(), nullable=True))
    op.create_table(
        "ingest_callbacks",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("linked_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "linked_id"),
    )
    op.create_index("ingest_callbacks_due", "ingest_callbacks", ["due_at"])
    op.create_table(
        "platform_notes",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("note_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "note_id"),
    )
    op.create_index("platform_notes_contact", "platform_notes", ["workspace", "contact_id", "at", "note_id"])


def downgrade() -> None:
    op.drop_table("platform_notes")
    op.drop_table("ingest_callbacks")
    op.drop_column("ingest_contacts", "linked_to")
