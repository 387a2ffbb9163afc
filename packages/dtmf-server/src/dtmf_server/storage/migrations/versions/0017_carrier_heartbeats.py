"""The last heartbeat of carriers that send one."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """A column that may be null at the end of the table, which SQLite adds without rebuilding it."""
    op.add_column("carriers", sa.Column("heartbeat_wall_us", sa.BigInteger()))
