"""Daily sums of the ledger, the age of the last backup, the state of the operator's alerts, and ended rentals by time."""

from dtmf_server.storage.migrations import sql_script

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run the statements beside this file. Housekeeping fills the sums from the first transfer on."""
    sql_script.run(__file__)
