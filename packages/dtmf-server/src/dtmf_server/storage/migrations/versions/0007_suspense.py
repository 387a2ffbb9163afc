"""Coins in suspense, newly mined coins, and an index of the deposits that a step of the chain may change."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_UNSETTLED = sa.text("status = 'pending' OR (status = 'credited') = (height IS NULL)")
_UNUSED = sa.text("NOT used")


def upgrade() -> None:
    """Let the suspense account have a balance; add a column at the end of `deposits`, which SQLite adds in place."""
    op.execute("UPDATE accounts SET kind = 'customer' WHERE id = 4")
    op.add_column("deposits", sa.Column("coinbase", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_deposits_open", "deposits")
    op.create_index("ix_deposits_unsettled", "deposits", ["id"], sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED)
    op.create_index("ix_addresses_unused", "addresses", ["account_id"], sqlite_where=_UNUSED, postgresql_where=_UNUSED)
