"""Lightning: invoices, nodes, the sandbox's node, and three accounts of the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0017"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add tables, an index of deposits' events, and the ledger's accounts 5 (Lightning), 6 (fees) and 7 (rounding)."""
    for account_id in (5, 6, 7):
        op.execute(
            "INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt)"
            f" VALUES ({account_id}, 'system', 0, 0, 0, 0)"
        )
    _nodes()
    _invoices()
    _simulated()
    credited = sa.text("kind = 'deposit.credited'")
    op.create_index(
        "ix_events_credited", "events", ["account_id", "id"], sqlite_where=credited, postgresql_where=credited
    )


def _nodes() -> None:
    op.create_table(
        "lightning_nodes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text()),
        sa.Column("cursor_lost_wall_us", sa.BigInteger()),
        sa.Column("received_msat", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("fee_msat", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("rounding_msat", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("credited_sats", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_lightning_nodes"),
        sa.UniqueConstraint("identity", name="uq_lightning_nodes_identity"),
        sa.CheckConstraint("received_msat = credited_sats * 1000 - fee_msat + rounding_msat", name="balanced"),
    )
    op.create_table(
        "lightning_state",
        sa.Column("id", sa.Integer(), sa.CheckConstraint("id = 1", name="one"), nullable=False, autoincrement=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("node_id", _ID),
        sa.Column("polled_wall_us", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        sa.Column("inbound_msat", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_lightning_state"),
        sa.ForeignKeyConstraint(["node_id"], ["lightning_nodes.id"], name="fk_lightning_state_node_id"),
    )


def _invoices() -> None:
    op.create_table(
        "lightning_invoices",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("payment_hash", sa.Text()),
        sa.Column("bolt11", sa.Text()),
        sa.Column("amount_msat", sa.BigInteger(), sa.CheckConstraint("amount_msat > 0", name="amount")),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("created_wall_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Text(),
            sa.CheckConstraint("state IN ('wanted', 'open', 'settled', 'expired')", name="state"),
            nullable=False,
        ),
        sa.Column("is_newcomer", sa.Boolean(), nullable=False),
        sa.Column("look_up_at_us", sa.BigInteger()),
        sa.Column("node_id", _ID),
        sa.Column("settled_at_us", sa.BigInteger()),
        sa.Column("received_msat", sa.BigInteger(), sa.CheckConstraint("received_msat >= 0", name="received")),
        sa.Column("fee_msat", sa.BigInteger(), sa.CheckConstraint("fee_msat >= 0", name="fee")),
        sa.Column("credited_sats", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_lightning_invoices"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_lightning_invoices_account_id"),
        sa.ForeignKeyConstraint(["node_id"], ["lightning_nodes.id"], name="fk_lightning_invoices_node_id"),
        sa.UniqueConstraint("external_id", name="uq_lightning_invoices_external_id"),
        sa.UniqueConstraint("payment_hash", name="uq_lightning_invoices_payment_hash"),
        *_invoice_checks(),
    )
    for name, columns, where in (
        ("account_id_id", ["account_id", "id"], None),
        ("created_wall_us", ["created_wall_us"], None),
        ("wanted", ["created_at_us"], "state = 'wanted'"),
        ("open", ["expires_at_us"], "state = 'open'"),
        ("look_up", ["look_up_at_us"], "look_up_at_us IS NOT NULL"),
    ):
        condition = None if where is None else sa.text(where)
        op.create_index(
            f"ix_lightning_invoices_{name}",
            "lightning_invoices",
            columns,
            sqlite_where=condition,
            postgresql_where=condition,
        )


def _invoice_checks() -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint("(payment_hash IS NULL) = (bolt11 IS NULL)", name="known"),
        sa.CheckConstraint("payment_hash IS NOT NULL OR state IN ('wanted', 'expired')", name="handed_out"),
        sa.CheckConstraint(
            "(state = 'settled') = (settled_at_us IS NOT NULL) AND (state = 'settled') = (received_msat IS NOT NULL)"
            " AND (state = 'settled') = (fee_msat IS NOT NULL) AND (state = 'settled') = (credited_sats IS NOT NULL)",
            name="settled",
        ),
        sa.CheckConstraint("state <> 'settled' OR node_id IS NOT NULL", name="node"),
        sa.CheckConstraint("received_msat + fee_msat - credited_sats * 1000 BETWEEN 0 AND 999", name="rounding"),
    ]


def _simulated() -> None:
    op.create_table(
        "simulated_invoices",
        sa.Column("payment_hash", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("bolt11", sa.Text(), nullable=False),
        sa.Column("amount_msat", sa.BigInteger()),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("payment_hash", name="pk_simulated_invoices"),
        sa.UniqueConstraint("external_id", name="uq_simulated_invoices_external_id"),
        sa.UniqueConstraint("bolt11", name="uq_simulated_invoices_bolt11"),
    )
    op.create_table(
        "simulated_payments",
        sa.Column("id", _ID, nullable=False),
        sa.Column("payment_hash", sa.Text(), nullable=False),
        sa.Column("received_msat", sa.BigInteger(), nullable=False),
        sa.Column("fee_msat", sa.BigInteger(), nullable=False),
        sa.Column("is_reported", sa.Boolean(), nullable=False),
        sa.Column("settled_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_simulated_payments"),
        sa.ForeignKeyConstraint(
            ["payment_hash"], ["simulated_invoices.payment_hash"], name="fk_simulated_payments_payment_hash"
        ),
    )
    op.create_index("ix_simulated_payments_payment_hash", "simulated_payments", ["payment_hash"])
