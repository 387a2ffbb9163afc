"""Suspended accounts, the operator's credits, debits and refunds, and the audit log by time."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

PROMOTION = 8  # core/money.py
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add a column, a system account, a table and an index."""
    op.add_column("accounts", sa.Column("suspended_at_us", sa.BigInteger()))
    op.execute(
        "INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt)"
        f" VALUES ({PROMOTION}, 'system', 0, 0, 0, 0)"
    )
    op.create_table(
        "operator_refunds",
        sa.Column(
            "charge",
            sa.Text(),
            sa.CheckConstraint("charge IN ('message', 'rental')", name=op.f("ck_operator_refunds_charge")),
            nullable=False,
        ),
        sa.Column("charge_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("charged_sats", sa.BigInteger(), nullable=False),
        sa.Column(
            "sats",
            sa.BigInteger(),
            sa.CheckConstraint("sats > 0 AND sats <= charged_sats", name=op.f("ck_operator_refunds_sats")),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("charge", "charge_id", name="pk_operator_refunds"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_operator_refunds_account_id"),
    )
    op.create_index("ix_operator_actions_at_wall_us", "operator_actions", ["at_wall_us"])
