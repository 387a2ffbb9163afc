"""The tables. Wrong states are made impossible here first, and checked in code second.

Times are `…_us`: microseconds since 1970 UTC. Amounts are satoshis. Every constraint has a name, so that a
migration can find it on both engines. Append-only tables get triggers (`dialect.py`), made by the migrations.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives a rowid alias only to a column of type INTEGER; it holds 64 bits there all the same.
Id = BigInteger().with_variant(Integer, "sqlite")


def _where(index_name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """A partial index, on both engines."""
    condition = text(where)
    return Index(index_name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


service = Table(
    "service",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("mode", Text, CheckConstraint("mode IN ('sandbox', 'production')", name="mode"), nullable=False),
    Column("clock_offset_us", BigInteger, nullable=False, server_default="0"),
    Column("created_at_us", BigInteger, nullable=False),
    Column("stray_messages", BigInteger, nullable=False, server_default="0"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, CheckConstraint("kind IN ('customer', 'system')", name="kind"), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("settled_at_us", BigInteger, nullable=False),
    Column("balance", BigInteger, CheckConstraint("balance >= 0", name="balance"), nullable=False),
    Column("debt", BigInteger, CheckConstraint("debt >= 0", name="debt"), nullable=False),
    Column("depletes_at_us", BigInteger),
    # How many of the low-balance warnings of this runway were given: 0, 1 (24 h), 2 (1 h).
    Column("low_balance_warnings", SmallInteger, nullable=False, server_default="0"),
    CheckConstraint("kind = 'customer' OR balance = 0", name="system_balance"),
    _where("ix_accounts_depletes", "depletes_at_us", where="depletes_at_us IS NOT NULL"),
    _where("ix_accounts_settled", "settled_at_us", where="depletes_at_us IS NOT NULL"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("revoked_at_us", BigInteger),
    UniqueConstraint("sha256"),
    Index("ix_tokens_account_id", "account_id"),
)

transfers = Table(
    "transfers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("debit", Id, ForeignKey("accounts.id"), nullable=False),
    Column("credit", Id, ForeignKey("accounts.id"), nullable=False),
    Column("amount", BigInteger, CheckConstraint("amount > 0", name="amount"), nullable=False),
    # The customer the transfer concerns, the balance it left, and what to show as its reason.
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("balance", BigInteger, CheckConstraint("balance >= 0", name="balance"), nullable=False),
    Column("reference", Text, nullable=False),
    CheckConstraint("debit <> credit", name="two_accounts"),
    UniqueConstraint("kind", "ref"),
    Index("ix_transfers_account_id_id", "account_id", "id"),
)

groups = Table(
    "groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("type", Text, CheckConstraint("type IN ('mobile', 'local')", name="type"), nullable=False),
    Column("name", Text, nullable=False),
    Column("country_code", Text, nullable=False),
    Column("sms_support", Boolean, nullable=False),
    Column("voice_support", Boolean, nullable=False),
    Column("setup_cost", BigInteger, CheckConstraint("setup_cost >= 0", name="setup_cost"), nullable=False),
    Column(
        "rental_cost_per_minute",
        BigInteger,
        CheckConstraint("rental_cost_per_minute >= 0", name="rental_cost"),
        nullable=False,
    ),
    Column("cost_per_inbound_message", BigInteger),
    Column("cost_per_inbound_call_minute", BigInteger),
    CheckConstraint("sms_support = (cost_per_inbound_message IS NOT NULL)", name="sms_price"),
    CheckConstraint("voice_support = (cost_per_inbound_call_minute IS NOT NULL)", name="call_price"),
    CheckConstraint("cost_per_inbound_message >= 0", name="sms_cost"),
    CheckConstraint("cost_per_inbound_call_minute >= 0", name="call_cost"),
)

numbers = Table(
    "numbers",
    metadata,
    Column("e164", Text, primary_key=True),
    Column("group_id", Text, ForeignKey("groups.id"), nullable=False),
    Column("rented", Boolean, nullable=False),
    Column("rests_until_us", BigInteger, nullable=False),
    Column("last_account_id", Id, ForeignKey("accounts.id")),
    _where("ix_numbers_free", "group_id", "rests_until_us", "e164", where="NOT rented"),
    _where("ix_numbers_returning", "last_account_id", "group_id", where="NOT rented"),
)

rentals = Table(
    "rentals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("e164", Text, ForeignKey("numbers.e164"), nullable=False),
    Column("group_id", Text, ForeignKey("groups.id"), nullable=False),
    Column("sms", Boolean, nullable=False),
    Column("setup_cost", BigInteger, nullable=False),
    Column("cost_per_minute", BigInteger, nullable=False),
    Column("cost_per_inbound_message", BigInteger),
    Column("started_at_us", BigInteger, nullable=False),
    Column("booked_minutes", BigInteger, nullable=False),
    Column("ended_at_us", BigInteger),
    Column("end_reason", Text),
    Column("erased_at_us", BigInteger),
    Column("action", Text, CheckConstraint("action IN ('forward', 'webhook')", name="action")),
    Column("destination", Text),
    CheckConstraint("(action IS NULL) = (destination IS NULL)", name="destination"),
    CheckConstraint("(ended_at_us IS NULL) = (end_reason IS NULL)", name="end"),
    CheckConstraint("ended_at_us >= started_at_us", name="order"),
    CheckConstraint("erased_at_us IS NULL OR ended_at_us IS NOT NULL", name="erased"),
    CheckConstraint("booked_minutes >= 1", name="first_minute"),
    _where("uq_rentals_live_e164", "e164", where="ended_at_us IS NULL", unique=True),
    _where("ix_rentals_live_account", "account_id", where="ended_at_us IS NULL"),
    _where("ix_rentals_unerased", "ended_at_us", where="ended_at_us IS NOT NULL AND erased_at_us IS NULL"),
    Index("ix_rentals_account_id_e164", "account_id", "e164"),
)

# Each rental's bookings are a chain from minute 0: a booking starts where an earlier one of that rental ends.
minute_bookings = Table(
    "minute_bookings",
    metadata,
    Column("rental_id", Id, ForeignKey("rentals.id"), primary_key=True),
    Column("from_minute", BigInteger, primary_key=True),
    Column("to_minute", BigInteger, nullable=False),
    Column("after_minute", BigInteger),
    Column("transfer_id", Id, ForeignKey("transfers.id"), nullable=False),
    CheckConstraint("to_minute > from_minute", name="forward"),
    CheckConstraint("(from_minute = 0) = (after_minute IS NULL)", name="first"),
    CheckConstraint("after_minute = from_minute", name="chain"),
    UniqueConstraint("rental_id", "to_minute"),
    ForeignKeyConstraint(["rental_id", "after_minute"], ["minute_bookings.rental_id", "minute_bookings.to_minute"]),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("rental_id", Id, ForeignKey("rentals.id"), nullable=False),
    Column("inbound", Boolean, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("content", Text),  # null once erased
    Column("at_us", BigInteger, nullable=False),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('received', 'queued', 'sent', 'delivered', 'failed')", name="status"),
        nullable=False,
    ),
    Column("cost", BigInteger, CheckConstraint("cost >= 0", name="cost"), nullable=False),
    Column("segments", SmallInteger, nullable=False),
    Column("forward_of", Id, ForeignKey("messages.id")),
    Column("reason", Text),  # in words, once failed
    CheckConstraint("inbound = (status = 'received')", name="direction"),
    Index("ix_messages_account_id_id", "account_id", "id"),
    Index("ix_messages_rental_id_id", "rental_id", "id"),
    _where("ix_messages_sent", "account_id", "at_us", where="NOT inbound"),
    _where("uq_messages_forward_of", "forward_of", where="forward_of IS NOT NULL", unique=True),
)

# The outbox: what a worker still has to hand to a webhook or a carrier, and what became of it.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("rental_id", Id, ForeignKey("rentals.id"), nullable=False),
    Column("message_id", Id, ForeignKey("messages.id"), nullable=False),
    Column("kind", Text, CheckConstraint("kind IN ('webhook', 'forward', 'send')", name="kind"), nullable=False),
    Column("destination", Text, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('waiting', 'delivered', 'parked')", name="state"),
        nullable=False,
    ),
    Column("created_at_us", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("first_attempt_us", BigInteger),
    Column("due_at_us", BigInteger, nullable=False),
    Column("leased_until_us", BigInteger),  # wall time: a lease is real, whatever the sandbox's clock says
    Column("finished_at_us", BigInteger),
    Column("last_status", Integer),
    Column("reason", Text),
    CheckConstraint("(state = 'waiting') = (finished_at_us IS NULL)", name="finished"),
    CheckConstraint("state = 'waiting' OR leased_until_us IS NULL", name="lease"),
    UniqueConstraint("message_id", "kind"),
    _where("ix_deliveries_due", "due_at_us", "id", where="state = 'waiting'"),
    _where("ix_deliveries_line", "rental_id", "kind", "id", where="state = 'waiting'"),
    _where("ix_deliveries_destination", "destination", "id", where="state = 'waiting'"),
    Index("ix_deliveries_account_id_id", "account_id", "id"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message_id", Id, ForeignKey("messages.id")),
    Column("data", Text, nullable=False, server_default="{}"),  # JSON; never a message's text
    Index("ix_events_account_id_id", "account_id", "id"),
    sqlite_autoincrement=True,
)

addresses = Table(
    "addresses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("descriptor_index", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("script_pubkey", LargeBinary, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("used", Boolean, nullable=False),
    UniqueConstraint("descriptor_index"),
    UniqueConstraint("address"),
    UniqueConstraint("script_pubkey"),
    Index("ix_addresses_account_id_id", "account_id", "id"),
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
    Column("height", BigInteger),  # of the best chain's block that has it, null in the mempool or gone
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('pending', 'credited', 'reversed', 'gone')", name="status"),
        nullable=False,
    ),
    Column("alternations", Integer, nullable=False),  # how often it was credited or reversed so far
    CheckConstraint("(status = 'credited') = ((alternations & 1) = 1)", name="alternate"),
    UniqueConstraint("txid", "vout"),
    Index("ix_deposits_account_id_id", "account_id", "id"),
    _where("ix_deposits_open", "status", where="status <> 'credited'"),
    Index("ix_deposits_height", "height"),
)

# The best chain as far as it was followed; only the last blocks are kept.
chain_blocks = Table(
    "chain_blocks",
    metadata,
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
)

# The sandbox's own chain: what a Bitcoin node would hold.
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

destinations = Table(
    "destinations",
    metadata,
    Column("prefix", Text, primary_key=True),  # digits after the +; the empty one matches everything
    Column("cost_per_segment", BigInteger, CheckConstraint("cost_per_segment >= 0", name="cost"), nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("created_wall_us", BigInteger, nullable=False),
    Column("status", Integer),  # null only inside the transaction that carries the request out
    Column("body", LargeBinary),
    Column("secret", Boolean, nullable=False),  # the answer showed a token: it was not kept
    Index("ix_idempotency_created_wall_us", "created_wall_us"),
)
