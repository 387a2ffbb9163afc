"""Retention: erases texts and idempotency keys when their time is over."""

from dtmf_server.core.units import DAY_US
from dtmf_server.storage import api_requests, delivery_log, idempotency, message_parts, messages, rentals
from dtmf_server.storage.db import Tx

ERASE_MAX = 200  # rentals in one transaction
REQUESTS_MAX = 2000  # records of requests deleted in one transaction
IDEMPOTENCY_KEPT_US = 2 * DAY_US  # of wall time
PARTS_KEPT_US = 2 * DAY_US  # at least: a long SMS waits for its parts for up to a day


def erase(tx: Tx, *, now_us: int, retention_us: int) -> int:
    """Erase the texts of ended rentals. Return the number of rentals; call until 0."""
    rental_ids = rentals.take_to_erase(tx, ended_before_us=now_us - retention_us, now_us=now_us, limit=ERASE_MAX)
    if rental_ids:
        messages.erase_texts(tx, rental_ids)
        delivery_log.erase_replies(tx, rental_ids)
        idempotency.erase_texts(tx, rental_ids)
        message_parts.erase_texts(tx, rental_ids)
        tx.notify("erased")
    return len(rental_ids)


def forget_parts(tx: Tx, *, wall_us: int, retention_us: int) -> int:
    """Delete parts of SMS that have waited for the others as long as texts are stored, at least PARTS_KEPT_US. Return how
    many."""
    return message_parts.forget(tx, before_wall_us=wall_us - max(retention_us, PARTS_KEPT_US))


def forget_requests(tx: Tx, *, wall_us: int, retention_us: int) -> int:
    """Delete records of API requests that are older than `retention_us`. Return how many; call until 0."""
    return api_requests.forget(tx, before_wall_us=wall_us - retention_us, limit=REQUESTS_MAX)


def forget_idempotency_keys(tx: Tx, *, wall_us: int) -> int:
    """Delete stored responses 48 h after they were given. Return how many."""
    return idempotency.forget(tx, before_wall_us=wall_us - IDEMPOTENCY_KEPT_US)
