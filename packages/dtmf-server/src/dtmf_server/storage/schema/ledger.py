"""Accounts, their tokens, and the ledger."""

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
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from dtmf_server.storage.schema.base import Id, metadata, partial_index

service = Table(
    "service",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("mode", Text, CheckConstraint("mode IN ('sandbox', 'production')", name="mode"), nullable=False),
    Column("clock_offset_us", BigInteger, nullable=False, server_default="0"),
    Column("created_at_us", BigInteger, nullable=False),
    Column("unrouted_messages", BigInteger, nullable=False, server_default="0"),
    # Every account's webhook secret is derived from this key, its ID and its version.
    Column("webhook_key", LargeBinary, nullable=False),
    Column("outcomes_rental_id", BigInteger, nullable=False, server_default="0"),  # the last one in rental_outcomes
    Column("supply_stopped", Boolean, nullable=False, server_default=false()),
    Column("ledger_days_id", BigInteger, nullable=False, server_default="0"),  # the last transfer in ledger_days
    Column("backed_up_wall_us", BigInteger),  # when the last backup was complete; null: never
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    # 'customer': the service owes its balance to a customer; 'system': its balance exists only in the ledger.
    Column("kind", Text, CheckConstraint("kind IN ('customer', 'system')", name="kind"), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("settled_at_us", BigInteger, nullable=False),
    Column("balance", BigInteger, CheckConstraint("balance >= 0", name="balance"), nullable=False),
    Column("debt", BigInteger, CheckConstraint("debt >= 0", name="debt"), nullable=False),
    Column("depletes_at_us", BigInteger),
    # How many of the low-balance warnings of this runway were sent: 0, 1 (24 h), 2 (1 h).
    Column("low_balance_warnings", SmallInteger, nullable=False, server_default="0"),
    Column("webhook_url", Text),  # where the account's own events are posted
    Column("webhook_version", Integer, nullable=False, server_default="1"),
    Column("webhook_rotated_wall_us", BigInteger),
    Column("closed_at_us", BigInteger),  # deleted by its renter: it cannot be used any more
    # Sums over the live rentals, so that these need not be read. `begun_cost`: the cost per minute of those whose phase
    # (how far into each clock minute their minutes start) is at most that of `settled_at_us`.
    Column("live_rentals", BigInteger, nullable=False, server_default="0"),
    Column("capped_rentals", BigInteger, nullable=False, server_default="0"),  # those in no other sum
    Column("cost_per_minute", BigInteger, nullable=False, server_default="0"),
    Column("begun_cost", BigInteger, nullable=False, server_default="0"),
    Column("limit_at_us", BigInteger),  # the first `limit_at_us` or `change_at_us` of its live rentals
    Column("webhook_token_id", Id),  # the restricted token that set `webhook_url`
    Column("suspended_at_us", BigInteger),  # its operator suspended it: it can be read and topped up, nothing else
    CheckConstraint("kind = 'customer' OR balance = 0", name="system_balance"),
    partial_index("ix_accounts_limit", "limit_at_us", where="limit_at_us IS NOT NULL"),
    partial_index("ix_accounts_depletes", "depletes_at_us", where="depletes_at_us IS NOT NULL"),
    partial_index("ix_accounts_warnings", "low_balance_warnings", "depletes_at_us", where="depletes_at_us IS NOT NULL"),
    partial_index("ix_accounts_settled", "settled_at_us", where="depletes_at_us IS NOT NULL"),
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
    # Restrictions (core/token_grant.py). Without scopes, a token may do everything and has no limits.
    Column("parent_id", Id, ForeignKey("tokens.id")),
    Column("scopes", Text, CheckConstraint("length(scopes) > 0", name="scopes")),  # separated by spaces
    Column("allowed_groups", Text),  # a JSON list of group IDs; null: all groups
    Column(
        "expires_wall_us",
        BigInteger,
        CheckConstraint("expires_wall_us IS NULL OR scopes IS NOT NULL", name="expires"),
    ),
    Column("sats_max", BigInteger, CheckConstraint("sats_max IS NULL OR scopes IS NOT NULL", name="sats_max")),
    Column(
        "sats_per_day", BigInteger, CheckConstraint("sats_per_day IS NULL OR scopes IS NOT NULL", name="sats_per_day")
    ),
    Column("rentals_max", BigInteger, CheckConstraint("rentals_max IS NULL OR scopes IS NOT NULL", name="rentals_max")),
    # Sums that count against its limits, its children's included (core/token_budget.py). `reserved_sats`: what its live
    # rentals may cost in all.
    # `spent_sats`: what those that ended cost. `day_sats`: what was reserved or spent on the UTC day `day`.
    Column(
        "reserved_sats",
        BigInteger,
        CheckConstraint("reserved_sats >= 0", name="reserved"),
        nullable=False,
        server_default="0",
    ),
    Column(
        "spent_sats",
        BigInteger,
        CheckConstraint("spent_sats >= 0 AND reserved_sats + spent_sats <= sats_max", name="spent"),
        nullable=False,
        server_default="0",
    ),
    # The part of `spent_sats` that rentals cost before they were adopted.
    Column(
        "adopted_sats",
        BigInteger,
        CheckConstraint("adopted_sats >= 0", name="adopted"),
        nullable=False,
        server_default="0",
    ),
    Column("day", BigInteger, nullable=False, server_default="0"),
    Column(
        "day_sats",
        BigInteger,
        CheckConstraint("day_sats >= reserved_sats AND day_sats <= sats_per_day", name="day_sats"),
        nullable=False,
        server_default="0",
    ),
    Column(
        "rentals_started",
        BigInteger,
        CheckConstraint("rentals_started >= 0 AND rentals_started <= rentals_max", name="rentals_started"),
        nullable=False,
        server_default="0",
    ),
    UniqueConstraint("sha256"),
    Index("ix_tokens_account_id", "account_id"),
    Index("ix_tokens_label_account_id", "label", "account_id"),
    partial_index("ix_tokens_children", "parent_id", where="parent_id IS NOT NULL"),
    partial_index(
        "ix_tokens_expires", "expires_wall_us", where="expires_wall_us IS NOT NULL AND revoked_at_us IS NULL"
    ),
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
    # The customer account, its balance after the transfer, and the reason to display.
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("balance", BigInteger, CheckConstraint("balance >= 0", name="balance"), nullable=False),
    Column("reference", Text, nullable=False),
    CheckConstraint("debit <> credit", name="two_accounts"),
    UniqueConstraint("kind", "ref"),
    Index("ix_transfers_account_id_id", "account_id", "id"),
)

# The cost per minute of an account's live rentals, summed over the seconds of the minute in which their minutes start
# (`unit_us` 1,000,000), over milliseconds (1,000) and over microseconds (1). Sums of 0 are removed.
minute_costs = Table(
    "minute_costs",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("unit_us", BigInteger, primary_key=True),
    Column("nth", BigInteger, primary_key=True),
    Column("cost", BigInteger, nullable=False),
    partial_index("ix_minute_costs_nothing", "account_id", where="cost = 0"),
)

# Accounts that are being deleted, with the progress of the portions. The row is deleted with the last one.
closings = Table(
    "closings",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("after_id", BigInteger, nullable=False),
)

# The paid minutes of a rental. `transfer_id`: the transfer that paid exactly these. Null: they are the rental's share
# of what the account paid for all its rentals.
minute_bookings = Table(
    "minute_bookings",
    metadata,
    Column("rental_id", Id, ForeignKey("rentals.id"), primary_key=True),
    Column("from_minute", BigInteger, primary_key=True),
    Column("to_minute", BigInteger, nullable=False),
    Column("after_minute", BigInteger),
    Column("transfer_id", Id, ForeignKey("transfers.id")),
    CheckConstraint("to_minute > from_minute", name="forward"),
    CheckConstraint("(from_minute = 0) = (after_minute IS NULL)", name="first"),
    CheckConstraint("after_minute = from_minute", name="chain"),
    UniqueConstraint("rental_id", "to_minute"),
    ForeignKeyConstraint(["rental_id", "after_minute"], ["minute_bookings.rental_id", "minute_bookings.to_minute"]),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("created_wall_us", BigInteger, nullable=False),
    Column("status", Integer),  # null only inside the transaction that executes the request
    Column("body", LargeBinary),
    Column("secret", Boolean, nullable=False),  # the response contained a token: its body was not stored
    Column("rental_id", Id),  # the rental whose texts the response contains: they are erased with the rental's
    Index("ix_idempotency_created_wall_us", "created_wall_us"),
    partial_index("ix_idempotency_rental_id", "rental_id", where="rental_id IS NOT NULL"),
)
