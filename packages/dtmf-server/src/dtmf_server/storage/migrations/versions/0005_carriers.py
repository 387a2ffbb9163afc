"""Real carriers: waiting parts, arrivals and their acknowledgements, accepted submissions, and the state of links."""

from dtmf_server.storage.migrations import sql_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the statements beside this file."""
    sql_script.run(__file__)
