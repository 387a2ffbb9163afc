"""The first tables: accounts, ledger, stock, rentals, messages, deliveries, deposits."""

from dtmf_server.storage.migrations import frozen

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Runs the statements beside this file."""
    frozen.run(__file__)
