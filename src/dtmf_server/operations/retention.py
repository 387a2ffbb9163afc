"""Retention: texts are erased when they have been kept long enough after their rental; the ledger stays."""

from dtmf_server.core.rental import DAY_US
from dtmf_server.storage import delivery_log, idempotency, messages, rentals
from dtmf_server.storage.db import Tx

IDEMPOTENCY_KEPT_US = 2 * DAY_US  # of wall time
ERASE_MAX = 200  # rentals in one transaction


def erase(tx: Tx, *, now_us: int, kept_us: int) -> int:
    """How many rentals' texts were erased; call again until 0."""
    rental_ids = rentals.take_to_erase(tx, ended_before_us=now_us - kept_us, now_us=now_us, limit=ERASE_MAX)
    if rental_ids:
        messages.erase_texts(tx, rental_ids)
        delivery_log.erase_replies(tx, rental_ids)
    return len(rental_ids)


def forget_idempotency_keys(tx: Tx, *, wall_us: int) -> int:
    """How many remembered answers were forgotten, 48 h after they were given."""
    return idempotency.forget(tx, before_wall_us=wall_us - IDEMPOTENCY_KEPT_US)
