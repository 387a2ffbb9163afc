"""Suspended accounts, the ledger account of the operator's credits and debits, and the audit log by time."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

PROMOTION = 8  # core/money.py


def upgrade() -> None:
    """Add a column, a system account and an index."""
    op.add_column("accounts", sa.Column("suspended_at_us", sa.BigInteger()))
    op.execute(
        "INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt)"
        f" VALUES ({PROMOTION}, 'system', 0, 0, 0, 0)"
    )
    op.create_index("ix_operator_actions_at_wall_us", "operator_actions", ["at_wall_us"])
