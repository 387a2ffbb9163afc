"""Real carriers: parts that wait, arrivals and whether they were answered, what was taken, how links stand."""

from dtmf_server.storage.migrations import sql_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Runs the statements beside this file."""
    sql_script.run(__file__)
