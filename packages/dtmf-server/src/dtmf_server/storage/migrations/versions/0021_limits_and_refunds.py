"""Limits and labels of rentals, and refunds of rentals that received nothing."""

from dtmf_server.storage.migrations import sql_script

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run the statements beside this file: columns at the end of tables, which need no rebuilding, and new tables."""
    sql_script.run(__file__)
