"""The account's own webhook for events; deliveries of events, which belong to no rental; low-balance warnings."""

from dtmf_server.storage.migrations import sql_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the statements beside this file."""
    sql_script.run(__file__)
