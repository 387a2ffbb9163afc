"""Numbers bought on demand: the supply of each group, the numbers, their costs, and differences with the providers.

Prices are in millionths of the currency, as integers.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from dtmf_server.storage.schema.base import Id, metadata, partial_index

LIVE = "state <> 'gone'"

supplies = Table(
    "supplies",
    metadata,
    Column("group_id", Text, ForeignKey("groups.id"), primary_key=True),  # a group has one supply at most
    Column("carrier", Text, nullable=False),
    Column("stock_min", Integer, CheckConstraint("stock_min >= 0", name="stock_min"), nullable=False),
    Column(
        "stock_max",
        Integer,
        CheckConstraint("stock_max >= 1 AND stock_max >= stock_min", name="stock_max"),
        nullable=False,
    ),
    Column("setup_price_max", BigInteger, CheckConstraint("setup_price_max >= 0", name="setup_price"), nullable=False),
    Column("month_price_max", BigInteger, CheckConstraint("month_price_max >= 0", name="month_price"), nullable=False),
    Column("currency", Text, nullable=False),
    Column("trouble", Text, nullable=False, server_default=""),  # why nothing is bought at present
    Column("retry_at_us", BigInteger, nullable=False, server_default="0"),  # when to try again after a trouble
)

supply_numbers = Table(
    "supply_numbers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("group_id", Text, ForeignKey("groups.id"), nullable=False),
    Column("carrier", Text, nullable=False),
    # While a number is owned, 'free' also stands for rented and in cooldown: `numbers` has that (core/number_supply.py).
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('wanted', 'reserved', 'bought', 'free', 'releasing', 'gone')", name="state"),
        nullable=False,
    ),
    Column("account_id", Id, ForeignKey("accounts.id")),  # whose rental made it necessary; null: the operator's stock
    Column("wanted_at_us", BigInteger, nullable=False),
    Column("e164", Text),
    Column("refused_e164", Text),  # the last number that the provider refused to sell
    Column("setup_price", BigInteger, CheckConstraint("setup_price >= 0", name="setup_price")),
    Column("month_price", BigInteger, CheckConstraint("month_price >= 0", name="month_price")),
    Column("currency", Text),
    Column("reserved_at_us", BigInteger),  # when its price was counted as spent
    Column("is_trusted", Boolean),  # counted as spent for an account with earlier SMS, or for the operator's stock
    Column("ordered_at_us", BigInteger),  # when it was last ordered
    Column("bought_at_us", BigInteger),
    Column("renews_at_us", BigInteger),  # when the provider charges the next month
    Column("gone_at_us", BigInteger),
    CheckConstraint("state IN ('wanted', 'gone') OR reserved_at_us IS NOT NULL", name="reserved"),
    CheckConstraint("state <> 'wanted' OR reserved_at_us IS NULL", name="wanted"),
    CheckConstraint("(e164 IS NULL) = (reserved_at_us IS NULL)", name="e164"),
    CheckConstraint("(bought_at_us IS NULL) = (renews_at_us IS NULL)", name="renewal"),
    CheckConstraint("state NOT IN ('bought', 'free', 'releasing') OR bought_at_us IS NOT NULL", name="bought"),
    CheckConstraint("(state = 'gone') = (gone_at_us IS NOT NULL)", name="gone"),
    partial_index("uq_supply_numbers_e164", "e164", where=f"{LIVE} AND e164 IS NOT NULL", unique=True),
    partial_index("ix_supply_numbers_live", "group_id", "state", where=LIVE),
    partial_index("ix_supply_numbers_reserved", "reserved_at_us", where="reserved_at_us IS NOT NULL"),
    partial_index("ix_supply_numbers_account", "account_id", where="state = 'wanted' AND account_id IS NOT NULL"),
)

# The provider's charges for a number. `nth`: the month, from 0. `sats`: at the rate of `supply.sats_per_unit`, if set.
supply_costs = Table(
    "supply_costs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("supply_number_id", Id, ForeignKey("supply_numbers.id"), nullable=False),
    Column("kind", Text, CheckConstraint("kind IN ('setup', 'month')", name="kind"), nullable=False),
    Column("nth", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("amount", BigInteger, CheckConstraint("amount >= 0", name="amount"), nullable=False),
    Column("currency", Text, nullable=False),
    Column("sats", BigInteger),
    UniqueConstraint("supply_number_id", "kind", "nth"),
    Index("ix_supply_costs_at_us", "at_us"),
)

# Numbers that only one side knows, as of the last comparison with the provider.
supply_differences = Table(
    "supply_differences",
    metadata,
    Column("carrier", Text, primary_key=True),
    Column("e164", Text, primary_key=True),
    Column("only_ours", Boolean, nullable=False),
    Column("found_at_us", BigInteger, nullable=False),
)
