"""Tables that only the operator reads: the audit log, refunds, API requests, the daily sums of the ledger, the state of alerts,
and the links and sessions of the console."""

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

from dtmf_server.storage.schema.base import Id, metadata

# Append-only. Each row is written in the transaction of its action.
operator_actions = Table(
    "operator_actions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at_wall_us", BigInteger, nullable=False),
    Column("operator", Text, CheckConstraint("length(operator) BETWEEN 1 AND 100", name="operator"), nullable=False),
    Column("action", Text, nullable=False),  # the command, like 'accounts open'
    Column("object", Text, nullable=False),  # what it was applied to, as displayed
    Column("account_id", Id, ForeignKey("accounts.id")),  # the account that it concerns, if there is one
    Column("sats", BigInteger),  # what it moved
    Column("reason", Text, CheckConstraint("length(reason) <= 500", name="reason"), nullable=False),
    Index("ix_operator_actions_account_id_id", "account_id", "id"),
    Index("ix_operator_actions_at_wall_us", "at_wall_us"),
)

# Refunds of messages and rentals by operators, by the UTC day of the billing clock. `charge_id`: of the message or rental.
operator_refunds = Table(
    "operator_refunds",
    metadata,
    Column("charge", Text, CheckConstraint("charge IN ('message', 'rental')", name="charge"), primary_key=True),
    Column("charge_id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("charged_sats", BigInteger, nullable=False),
    Column("sats", BigInteger, CheckConstraint("sats > 0 AND sats <= charged_sats", name="sats"), nullable=False),
)

# API requests that write, for `retention.request_days`. Successes are written in the transaction of their effect, refusals
# in portions afterwards.
api_requests = Table(
    "api_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("token_id", BigInteger),
    Column("operation", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("code", Text, CheckConstraint("(code IS NULL) = (status < 400)", name="code")),  # why it was refused
    Column("is_repeated", Boolean, nullable=False),  # the response to an earlier request with this Idempotency-Key
    Column("at_wall_us", BigInteger, nullable=False),
    # JSON: IDs of the rows that it created, or of the rentals and deliveries that it changed, by table.
    Column(
        "changes",
        Text,
        CheckConstraint("changes = '{}' OR (code IS NULL AND NOT is_repeated)", name="changes"),
        nullable=False,
    ),
    Index("ix_api_requests_request_id", "request_id"),
    Index("ix_api_requests_account_id_id", "account_id", "id"),
)

# Transfers by UTC day (days since 1970), kind and accounts; all customers are one account, 0. They contain the transfers
# with IDs up to `ledger_days_id` of `service`.
ledger_days = Table(
    "ledger_days",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("debit", BigInteger, primary_key=True, autoincrement=False),
    Column("credit", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, CheckConstraint("amount > 0", name="amount"), nullable=False),
    Column("transfers", BigInteger, nullable=False),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    CheckConstraint("first_id <= last_id", name="ids"),
)

# Alerts that are firing, or were until recently. `subject`: the carrier, group or worker; '' if there is only one.
# `posted_firing`: the state that the webhook received last; null: none yet. `fired_wall_us`: when it last received that
# the alert is firing.
alerts = Table(
    "alerts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("is_firing", Boolean, nullable=False),
    Column("changed_wall_us", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("posted_firing", Boolean),
    Column("fired_wall_us", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("retry_wall_us", BigInteger, nullable=False),
)

# The console's one-time links and sessions. Only the SHA-256 of a link or cookie is stored. Both are few: operators are
# people, and housekeeping deletes what has expired.
operator_links = Table(
    "operator_links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("operator", Text, CheckConstraint("length(operator) BETWEEN 1 AND 100", name="operator"), nullable=False),
    Column("expires_wall_us", BigInteger, nullable=False),
    UniqueConstraint("sha256"),
)

operator_sessions = Table(
    "operator_sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("operator", Text, CheckConstraint("length(operator) BETWEEN 1 AND 100", name="operator"), nullable=False),
    Column("created_wall_us", BigInteger, nullable=False),
    Column("seen_wall_us", BigInteger, nullable=False),
    UniqueConstraint("sha256"),
)
