"""SMS that a carrier may have accepted: those being submitted, those in doubt, and the segments of each."""

from dtmf_server.storage.migrations import sql_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the statements beside this file."""
    sql_script.run(__file__)
