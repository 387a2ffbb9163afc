"""The meter: ends rentals when the balance runs out, warns before, and books started minutes at least once a day."""

from dtmf_server.core.billing import minutes_started
from dtmf_server.core.low_balance import THRESHOLDS_US
from dtmf_server.core.units import DAY_US, HOUR_US
from dtmf_server.operations.ledger import settle_portion
from dtmf_server.storage import accounts, rentals, transfers
from dtmf_server.storage.db import Tx

SWEEP_MAX = 200  # accounts settled in one transaction
SHARE_MAX = 200  # rentals booked in one transaction
SHARE_AFTER_US = DAY_US - HOUR_US


def sweep(tx: Tx, *, now_us: int) -> int:
    """Settle accounts that are out of balance, have a rental at its limit, are due for a warning, or were not booked for a
    day. Return how many, wholly or for a portion of their ending rentals; 0 means that nothing is due."""
    due = set(accounts.due_for_settlement(tx, now_us=now_us, settled_before_us=now_us - DAY_US, limit=SWEEP_MAX))
    for given, threshold_us in enumerate(THRESHOLDS_US):
        by_us, left = now_us + threshold_us, SWEEP_MAX - len(due)
        due |= set(accounts.due_for_warning(tx, given=given, depletes_by_us=by_us, limit=left))
    if due:
        settle_portion(tx, sorted(due), now_us=now_us)
    return len(due)


def share_out(tx: Tx, *, now_us: int) -> int:
    """Book the minutes of rentals that were not booked for most of a day, as far as their account has paid. Return how
    many; call until 0. Nothing is charged here: the time only decides whose turn it is."""
    due = rentals.to_share(tx, booked_before_us=now_us - SHARE_AFTER_US, limit=SHARE_MAX)
    settled = accounts.lock_and_load(tx, {row["account_id"] for row in due})
    owner = {row["id"]: row["account_id"] for row in due}
    shares = []
    for rental in rentals.running(tx, list(owner)):  # read again, now that the accounts are locked
        minutes = minutes_started(rental.started_at_us, settled[owner[rental.rental_id]].settled_at_us)
        if minutes > rental.booked_minutes:
            shares.append((rental.rental_id, rental.booked_minutes, minutes, None))
    transfers.book_minutes(tx, [*shares])
    rentals.store_booked(tx, [(rental_id, minutes) for rental_id, _, minutes, _ in shares])
    return len(shares)


def next_due_us(tx: Tx) -> int | None:
    """Return when the meter is next due: for an account that runs out of balance, has a rental at its limit, needs a
    warning, or was not booked for a day. None if there is no such account."""
    first = accounts.first_due(tx, warnings=len(THRESHOLDS_US))
    due = [(first["depletes_at_us"], 0), (first["limit_at_us"], 0), (first["settled_at_us"], DAY_US)]
    due += [(first[f"unwarned_{given}"], -threshold_us) for given, threshold_us in enumerate(THRESHOLDS_US)]
    return min((at_us + after_us for at_us, after_us in due if at_us is not None), default=None)
