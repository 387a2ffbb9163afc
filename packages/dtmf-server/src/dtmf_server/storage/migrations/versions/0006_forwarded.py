"""Look up forwards by their destination: each SMS to be forwarded is checked for being a forward that came back."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add an index, so that the check costs the same however many forwards there are."""
    forwards = sa.text("forward_of IS NOT NULL")
    op.create_index(
        "ix_messages_forwarded",
        "messages",
        ["recipient", "sender", "at_us"],
        sqlite_where=forwards,
        postgresql_where=forwards,
    )
