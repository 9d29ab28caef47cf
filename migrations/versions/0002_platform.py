"""The tables of: platform."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_platform"
down_revision = "0001_log"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "platform_workspaces",
        sa.Column("workspace", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger()),
    )
    op.create_table(
        "platform_keys",
        sa.Column("workspace", sa.String(), primary_key=True),
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("agent", sa.String()),
        sa.Column("hash", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
    )
    op.create_table(
        "platform_pools",
        sa.Column("workspace", sa.String(), primary_key=True),
        sa.Column("pool", sa.String(), primary_key=True),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
    )
    _create_commands()
    _create_idempotency()
    op.create_table(
        "platform_settings",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("value", sa.String(), nullable=False),
    )


def _create_commands() -> None:
    op.create_table(
        "platform_commands",
        sa.Column("workspace", sa.String(), primary_key=True),
        sa.Column("command_id", sa.String(), primary_key=True),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("code", sa.String()),
        sa.Column("state", postgresql.JSONB()),
    )
    op.create_index("platform_commands_asked_at", "platform_commands", ["asked_at"])


def _create_idempotency() -> None:
    op.create_table(
        "platform_idempotency",
        sa.Column("workspace", sa.String(), primary_key=True),
        sa.Column("key_id", sa.String(), primary_key=True),
        sa.Column("path", sa.String(), primary_key=True),
        sa.Column("idempotency_key", sa.String(), primary_key=True),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String()),
        sa.Column("runner", sa.String()),
        sa.Column("runs_until", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("headers", postgresql.JSONB()),
        sa.Column("body", sa.LargeBinary()),
    )
    op.create_index("platform_idempotency_started_at", "platform_idempotency", ["started_at"])
    op.create_index("platform_idempotency_customer", "platform_idempotency", ["workspace", "customer_id"])


def downgrade() -> None:
    for table in ("settings", "idempotency", "commands", "pools", "keys", "workspaces"):
        op.drop_table(f"platform_{table}")
