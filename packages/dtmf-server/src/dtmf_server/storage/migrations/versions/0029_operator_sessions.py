"""One-time links and sessions of the operator's console."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0027"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add two tables."""
    for table, *times in (
        ("operator_links", "expires_wall_us"),
        ("operator_sessions", "created_wall_us", "seen_wall_us"),
    ):
        named = sa.CheckConstraint("length(operator) BETWEEN 1 AND 100", name="operator")
        op.create_table(
            table,
            sa.Column("id", _ID, nullable=False),
            sa.Column("sha256", sa.LargeBinary(), nullable=False),
            sa.Column("operator", sa.Text(), named, nullable=False),
            *(sa.Column(name, sa.BigInteger(), nullable=False) for name in times),
            sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
            sa.UniqueConstraint("sha256", name=f"uq_{table}_sha256"),
        )
