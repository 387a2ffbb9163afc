"""Carriers: input that is not a message yet, accepted submissions, and the state of links. Times are wall
time."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from dtmf_server.storage.schema.base import Id, metadata, partial_index

# One row per carrier: a transaction that stores what it delivers locks the row, so that parts of one SMS meet.
carriers = Table(
    "carriers",
    metadata,
    Column("name", Text, primary_key=True),
    # Everything that the carrier received before this wall time has been fetched (CatchesUp).
    Column("caught_up_wall_us", BigInteger),
    Column("heartbeat_wall_us", BigInteger),  # when the last heartbeat came (HasHeartbeat)
)

# Hashed IDs of SMS from carriers with durable IDs, so that a repetition is recognized whenever it arrives. IDs of SMS for
# numbers in stock never expire; others do.
carrier_message_ids = Table(
    "carrier_message_ids",
    metadata,
    Column("carrier", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("stored_wall_us", BigInteger, nullable=False),
    Column("is_stray", Boolean, nullable=False),  # for a number that is not in stock
    partial_index("ix_carrier_message_ids_stray", "stored_wall_us", where="is_stray"),
)

# Input that was stored, and whether the carrier got an acknowledgement: used to detect redeliveries. Rows live for minutes.
arrivals = Table(
    "arrivals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("carrier", Text, ForeignKey("carriers.name"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("link", BigInteger, nullable=False),
    Column("stored_wall_us", BigInteger, nullable=False),
    Column("answered_wall_us", BigInteger),
    Index("ix_arrivals_carrier_digest", "carrier", "digest"),
    sqlite_autoincrement=True,
)

# Parts of long SMS that wait for the others. Octets are stored as received: a character may be split between two parts.
parts = Table(
    "parts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("carrier", Text, ForeignKey("carriers.name"), nullable=False),
    Column("recipient", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("ref", Integer, nullable=False),
    Column("ref_bits", SmallInteger, nullable=False),
    Column("total", SmallInteger, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("octets", LargeBinary, nullable=False),
    Column("coding", Text, nullable=False),
    Column("dcs", SmallInteger, nullable=False),
    Column("udh", LargeBinary, nullable=False),
    Column("stored_wall_us", BigInteger, nullable=False),
    Column("received_wall_us", BigInteger),  # by the carrier, where it says so
    CheckConstraint("number BETWEEN 1 AND total", name="number"),
    Index("ix_parts_carrier_recipient", "carrier", "recipient"),
    Index("ix_parts_stored_wall_us", "stored_wall_us"),
    sqlite_autoincrement=True,
)

# Each segment that a carrier accepted, with the reference that receipts use; without a reference it is in doubt: the
# carrier has not confirmed the segment.
submissions = Table(
    "submissions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("carrier", Text, nullable=False),
    Column("ref", Text),
    Column("message_id", Id, ForeignKey("messages.id"), nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("taken_wall_us", BigInteger, nullable=False),
    Column("segment", SmallInteger, nullable=False),  # from 1
    Column("total", SmallInteger, nullable=False),  # the message's segments at this carrier
    UniqueConstraint("message_id", "segment"),
    Index("ix_submissions_carrier_ref", "carrier", "ref"),
    Index("ix_submissions_taken_wall_us", "taken_wall_us"),
    sqlite_autoincrement=True,
)

# Receipts that arrived before the submission was recorded.
early_receipts = Table(
    "early_receipts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("carrier", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("stored_wall_us", BigInteger, nullable=False),
    Column("recipient", Text, nullable=False, server_default=""),  # our number that sent the SMS
    Column("message_id", Id),  # our ID of the SMS, where the carrier repeats it
    # True: the carrier has the SMS and is still delivering it. Otherwise `delivered` counts.
    Column("is_intermediate", Boolean),
    Index("ix_early_receipts_carrier_ref", "carrier", "ref"),
    Index("ix_early_receipts_stored_wall_us", "stored_wall_us"),
    partial_index("ix_early_receipts_message_id", "message_id", where="message_id IS NOT NULL"),
    sqlite_autoincrement=True,
)

# SMS for numbers that no account rents, by destination; times are the billing clock's. The last 1,000 destinations are
# stored.
strays = Table(
    "strays",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_at_us", BigInteger, nullable=False),
    Column("last_at_us", BigInteger, nullable=False),
    CheckConstraint("count > 0", name="count"),
    Index("ix_strays_last_at_us", "last_at_us"),
)

# The state of each link, written by the process that runs it.
carrier_links = Table(
    "carrier_links",
    metadata,
    Column("carrier", Text, ForeignKey("carriers.name"), primary_key=True),
    Column("link", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since_wall_us", BigInteger, nullable=False),
    Column("heard_wall_us", BigInteger, nullable=False),
    Column("arrived", BigInteger, nullable=False),
    Column("submitted", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("p95_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("noted_wall_us", BigInteger, nullable=False),
)

# How long carriers took to answer submits: how many answers by hour (hours since 1970, wall time) and milliseconds, rounded
# to one digit.
carrier_answers = Table(
    "carrier_answers",
    metadata,
    Column("carrier", Text, primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("ms", BigInteger, primary_key=True, autoincrement=False),
    Column("answers", BigInteger, nullable=False),
)

# Tests of whether a one-time code arrives at a number (core/canary.py). Rows live for a week, so that a late SMS is
# recognized: it must not reach the next renter.
canary_runs = Table(
    "canary_runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("carrier", Text, nullable=False),  # whose number it is
    Column("e164", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("sent_by", Text, nullable=False),  # the carrier that sends the SMS
    Column("text", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),  # why it was not sent
    Column("asked_wall_us", BigInteger, nullable=False),
    Column("submitted_wall_us", BigInteger),
    Column("arrived_wall_us", BigInteger),
    Column("arrived_by", Text),  # the carrier through which it arrived
    Column("received", Text),  # the text that arrived
    Column("result", Text),
    CheckConstraint("state IN ('waiting', 'submitting', 'submitted', 'not_sent', 'over')", name="state"),
    Index("ix_canary_runs_e164", "e164"),
    sqlite_autoincrement=True,
)

# The last result per number, carrier and kind.
canaries = Table(
    "canaries",
    metadata,
    Column("e164", Text, primary_key=True),
    Column("carrier", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("result", Text, nullable=False),
    Column("at_wall_us", BigInteger, nullable=False),
    CheckConstraint("kind IN ('one_time_code', 'short_code')", name="kind"),
    CheckConstraint("result IN ('received', 'differs', 'redacted', 'nothing')", name="result"),
)

# The carriers whose traffic an operator watches, and their traffic, masked, until the operator's command has read it.
traces = Table(
    "traces",
    metadata,
    Column("carrier", Text, primary_key=True),
    Column("until_wall_us", BigInteger, nullable=False),
)

trace_entries = Table(
    "trace_entries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("carrier", Text, nullable=False),
    Column("at_wall_us", BigInteger, nullable=False),
    Column("direction", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_trace_entries_carrier", "carrier", "id"),
    sqlite_autoincrement=True,
)
