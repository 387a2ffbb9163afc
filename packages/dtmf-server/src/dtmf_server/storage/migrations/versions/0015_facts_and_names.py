"""Store when a number was released, not when its cooldown ends; give three columns plain names."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

RENAMED = [
    ("numbers", "rests_until_us", "released_at_us"),
    ("service", "stray_messages", "unrouted_messages"),
    ("chain_state", "looked_at_us", "polled_at_us"),
    ("chain_state", "trouble", "last_error"),
]


def upgrade() -> None:
    """Rename the columns. A number was released when its last rental ended; one that was never rented, at 0."""
    for table, old, new in RENAMED:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
        _rename_not_null(table, old, new)
    op.execute(
        "UPDATE numbers SET released_at_us = ended.at_us FROM"
        " (SELECT e164, max(ended_at_us) AS at_us FROM rentals WHERE ended_at_us IS NOT NULL GROUP BY e164) AS ended"
        " WHERE ended.e164 = numbers.e164"
    )
    op.execute(
        "UPDATE numbers SET released_at_us = 0 WHERE released_at_us <> 0"
        " AND NOT EXISTS (SELECT 1 FROM rentals r WHERE r.e164 = numbers.e164 AND r.ended_at_us IS NOT NULL)"
    )


def _rename_not_null(table: str, old: str, new: str) -> None:
    """Rename constraints: PostgreSQL 18 and later names a NOT NULL after its column, and keeps the name when the column
    is renamed."""
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    found = bind.execute(
        sa.text("SELECT 1 FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :name"),
        {"table": table, "name": f"{table}_{old}_not_null"},
    ).first()
    if found:
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {table}_{old}_not_null TO {table}_{new}_not_null")
