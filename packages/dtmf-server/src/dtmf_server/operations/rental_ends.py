"""Writing the rentals that ended in a ledger: their minutes, their numbers, the sums of their tokens, and events."""

from typing import TypeAlias

from dtmf_server.core.billing import LiveRental
from dtmf_server.core.rental import EndReason
from dtmf_server.operations import token_limits
from dtmf_server.storage import numbers, rentals, transfers
from dtmf_server.storage.db import Tx
from dtmf_server.storage.events import Event

Ended: TypeAlias = tuple[int, LiveRental, int, EndReason]
"""The account, the rental, when it ended and why."""


def write(tx: Tx, ended: list[Ended], shares: list[tuple[int, int, int, None]], *, now_us: int) -> list[Event]:
    """Write rentals that ended, and the minutes of each. Return their events."""
    transfers.book_minutes(tx, [*shares])
    rentals.end(tx, [(rental, at_us, reason) for _, rental, at_us, reason in ended])
    numbers.release(tx, [(rental.e164, at_us) for _, rental, at_us, _ in ended])
    if depleted := [rental.e164 for _, rental, _, reason in ended if reason is EndReason.DEPLETED]:
        numbers.reserve(tx, depleted)
    if reserved := [rental.rental_id for _, rental, _, _ in ended if rental.reserved_sats is not None]:
        token_limits.settle_ended(tx, reserved, now_us=now_us)
    return [
        Event(account_id, at_us, "rental.ended", data={"e164": rental.e164, "reason": reason.value})
        for account_id, rental, at_us, reason in ended
    ]
