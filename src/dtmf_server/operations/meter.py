"""The meter: ends rentals whose money has run out and books started minutes at least once a day."""

from dtmf_server.core.rental import DAY_US
from dtmf_server.operations.books import open_books
from dtmf_server.storage import accounts
from dtmf_server.storage.db import Tx

SWEEP_MAX = 500  # accounts settled in one transaction


def sweep(tx: Tx, *, now_us: int, rest_us: int) -> int:
    """How many accounts were settled: those out of money, and those not booked for a day. 0: nothing is due."""
    due = accounts.due_for_settlement(tx, now_us=now_us, settled_before_us=now_us - DAY_US, limit=SWEEP_MAX)
    if due:
        with open_books(tx, due, now_us=now_us, rest_us=rest_us):
            pass
    return len(due)


def next_due_us(tx: Tx) -> int | None:
    """When the meter has to look again: the next account runs out of money. None: nobody pays."""
    return accounts.next_depletion_us(tx)
