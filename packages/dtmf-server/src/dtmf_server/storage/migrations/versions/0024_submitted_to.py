"""The carrier that an SMS was submitted to, recorded before the submit."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """A column that may be null at the end of the table, which SQLite adds without rebuilding it."""
    op.add_column("deliveries", sa.Column("submitted_to", sa.Text()))
