"""A contact may be offered to several agents at once: who they are, and what it takes of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0011_parallel_offers"
down_revision = "0010_moves"
branch_labels = None
depends_on = None

TABLES = ("router_entities", "ingest_contacts")
LIVE = sa.text("offered_to IS NOT NULL")


def upgrade() -> None:
    op.drop_index("router_contacts_offered", "router_entities")
    for table in TABLES:
        several = "CASE WHEN offered_to IS NOT NULL THEN ARRAY[offered_to] END"
        op.alter_column(table, "offered_to", type_=ARRAY(sa.String()), postgresql_using=several)
    op.add_column("router_entities", sa.Column("offered_units", ARRAY(sa.Integer()), nullable=True))
    op.execute("UPDATE router_entities SET offered_units = ARRAY[units] WHERE offered_to IS NOT NULL")
    op.create_index(
        "router_contacts_offered", "router_entities", ["offered_to"], postgresql_using="gin", postgresql_where=LIVE
    )


def downgrade() -> None:
    op.drop_index("router_contacts_offered", "router_entities")
    op.drop_column("router_entities", "offered_units")
    for table in TABLES:
        op.alter_column(table, "offered_to", type_=sa.String(), postgresql_using="offered_to[1]")
    op.create_index("router_contacts_offered", "router_entities", ["workspace", "offered_to"])
