"""Separate the index of what is due from that of lanes: PostgreSQL used the first for both."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Restrict the index of what is due to queries about time."""
    waiting = sa.text("state = 'waiting' AND due_at_us >= 0")
    op.drop_index("ix_deliveries_due", "deliveries")
    op.create_index(
        "ix_deliveries_due", "deliveries", ["due_at_us", "id"], sqlite_where=waiting, postgresql_where=waiting
    )
