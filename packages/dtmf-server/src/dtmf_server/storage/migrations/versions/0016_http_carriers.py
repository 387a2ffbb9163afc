"""Carriers over HTTP: IDs of their SMS, how far they caught up, and receipts that name our own message."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_STRAY, _NAMED = sa.text("is_stray"), sa.text("message_id IS NOT NULL")


def upgrade() -> None:
    """A table, and columns that may be null at the end of two others, which SQLite adds without rebuilding them."""
    op.add_column("carriers", sa.Column("caught_up_wall_us", sa.BigInteger()))
    op.create_table(
        "carrier_message_ids",
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("stored_wall_us", sa.BigInteger(), nullable=False),
        sa.Column("is_stray", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("carrier", "digest", name="pk_carrier_message_ids"),
    )
    op.create_index(
        "ix_carrier_message_ids_stray",
        "carrier_message_ids",
        ["stored_wall_us"],
        sqlite_where=_STRAY,
        postgresql_where=_STRAY,
    )
    op.add_column("parts", sa.Column("received_wall_us", sa.BigInteger()))
    op.create_index("ix_rentals_e164_started_at_us", "rentals", ["e164", "started_at_us"])
    op.add_column("early_receipts", sa.Column("message_id", _ID))
    op.add_column("early_receipts", sa.Column("is_intermediate", sa.Boolean()))
    op.create_index(
        "ix_early_receipts_message_id",
        "early_receipts",
        ["message_id"],
        sqlite_where=_NAMED,
        postgresql_where=_NAMED,
    )
