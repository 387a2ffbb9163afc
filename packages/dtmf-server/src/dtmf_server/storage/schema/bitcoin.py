"""Addresses, deposits, and the chain as far as it was followed; the sandbox's own chain."""

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
    false,
)

from dtmf_server.storage.schema.base import Id, metadata, partial_index

addresses = Table(
    "addresses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("descriptor_index", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("script_pubkey", LargeBinary, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("used", Boolean, nullable=False),  # it has received something
    Column("network", LargeBinary),  # a keyed hash of the network that requested it, until it has a confirmed payment
    UniqueConstraint("descriptor_index"),
    UniqueConstraint("address"),
    UniqueConstraint("script_pubkey"),
    Index("ix_addresses_account_id_id", "account_id", "id"),
    partial_index("ix_addresses_unused", "account_id", where="NOT used"),
    partial_index("ix_addresses_network", "network", where="network IS NOT NULL"),
)

deposits = Table(
    "deposits",
    metadata,
    Column("id", Id, primary_key=True),
    Column("txid", Text, nullable=False),
    Column("vout", Integer, nullable=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("address_id", Id, ForeignKey("addresses.id"), nullable=False),
    Column("amount", BigInteger, CheckConstraint("amount > 0", name="amount"), nullable=False),
    Column("seen_at_us", BigInteger, nullable=False),
    Column("height", BigInteger),  # of the best chain's block that contains it; null in the mempool or gone
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('pending', 'credited', 'reversed', 'gone')", name="status"),
        nullable=False,
    ),
    Column("alternations", Integer, nullable=False),  # how often it has been credited or reversed
    Column("coinbase", Boolean, nullable=False, server_default=false()),  # newly mined: cannot be spent for 100 blocks
    CheckConstraint("(status = 'credited') = ((alternations & 1) = 1)", name="alternate"),
    UniqueConstraint("txid", "vout"),
    Index("ix_deposits_account_id_id", "account_id", "id"),
    # Those that a step of the chain may change; `unsettled` in storage/deposits.py uses the same condition.
    partial_index(
        "ix_deposits_unsettled", "id", where="status = 'pending' OR (status = 'credited') = (height IS NULL)"
    ),
    Index("ix_deposits_height", "height"),
)

chain_blocks = Table(
    "chain_blocks",
    metadata,
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
)

chain_state = Table(
    "chain_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("network", Text, nullable=False),  # 'simulated', or one of Bitcoin's
    Column("descriptor", Text, nullable=False),  # new addresses are derived from it
    Column("polled_at_us", BigInteger),  # wall time of the last poll of the node
    Column("node_height", BigInteger),  # of its tip then
    Column("last_error", Text),  # why the chain cannot be followed
    Column("rescan_height", BigInteger),  # the next block to read again
    CheckConstraint("id = 1", name="one"),
)

# Blocks that were never read because the node had pruned them. Payments in them that were spent since are not known.
skipped_blocks = Table(
    "skipped_blocks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("from_height", BigInteger, nullable=False),
    Column("to_height", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("found", BigInteger, nullable=False),  # deposits found in them
    Column("found_sats", BigInteger, nullable=False),
    CheckConstraint("to_height >= from_height", name="range"),
)

simulated_blocks = Table(
    "simulated_blocks",
    metadata,
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
)

simulated_outputs = Table(
    "simulated_outputs",
    metadata,
    Column("txid", Text, primary_key=True),
    Column("script_pubkey", LargeBinary, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("height", BigInteger),  # null in the mempool
    Index("ix_simulated_outputs_height", "height"),
)
