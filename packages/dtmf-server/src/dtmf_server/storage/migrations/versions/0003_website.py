"""The website: sessions, one-time sign-in links, and accounts deleted by their renters."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add two tables, and a column at the end of `accounts`, which SQLite adds without rebuilding the table."""
    op.add_column("accounts", sa.Column("closed_at_us", sa.BigInteger()))
    op.create_table(
        "web_sessions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("token_id", _ID, nullable=False),
        sa.Column("created_wall_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_wall_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_web_sessions"),
        sa.UniqueConstraint("sha256", name="uq_web_sessions_sha256"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_web_sessions_account_id"),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name="fk_web_sessions_token_id"),
    )
    op.create_index("ix_web_sessions_account_id", "web_sessions", ["account_id"])
    op.create_index("ix_web_sessions_seen_wall_us", "web_sessions", ["seen_wall_us"])
    op.create_table(
        "sign_in_links",
        sa.Column("id", _ID, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("token_id", _ID, nullable=False),
        sa.Column("expires_wall_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_links"),
        sa.UniqueConstraint("sha256", name="uq_sign_in_links_sha256"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sign_in_links_account_id"),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name="fk_sign_in_links_token_id"),
    )
    op.create_index("ix_sign_in_links_account_id", "sign_in_links", ["account_id"])
