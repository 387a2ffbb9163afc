"""Forwards are found by where they went: whether an SMS is one come back is asked for each that is to be forwarded."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """An index, so that the question costs the same however many were forwarded before."""
    forwards = sa.text("forward_of IS NOT NULL")
    op.create_index(
        "ix_messages_forwarded",
        "messages",
        ["recipient", "sender", "at_us"],
        sqlite_where=forwards,
        postgresql_where=forwards,
    )
