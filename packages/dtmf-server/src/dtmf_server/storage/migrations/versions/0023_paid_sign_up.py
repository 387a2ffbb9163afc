"""Paid sign-up: invoices whose payment opens an account, and the hashes of the secrets that claim it."""

import sqlalchemy as sa
from alembic import op

from dtmf_server.storage.schema.base import Id

revision = "0023"
down_revision = "0022"

_KNOWN = sa.text("network IS NOT NULL")


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "sign_ups",
        sa.Column("id", Id, nullable=False),
        sa.Column("invoice_id", Id, nullable=False),
        sa.Column("claim_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("network", sa.LargeBinary()),
        sa.Column("account_id", Id),
        sa.Column("token_id", Id),
        sa.Column("claim_until_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ups"),
        sa.ForeignKeyConstraint(["invoice_id"], ["lightning_invoices.id"], name="fk_sign_ups_invoice_id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sign_ups_account_id"),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name="fk_sign_ups_token_id"),
        sa.UniqueConstraint("invoice_id", name="uq_sign_ups_invoice_id"),
        sa.UniqueConstraint("claim_sha256", name="uq_sign_ups_claim_sha256"),
        sa.UniqueConstraint("account_id", name="uq_sign_ups_account_id"),
        sa.CheckConstraint("claim_until_us IS NULL OR account_id IS NOT NULL", name=op.f("ck_sign_ups_paid")),
        sa.CheckConstraint("token_id IS NULL OR claim_until_us IS NOT NULL", name=op.f("ck_sign_ups_claimed")),
    )
    op.create_index("ix_sign_ups_network", "sign_ups", ["network"], sqlite_where=_KNOWN, postgresql_where=_KNOWN)
