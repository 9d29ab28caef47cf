"""Who waits, by target and promise: of each target the first are the most urgent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_urgent"
down_revision = "0014_consults"
branch_labels = None
depends_on = None

WAITING = sa.text("kind = 'contact' AND state = 'waiting'")


def upgrade() -> None:
    columns = ["workspace", "target_us", "promise_at"]
    op.create_index("router_contacts_urgent", "router_entities", columns, postgresql_where=WAITING)


def downgrade() -> None:
    op.drop_index("router_contacts_urgent", "router_entities")
