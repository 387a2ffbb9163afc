"""The operator's audit log, and an index of token labels."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add an append-only table and an index."""
    op.create_table(
        "operator_actions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at_wall_us", sa.BigInteger(), nullable=False),
        sa.Column(
            "operator",
            sa.Text(),
            sa.CheckConstraint("length(operator) BETWEEN 1 AND 100", name="operator"),
            nullable=False,
        ),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("account_id", _ID),
        sa.Column("sats", sa.BigInteger()),
        sa.Column("reason", sa.Text(), sa.CheckConstraint("length(reason) <= 500", name="reason"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_operator_actions"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_operator_actions_account_id"),
    )
    op.create_index("ix_operator_actions_account_id_id", "operator_actions", ["account_id", "id"])
    op.create_index("ix_tokens_label_account_id", "tokens", ["label", "account_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER operator_actions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_actions"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER operator_actions_append_only_{verb.lower()} BEFORE {verb} ON operator_actions "
            "BEGIN SELECT RAISE(ABORT, 'operator_actions is append-only'); END"
        )
