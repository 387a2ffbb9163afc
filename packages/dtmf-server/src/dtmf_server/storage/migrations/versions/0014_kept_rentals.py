"""List an account's ended rentals newest end first, as long as their texts are stored."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add an index, so that a page of the list costs the same however many rentals the account has had."""
    kept = sa.text("ended_at_us IS NOT NULL AND erased_at_us IS NULL")
    op.create_index(
        "ix_rentals_kept",
        "rentals",
        ["account_id", "ended_at_us", "id"],
        sqlite_where=kept,
        postgresql_where=kept,
    )
