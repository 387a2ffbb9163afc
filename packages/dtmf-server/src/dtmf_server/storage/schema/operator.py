"""The operator's audit log."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, Text

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
)
