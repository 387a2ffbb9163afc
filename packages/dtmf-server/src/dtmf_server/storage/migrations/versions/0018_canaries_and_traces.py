"""Tests of whether one-time codes arrive, and the traffic that an operator watches."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Four tables, and a column that may be null at the end of another, which SQLite adds without rebuilding it."""
    op.add_column("numbers", sa.Column("held_until_us", sa.BigInteger()))
    _add_canaries()
    _add_traces()


def _add_canaries() -> None:
    op.create_table(
        "canary_runs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("e164", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("sent_by", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_wall_us", sa.BigInteger(), nullable=False),
        sa.Column("submitted_wall_us", sa.BigInteger()),
        sa.Column("arrived_wall_us", sa.BigInteger()),
        sa.Column("arrived_by", sa.Text()),
        sa.Column("received", sa.Text()),
        sa.Column("result", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_canary_runs"),
        sa.CheckConstraint("state IN ('waiting', 'submitting', 'submitted', 'not_sent', 'over')", name="state"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_canary_runs_e164", "canary_runs", ["e164"])
    op.create_table(
        "canaries",
        sa.Column("e164", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("at_wall_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("e164", "carrier", "kind", name="pk_canaries"),
        sa.CheckConstraint("kind IN ('one_time_code', 'short_code')", name="kind"),
        sa.CheckConstraint("result IN ('received', 'differs', 'redacted', 'nothing')", name="result"),
    )


def _add_traces() -> None:
    op.create_table(
        "traces",
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("until_wall_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("carrier", name="pk_traces"),
    )
    op.create_table(
        "trace_entries",
        sa.Column("id", _ID, nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("at_wall_us", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trace_entries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_trace_entries_carrier", "trace_entries", ["carrier", "id"])
