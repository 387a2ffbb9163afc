"""The chain that this database follows, the result of the last poll of its node, and what to rescan."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a table with a single row, written when the service first starts."""
    op.create_table(
        "chain_state",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("descriptor", sa.Text, nullable=False),
        sa.Column("looked_at_us", sa.BigInteger),
        sa.Column("node_height", sa.BigInteger),
        sa.Column("trouble", sa.Text),
        sa.Column("rescan_height", sa.BigInteger),
        sa.CheckConstraint("id = 1", name=op.f("ck_chain_state_one")),
        sa.PrimaryKeyConstraint("id", name="pk_chain_state"),
    )
