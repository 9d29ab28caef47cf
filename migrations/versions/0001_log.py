"""The tables of: log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision = "0001_log"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_places",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("topic", AutoString(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_position", sa.BigInteger(), server_default="0", nullable=False),
        sa.UniqueConstraint("topic", "partition"),
        postgresql_with={"fillfactor": 20},
    )
    op.create_table(
        "log_records",
        sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("headers", AutoString(), nullable=True),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "log_state",
        sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(collation="C"), primary_key=True),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "log_owners",
        sa.Column("service", AutoString(), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    for table in ("log_owners", "log_state", "log_records", "log_places"):
        op.drop_table(table)
