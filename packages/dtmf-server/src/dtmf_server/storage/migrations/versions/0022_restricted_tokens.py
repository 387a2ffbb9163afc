"""Restricted tokens: scopes, expiry, limits, and which rentals and actions are theirs."""

from dtmf_server.storage.migrations import sql_script

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run the statements beside this file: columns at the end of tables, which need no rebuilding, and their indexes."""
    sql_script.run(__file__)
