"""The first tables: accounts, ledger, stock, rentals, messages, deliveries, deposits."""

from dtmf_server.storage.migrations import sql_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the statements beside this file."""
    sql_script.run(__file__)
