"""Messages, their deliveries, and the events of an account."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from dtmf_server.storage.schema.base import Id, metadata, partial_index

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
        CheckConstraint(
            "status IN ('received', 'queued', 'sent', 'delivered', 'failed', 'in_doubt', 'unknown')", name="status"
        ),
        nullable=False,
    ),
    Column("cost", BigInteger, CheckConstraint("cost >= 0", name="cost"), nullable=False),
    Column("segments", SmallInteger, nullable=False),
    Column("forward_of", Id, ForeignKey("messages.id")),
    Column("reason", Text),  # why it failed, or why it is in doubt
    CheckConstraint("inbound = (status = 'received')", name="direction"),
    Index("ix_messages_account_id_id", "account_id", "id"),
    Index("ix_messages_rental_id_id", "rental_id", "id"),
    partial_index("ix_messages_sent", "account_id", "at_us", where="NOT inbound"),
    partial_index("ix_messages_forwarded", "recipient", "sender", "at_us", where="forward_of IS NOT NULL"),
    partial_index("ix_messages_in_doubt", "sender", "id", where="status = 'in_doubt'"),
    partial_index("uq_messages_forward_of", "forward_of", where="forward_of IS NOT NULL", unique=True),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("rental_id", Id, ForeignKey("rentals.id")),  # null for an event, which goes to the account's own webhook
    Column("message_id", Id, ForeignKey("messages.id")),  # null for a test and an event, which deliver no message
    Column("event_id", Id, ForeignKey("events.id")),
    Column(
        "kind",
        Text,
        CheckConstraint("kind IN ('webhook', 'forward', 'send', 'test', 'event')", name="kind"),
        nullable=False,
    ),
    Column("destination", Text, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('waiting', 'delivered', 'parked', 'in_doubt', 'unknown')", name="state"),
        nullable=False,
    ),
    Column("created_at_us", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    # Attempts that the retry schedule does not count: those before a replay, and early ones made as probes.
    Column("attempts_before", Integer, nullable=False, server_default="0"),
    Column("first_attempt_us", BigInteger),
    Column("due_at_us", BigInteger, nullable=False),
    Column("leased_until_us", BigInteger),  # wall time: a lease is real, whatever the sandbox's clock says
    Column("finished_at_us", BigInteger),
    Column("last_status", Integer),
    Column("reason", Text),
    # When the current attempt became one that a carrier may have accepted; null once its result is written.
    Column("submitted_at_us", BigInteger),
    Column("submitted_to", Text),  # the carrier of the last submit
    # Why it is parked rather than retried if the carrier does not accept it in the current attempt or after a doubt.
    Column("stop_reason", Text),
    CheckConstraint("(state IN ('waiting', 'in_doubt')) = (finished_at_us IS NULL)", name="finished"),
    CheckConstraint("submitted_at_us IS NULL OR (state = 'waiting' AND kind IN ('send', 'forward'))", name="submitted"),
    CheckConstraint("state NOT IN ('in_doubt', 'unknown') OR kind IN ('send', 'forward')", name="doubt"),
    CheckConstraint("state = 'waiting' OR leased_until_us IS NULL", name="lease"),
    CheckConstraint("(kind IN ('test', 'event')) = (message_id IS NULL)", name="message"),
    CheckConstraint("(kind = 'event') = (rental_id IS NULL)", name="rental"),
    CheckConstraint("(kind = 'event') = (event_id IS NOT NULL)", name="event"),
    UniqueConstraint("message_id", "kind"),
    UniqueConstraint("event_id"),
    # `due_at_us >= 0` restricts this index to queries by time. If nothing was waiting at its last ANALYZE, PostgreSQL
    # assumes that still holds and would read everything due for queries about a lane or an account.
    partial_index("ix_deliveries_due", "due_at_us", "id", where="state = 'waiting' AND due_at_us >= 0"),
    partial_index("ix_deliveries_events", "account_id", "id", where="kind = 'event' AND state = 'waiting'"),
    partial_index("ix_deliveries_line", "rental_id", "kind", "id", where="state = 'waiting'"),
    partial_index("ix_deliveries_retrying", "destination", "due_at_us", where="state = 'waiting' AND attempts > 0"),
    partial_index("ix_deliveries_submitted", "leased_until_us", where="submitted_at_us IS NOT NULL"),
    partial_index("ix_deliveries_in_doubt", "due_at_us", where="state = 'in_doubt'"),
    Index("ix_deliveries_account_id_id", "account_id", "id"),
    partial_index("ix_deliveries_parked", "account_id", "id", where="state = 'parked'"),
    sqlite_autoincrement=True,
)

# The delivery log: one row per attempt. `reply` is the receiver's, and erased with the rental's texts.
attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", Id, ForeignKey("deliveries.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("status", Integer),
    Column("reason", Text, nullable=False),
    Column("reply", Text),
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
    partial_index("ix_events_credited", "account_id", "id", where="kind = 'deposit.credited'"),
    sqlite_autoincrement=True,
)
