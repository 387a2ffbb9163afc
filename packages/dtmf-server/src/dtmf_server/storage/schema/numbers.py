"""The catalog: groups, numbers and prices; and rentals."""

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
    false,
    text,
)

from dtmf_server.storage.schema.base import Id, metadata, partial_index

# Written exactly as in the statements that these indexes serve (storage/rentals.py, storage/numbers.py).
PHASE_US = "started_at_us % 60000000"
BOOKED_UNTIL_US = "started_at_us + booked_minutes * 60000000"
FREE = "NOT rented AND retired_at_us IS NULL AND reserved_until_us IS NULL"
RESERVED = "NOT rented AND retired_at_us IS NULL AND reserved_until_us IS NOT NULL"
PAYING = "ended_at_us IS NULL AND cost_per_minute > 0"

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
    # Names of carriers that send for its numbers, in order of preference, separated by spaces; empty: any carrier.
    Column("carriers", Text, nullable=False, server_default=""),
    # At most this many satoshis per 30 days of one rental's minutes (core/monthly_cap.py).
    Column("monthly_cap", BigInteger, CheckConstraint("monthly_cap >= rental_cost_per_minute", name="monthly_cap")),
    # After a run-out only the last renter can rent the number for this many days.
    Column(
        "reclaim_days",
        Integer,
        CheckConstraint("reclaim_days >= 0", name="reclaim_days"),
        nullable=False,
        server_default="0",
    ),
    Column("line_type", Text, CheckConstraint("line_type IN ('mobile', 'landline', 'voip')", name="line_type")),
    # A rental that ends within so many minutes and received nothing gets this share of its minutes back.
    Column(
        "refund_within_minutes",
        Integer,
        CheckConstraint("refund_within_minutes BETWEEN 1 AND 1440", name="refund_within"),
    ),
    Column(
        "refund_percent",
        Integer,
        CheckConstraint(
            "refund_percent BETWEEN 1 AND 90 AND (refund_percent IS NULL) = (refund_within_minutes IS NULL)",
            name="refund",
        ),
    ),
    # A pegged group: its prices in millionths of the currency's unit, the price of one bitcoin that the satoshis above are
    # computed from, and when it was last confirmed. Null: the prices are satoshis.
    Column("currency", Text),
    Column("setup_micros", BigInteger, CheckConstraint("setup_micros >= 0", name="setup_micros")),
    Column("minute_micros", BigInteger, CheckConstraint("minute_micros > 0", name="minute_micros")),
    Column(
        "sms_micros",
        BigInteger,
        CheckConstraint("sms_micros >= 0 AND (sms_micros IS NULL OR currency IS NOT NULL)", name="sms_micros"),
    ),
    Column(
        "cap_micros",
        BigInteger,
        CheckConstraint(
            "cap_micros >= minute_micros AND (cap_micros IS NULL OR currency IS NOT NULL)", name="cap_micros"
        ),
    ),
    Column("rate", Text),
    Column(
        "rate_at_wall_us",
        BigInteger,
        CheckConstraint(
            "(currency IS NULL) = (setup_micros IS NULL) AND (currency IS NULL) = (minute_micros IS NULL)"
            " AND (currency IS NULL) = (rate IS NULL) AND (currency IS NULL) = (rate_at_wall_us IS NULL)",
            name="pegged",
        ),
    ),
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
    Column("released_at_us", BigInteger, nullable=False),
    Column("last_account_id", Id, ForeignKey("accounts.id")),
    Column("held_until_us", BigInteger),  # while the operator tests it, it cannot be rented
    Column("reserved_until_us", BigInteger),  # until then only the last renter can rent it; null: never reserved
    Column("retired_at_us", BigInteger),  # no longer in stock
    partial_index("ix_numbers_free", "group_id", "released_at_us", "e164", where=FREE),
    partial_index("ix_numbers_reserved", "group_id", "reserved_until_us", "e164", where=RESERVED),
    partial_index("ix_numbers_returning", "last_account_id", "group_id", where="NOT rented"),
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
    Column("monthly_cap", BigInteger),
    # The renter's limits (core/limits.py). `message_sats`: what its messages have cost, counted if there is a `max_sats`.
    # `limit_at_us`: when a limit ends it, computed as if no more messages came; that minute is not paid.
    Column("max_minutes", BigInteger, CheckConstraint("max_minutes >= booked_minutes", name="max_minutes")),
    Column("message_sats", BigInteger, CheckConstraint("message_sats >= 0", name="message_sats")),
    Column(
        "max_sats",
        BigInteger,
        CheckConstraint(
            "(max_sats IS NULL) = (message_sats IS NULL) AND max_sats >= setup_cost + message_sats"
            " + CASE WHEN monthly_cap IS NULL THEN priced_sats + (booked_minutes - priced_minutes) * cost_per_minute"
            " ELSE 0 END",
            name="max_sats",
        ),
    ),
    Column(
        "limit_at_us",
        BigInteger,
        CheckConstraint(
            "limit_at_us > started_at_us AND ended_at_us <= limit_at_us"
            " AND (limit_at_us IS NULL OR max_minutes IS NOT NULL OR max_sats IS NOT NULL)",
            name="limit_at",
        ),
    ),
    Column("label", Text, CheckConstraint("length(label) BETWEEN 1 AND 100", name="label")),
    # The group's terms of refunds when it started, and whether they include the set-up. `network`: a keyed hash of the
    # renter's network, until the refund is decided.
    Column("refund_within_minutes", Integer),
    Column(
        "refund_percent",
        Integer,
        CheckConstraint(
            "refund_percent BETWEEN 1 AND 90 AND (refund_percent IS NULL) = (refund_within_minutes IS NULL)",
            name="refund",
        ),
    ),
    Column("refunds_setup", Boolean, nullable=False, server_default=false()),
    Column("network", LargeBinary, CheckConstraint("network IS NULL OR refund_percent IS NOT NULL", name="network")),
    # The restricted tokens that started it and that set its action.
    Column("token_id", Id, ForeignKey("tokens.id")),
    Column("action_token_id", Id, ForeignKey("tokens.id")),
    # If that token has a limit in satoshis: what determined the rental's `max_sats`, and that value, which counts there.
    Column("reserves", Text, CheckConstraint("reserves IN ('max_sats', 'max_minutes', 'rest')", name="reserves")),
    Column(
        "reserved_sats",
        BigInteger,
        CheckConstraint(
            "reserved_sats > 0 AND reserved_sats = max_sats AND (reserved_sats IS NULL"
            " OR token_id IS NOT NULL) AND (reserved_sats IS NULL) = (reserves IS NULL)",
            name="reserved",
        ),
    ),
    # A rental in a pegged group: for how many days each of its prices applies, and until when the current one does. Null:
    # its price never changes.
    Column("price_days", Integer, CheckConstraint("price_days >= 1", name="price_days")),
    Column(
        "price_until_us",
        BigInteger,
        CheckConstraint("price_until_us IS NULL OR price_days IS NOT NULL", name="price_until"),
    ),
    # Its minutes before the last change of its price, and what they cost (rental_prices has every change).
    Column(
        "priced_minutes",
        BigInteger,
        CheckConstraint("priced_minutes BETWEEN 0 AND booked_minutes", name="priced_minutes"),
        nullable=False,
        server_default="0",
    ),
    Column(
        "priced_sats",
        BigInteger,
        CheckConstraint("priced_sats >= 0 AND (priced_minutes > 0 OR priced_sats = 0)", name="priced_sats"),
        nullable=False,
        server_default="0",
    ),
    # Its next price, once it is announced.
    Column("change_at_us", BigInteger),
    Column("next_cost_per_inbound_message", BigInteger),
    Column("next_monthly_cap", BigInteger),
    Column(
        "next_cost_per_minute",
        BigInteger,
        CheckConstraint(
            "next_cost_per_minute > 0 AND (next_cost_per_minute IS NULL) = (change_at_us IS NULL)"
            " AND (change_at_us IS NULL OR price_days IS NOT NULL)",
            name="next_price",
        ),
    ),
    CheckConstraint("(action IS NULL) = (destination IS NULL)", name="destination"),
    CheckConstraint("(ended_at_us IS NULL) = (end_reason IS NULL)", name="end"),
    CheckConstraint("ended_at_us >= started_at_us", name="order"),
    CheckConstraint("erased_at_us IS NULL OR ended_at_us IS NOT NULL", name="erased"),
    CheckConstraint("booked_minutes >= 1", name="first_minute"),
    partial_index("uq_rentals_live_e164", "e164", where="ended_at_us IS NULL", unique=True),
    partial_index("ix_rentals_live_account", "account_id", "id", where="ended_at_us IS NULL"),
    partial_index("ix_rentals_hooked", "account_id", "id", where="ended_at_us IS NULL AND action = 'webhook'"),
    partial_index("ix_rentals_capped", "account_id", "id", where="ended_at_us IS NULL AND monthly_cap IS NOT NULL"),
    partial_index("ix_rentals_unerased", "ended_at_us", where="ended_at_us IS NOT NULL AND erased_at_us IS NULL"),
    partial_index("ix_rentals_ended_at_us", "ended_at_us", where="ended_at_us IS NOT NULL"),
    partial_index(
        "ix_rentals_limit", "account_id", "limit_at_us", "id", where="ended_at_us IS NULL AND limit_at_us IS NOT NULL"
    ),
    partial_index(
        "ix_rentals_change",
        "account_id",
        "change_at_us",
        "id",
        where="ended_at_us IS NULL AND change_at_us IS NOT NULL",
    ),
    partial_index(
        "ix_rentals_price_until",
        "price_until_us",
        where="ended_at_us IS NULL AND change_at_us IS NULL AND price_until_us IS NOT NULL",
    ),
    partial_index("ix_rentals_undecided", "ended_at_us", where="network IS NOT NULL AND ended_at_us IS NOT NULL"),
    # Live rentals that have a cost, in the order in which their minutes start.
    Index(
        "ix_rentals_phase",
        "account_id",
        text(f"({PHASE_US})"),
        "started_at_us",
        "id",
        sqlite_where=text(PAYING),
        postgresql_where=text(PAYING),
    ),
    # Live rentals that have a cost, by the instant through which their minutes are booked.
    Index("ix_rentals_booked", text(f"({BOOKED_UNTIL_US})"), sqlite_where=text(PAYING), postgresql_where=text(PAYING)),
    partial_index(
        "ix_rentals_kept",
        *("account_id", "ended_at_us", "id"),
        where="ended_at_us IS NOT NULL AND erased_at_us IS NULL",
    ),
    partial_index("ix_rentals_token", "token_id", "id", where="ended_at_us IS NULL AND token_id IS NOT NULL"),
    partial_index(
        "ix_rentals_action_token", "action_token_id", "id", where="ended_at_us IS NULL AND action_token_id IS NOT NULL"
    ),
    Index("ix_rentals_account_id_e164", "account_id", "e164"),
    Index("ix_rentals_e164_started_at_us", "e164", "started_at_us"),
    Index("ix_rentals_account_id_id", "account_id", "id"),
)

# Every price of a rental in a pegged group: the minutes from `from_minute` on, which starts at `since_us`. Those before it
# cost `from_sats` in all. `rate`: the price of one bitcoin in the currency that the prices were computed from. The last
# row may be announced only. Append-only.
rental_prices = Table(
    "rental_prices",
    metadata,
    Column("rental_id", Id, ForeignKey("rentals.id"), primary_key=True, autoincrement=False),
    Column("from_minute", BigInteger, CheckConstraint("from_minute >= 0", name="from_minute"), primary_key=True),
    Column("since_us", BigInteger, nullable=False),
    Column("cost_per_minute", BigInteger, CheckConstraint("cost_per_minute > 0", name="minute"), nullable=False),
    Column("cost_per_inbound_message", BigInteger),
    Column("monthly_cap", BigInteger),
    Column("from_sats", BigInteger, CheckConstraint("from_sats >= 0", name="from_sats"), nullable=False),
    Column("currency", Text, nullable=False),
    Column("rate", Text, nullable=False),
)

destinations = Table(
    "destinations",
    metadata,
    Column("prefix", Text, primary_key=True),  # digits after the +; the empty prefix matches everything
    Column("cost_per_segment", BigInteger, CheckConstraint("cost_per_segment >= 0", name="cost"), nullable=False),
)

# Rentals by the day of their start (days since 1970), and by the whole seconds from the start to the first SMS from a
# sender that is not one of our numbers; -1: none came within a day. Seconds from 100 on are rounded to two digits.
rental_outcomes = Table(
    "rental_outcomes",
    metadata,
    Column("group_id", Text, ForeignKey("groups.id"), primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("first_sms_s", Integer, primary_key=True),
    Column("rentals", BigInteger, nullable=False),
)

# Refunds of rentals that received nothing. `paid_sats`: the price of the minutes. The account gets no other refund in
# this group until it has received an SMS there with an ID above `after_message_id`.
rental_refunds = Table(
    "rental_refunds",
    metadata,
    Column("rental_id", Id, ForeignKey("rentals.id"), primary_key=True, autoincrement=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("group_id", Text, ForeignKey("groups.id"), nullable=False),
    Column("day", Integer, nullable=False),
    Column("paid_sats", BigInteger, nullable=False),
    Column(
        "minutes_sats",
        BigInteger,
        CheckConstraint("minutes_sats >= 0 AND minutes_sats * 10 <= paid_sats * 9", name="minutes"),
        nullable=False,
    ),
    Column("setup_sats", BigInteger, CheckConstraint("setup_sats >= 0", name="setup"), nullable=False),
    Column("after_message_id", BigInteger, nullable=False),
    CheckConstraint("minutes_sats + setup_sats > 0", name="amount"),
    Index("ix_rental_refunds_account_id_group_id_rental_id", "account_id", "group_id", "rental_id"),
)

# Refunds per group, and per network (a keyed hash), on each day since 1970.
refund_totals = Table(
    "refund_totals",
    metadata,
    Column("scope", Text, CheckConstraint("scope IN ('group', 'network')", name="scope"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("sats", BigInteger, CheckConstraint("sats >= 0", name="sats"), nullable=False),
)
