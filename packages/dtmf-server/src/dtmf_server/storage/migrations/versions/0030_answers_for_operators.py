"""API requests that changed something or were refused, and carriers' answer times by hour."""

from dtmf_server.storage.migrations import sql_script

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Run the statements beside this file."""
    sql_script.run(__file__)
