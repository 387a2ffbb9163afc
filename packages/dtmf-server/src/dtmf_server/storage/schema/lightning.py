"""Lightning: invoices, the nodes that created them, and the sandbox's own node."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from dtmf_server.storage.schema.base import Id, metadata, partial_index

# Every node that the service has used. The sums are those of its settled invoices.
lightning_nodes = Table(
    "lightning_nodes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("identity", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("cursor", Text),  # payments up to it are credited; null if the node has none
    Column("cursor_lost_wall_us", BigInteger),  # when the cursor last went backwards
    Column("received_msat", BigInteger, nullable=False, server_default="0"),
    Column("fee_msat", BigInteger, nullable=False, server_default="0"),
    Column("rounding_msat", BigInteger, nullable=False, server_default="0"),
    Column("credited_sats", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("identity"),
    CheckConstraint("received_msat = credited_sats * 1000 - fee_msat + rounding_msat", name="balanced"),
)

# The configured node, as the process that watches it last saw it. Times are wall time.
lightning_state = Table(
    "lightning_state",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one"), primary_key=True, autoincrement=False),
    Column("backend", Text, nullable=False),
    Column("node_id", Id, ForeignKey("lightning_nodes.id")),  # null until it was first reached
    Column("polled_wall_us", BigInteger),  # the last poll that succeeded
    Column("last_error", Text),  # why the node cannot be used
    Column("inbound_msat", BigInteger),  # what it can receive; null if unknown
)

lightning_invoices = Table(
    "lightning_invoices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("external_id", Text, nullable=False),  # random; the node has it too
    Column("payment_hash", Text),  # this and `bolt11` are null until the node's answer is stored
    Column("bolt11", Text),
    Column("amount_msat", BigInteger, CheckConstraint("amount_msat > 0", name="amount")),  # null: the payer chooses
    Column("description", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("created_wall_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    # wanted: the node may not have it yet. expired: it can still become settled.
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('wanted', 'open', 'settled', 'expired')", name="state"),
        nullable=False,
    ),
    Column("is_newcomer", Boolean, nullable=False),  # its account had no deposit and no rental before
    Column("look_up_at_us", BigInteger),  # null: not looked up any more
    Column("node_id", Id, ForeignKey("lightning_nodes.id")),
    Column("settled_at_us", BigInteger),
    Column("received_msat", BigInteger, CheckConstraint("received_msat >= 0", name="received")),
    Column("fee_msat", BigInteger, CheckConstraint("fee_msat >= 0", name="fee")),
    Column("credited_sats", BigInteger),
    UniqueConstraint("external_id"),
    UniqueConstraint("payment_hash"),
    CheckConstraint("(payment_hash IS NULL) = (bolt11 IS NULL)", name="known"),
    CheckConstraint("payment_hash IS NOT NULL OR state IN ('wanted', 'expired')", name="handed_out"),
    CheckConstraint(
        "(state = 'settled') = (settled_at_us IS NOT NULL) AND (state = 'settled') = (received_msat IS NOT NULL)"
        " AND (state = 'settled') = (fee_msat IS NOT NULL) AND (state = 'settled') = (credited_sats IS NOT NULL)",
        name="settled",
    ),
    CheckConstraint("state <> 'settled' OR node_id IS NOT NULL", name="node"),
    CheckConstraint("received_msat + fee_msat - credited_sats * 1000 BETWEEN 0 AND 999", name="rounding"),
    Index("ix_lightning_invoices_account_id_id", "account_id", "id"),
    Index("ix_lightning_invoices_created_wall_us", "created_wall_us"),
    partial_index("ix_lightning_invoices_wanted", "created_at_us", where="state = 'wanted'"),
    partial_index("ix_lightning_invoices_open", "expires_at_us", where="state = 'open'"),
    partial_index("ix_lightning_invoices_look_up", "look_up_at_us", where="look_up_at_us IS NOT NULL"),
)

# An invoice without an owner (account 999), whose payment opens an account; then the invoice is that account's.
sign_ups = Table(
    "sign_ups",
    metadata,
    Column("id", Id, primary_key=True),
    Column("invoice_id", Id, ForeignKey("lightning_invoices.id"), nullable=False),
    Column("claim_sha256", LargeBinary, nullable=False),
    Column("network", LargeBinary),  # a keyed hash of the network that requested it, while it can be paid
    Column("account_id", Id, ForeignKey("accounts.id")),  # null until it is paid
    Column("token_id", Id, ForeignKey("tokens.id")),  # of the last claim
    Column("claim_until_us", BigInteger),  # null until the first claim
    UniqueConstraint("invoice_id"),
    UniqueConstraint("claim_sha256"),
    UniqueConstraint("account_id"),
    CheckConstraint("claim_until_us IS NULL OR account_id IS NOT NULL", name="paid"),
    CheckConstraint("token_id IS NULL OR claim_until_us IS NOT NULL", name="claimed"),
    partial_index("ix_sign_ups_network", "network", where="network IS NOT NULL"),
)

simulated_invoices = Table(
    "simulated_invoices",
    metadata,
    Column("payment_hash", Text, primary_key=True),
    Column("external_id", Text, nullable=False),
    Column("bolt11", Text, nullable=False),
    Column("amount_msat", BigInteger),
    Column("expires_us", BigInteger, nullable=False),
    UniqueConstraint("external_id"),
    UniqueConstraint("bolt11"),
)

# An invoice may be in it twice, as some nodes report payments twice.
simulated_payments = Table(
    "simulated_payments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("payment_hash", Text, ForeignKey("simulated_invoices.payment_hash"), nullable=False),
    Column("received_msat", BigInteger, nullable=False),
    Column("fee_msat", BigInteger, nullable=False),
    Column("is_reported", Boolean, nullable=False),  # false: only a look-up finds it
    Column("settled_us", BigInteger, nullable=False),
    Index("ix_simulated_payments_payment_hash", "payment_hash"),
)
