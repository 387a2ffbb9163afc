"""What time brings. The meter ends rentals whose money has run out, warns before, and books started minutes at least once
a day; texts are erased when they have been kept long enough after their rental, the ledger stays."""

from dtmf_server.core.billing import minutes_started
from dtmf_server.core.low_balance import THRESHOLDS_US
from dtmf_server.core.units import DAY_US, HOUR_US
from dtmf_server.operations.ledger import settle_portion
from dtmf_server.storage import accounts, rentals, transfers
from dtmf_server.storage.db import Tx

SWEEP_MAX = 200  # accounts settled in one transaction
SHARE_MAX = 200  # rentals in one transaction
SHARE_AFTER_US = DAY_US - HOUR_US


def sweep(tx: Tx, *, now_us: int) -> int:
    """How many accounts were settled, wholly or for a portion of what ends: those out of money, to be warned, or not booked
    for a day. 0: nothing is due."""
    due = set(accounts.due_for_settlement(tx, now_us=now_us, settled_before_us=now_us - DAY_US, limit=SWEEP_MAX))
    for given, threshold_us in enumerate(THRESHOLDS_US):
        by_us, left = now_us + threshold_us, SWEEP_MAX - len(due)
        due |= set(accounts.due_for_warning(tx, given=given, depletes_by_us=by_us, limit=left))
    if due:
        settle_portion(tx, sorted(due), now_us=now_us)
    return len(due)


def share_out(tx: Tx, *, now_us: int) -> int:
    """How many rentals' minutes were booked: those live for most of a day since theirs were, as far as their account has paid.
    Call again until 0. Nothing is charged here: the time only says whose turn it is."""
    due = rentals.to_share(tx, booked_before_us=now_us - SHARE_AFTER_US, limit=SHARE_MAX)
    settled = accounts.lock_and_load(tx, {row["account_id"] for row in due})
    owner = {row["id"]: row["account_id"] for row in due}
    shares = []
    for rental in rentals.running(tx, list(owner)):  # again, now that the accounts are ours
        minutes = minutes_started(rental.started_at_us, settled[owner[rental.rental_id]].settled_at_us)
        if minutes > rental.booked_minutes:
            shares.append((rental.rental_id, rental.booked_minutes, minutes, None))
    transfers.book_minutes(tx, [*shares])
    rentals.store_booked(tx, [(rental_id, minutes) for rental_id, _, minutes, _ in shares])
    return len(shares)


def next_due_us(tx: Tx) -> int | None:
    """When something is due: the next account runs out of money, is to be warned, or was not booked for a day. None:
    nobody pays."""
    first = accounts.first_due(tx, warnings=len(THRESHOLDS_US))
    due = [(first["depletes_at_us"], 0), (first["settled_at_us"], DAY_US)]
    due += [(first[f"unwarned_{given}"], -threshold_us) for given, threshold_us in enumerate(THRESHOLDS_US)]
    return min((at_us + after_us for at_us, after_us in due if at_us is not None), default=None)
