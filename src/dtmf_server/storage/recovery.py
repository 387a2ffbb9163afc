"""What waits for a destination that is down, and what becomes of it once somebody was answered there."""

from dtmf_server.core.backoff import PROBE_S
from dtmf_server.storage.db import Tx

BREATH_US = PROBE_S * 1_000_000  # how long a failed delivery is left alone, though its destination answers others


def probe(tx: Tx, destination: str, *, by_us: int) -> None:
    """Has something attempted at a destination that is down by this time: the oldest webhook that waits for it.

    That attempt takes none of its programme, which is counted from `attempts_before`.
    """
    due = tx.one(
        "SELECT 1 FROM deliveries WHERE state = 'waiting' AND attempts > 0 AND destination = :destination"
        " AND due_at_us <= :by_us AND leased_until_us IS NULL LIMIT 1",
        destination=destination,
        by_us=by_us,
    )
    if due is not None:
        return
    for oldest in tx.all(
        "SELECT id FROM deliveries WHERE state = 'waiting' AND attempts > 0 AND destination = :destination"
        " AND kind IN ('webhook', 'event')"
        " AND attempts > attempts_before + 1 AND leased_until_us IS NULL ORDER BY id LIMIT 1 @SKIP",
        destination=destination,
    ):
        tx.run(
            "UPDATE deliveries SET due_at_us = :by_us, attempts_before = attempts_before + 1 WHERE id = :id",
            id=oldest["id"],
            by_us=by_us,
        )
        tx.notify("deliveries")


def make_all_due(tx: Tx, destinations: list[str], *, now_us: int) -> None:
    """These destinations answer again: everything that failed there is due at once, the oldest first.

    What failed a moment ago is due once it was left alone for `BREATH_US`: a delivery that a receiver can't take
    would otherwise be tried again with every other that it takes.
    """
    due_us = (
        "coalesce((SELECT CASE WHEN a.at_us > :breath_us THEN a.at_us + :rest_us ELSE :now_us END FROM attempts a"
        " WHERE a.delivery_id = deliveries.id AND a.attempt = deliveries.attempts), :now_us)"
    )
    changed = tx.run(
        f"UPDATE deliveries SET due_at_us = {due_us} WHERE state = 'waiting' AND attempts > 0"
        f" AND destination IN @destinations AND leased_until_us IS NULL AND due_at_us > {due_us}",
        destinations=destinations,
        now_us=now_us,
        breath_us=now_us - BREATH_US,
        rest_us=BREATH_US,
    )
    if changed:
        tx.notify("deliveries")
