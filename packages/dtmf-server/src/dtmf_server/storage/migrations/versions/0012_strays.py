"""Stray SMS, counted by destination."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add a table; SMS counted before have no destinations."""
    op.create_table(
        "strays",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at_us", sa.BigInteger(), nullable=False),
        sa.Column("last_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name="pk_strays"),
        sa.CheckConstraint("count > 0", name="count"),
    )
    op.create_index("ix_strays_last_at_us", "strays", ["last_at_us"])
