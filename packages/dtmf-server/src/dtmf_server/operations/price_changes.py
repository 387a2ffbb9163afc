"""Changes of the prices of running rentals, at the instant that was announced (operations/pegged.py). The ledger has settled
their account up to the microsecond before it."""

from collections.abc import Sequence

from dtmf_server.core.billing import LiveRental
from dtmf_server.storage import rental_prices, transfers
from dtmf_server.storage.db import Tx

Changed = tuple[LiveRental, LiveRental]  # before and after


def write(tx: Tx, changed: Sequence[Changed]) -> None:
    """Book the minutes at the old prices, and write the new ones. The limits of these rentals were computed for both."""
    shares = [(before.rental_id, before.booked_minutes, after.priced_minutes, None) for before, after in changed]
    transfers.book_minutes(tx, [share for share in shares if share[1] < share[2]])
    rental_prices.change(tx, [*changed])
