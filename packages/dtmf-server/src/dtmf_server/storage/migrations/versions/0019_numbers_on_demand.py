"""Monthly caps, numbers reserved after a run-out, figures about rentals, and numbers bought on demand."""

from dtmf_server.storage.migrations import sql_script

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run the statements beside this file: new tables, and columns at the end of others, which need no rebuilding."""
    sql_script.run(__file__)
