"""The network that an unpaid address was issued to, and ranges of skipped blocks."""

import sqlalchemy as sa
from alembic import op

from dtmf_server.storage.schema.base import Id

revision = "0011"
down_revision = "0010"

_KNOWN = sa.text("network IS NOT NULL")


def upgrade() -> None:
    """Add a column at the end of `addresses`, empty for addresses issued before, and a table."""
    op.add_column("addresses", sa.Column("network", sa.LargeBinary()))
    op.create_index("ix_addresses_network", "addresses", ["network"], sqlite_where=_KNOWN, postgresql_where=_KNOWN)
    op.create_table(
        "skipped_blocks",
        sa.Column("id", Id, nullable=False),
        sa.Column("from_height", sa.BigInteger(), nullable=False),
        sa.Column("to_height", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.Column("found_sats", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("to_height >= from_height", name=op.f("ck_skipped_blocks_range")),
        sa.PrimaryKeyConstraint("id", name="pk_skipped_blocks"),
    )
