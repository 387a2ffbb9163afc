"""The website's sessions and one-time sign-in links. All times are wall time: they are for people, not for the
sandbox."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, UniqueConstraint

from dtmf_server.storage.schema.base import Id, metadata

# A session has the rights of its token, and ends with it. Only the SHA-256 of a cookie or link is stored.
web_sessions = Table(
    "web_sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("token_id", Id, ForeignKey("tokens.id"), nullable=False),
    Column("created_wall_us", BigInteger, nullable=False),
    Column("seen_wall_us", BigInteger, nullable=False),
    UniqueConstraint("sha256"),
    Index("ix_web_sessions_account_id", "account_id"),
    Index("ix_web_sessions_seen_wall_us", "seen_wall_us"),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("token_id", Id, ForeignKey("tokens.id"), nullable=False),
    Column("expires_wall_us", BigInteger, nullable=False),
    UniqueConstraint("sha256"),
    Index("ix_sign_in_links_account_id", "account_id"),
)
