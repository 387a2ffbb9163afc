"""A renter's limits and label of a rental: setting them, and counting what its messages cost (core/limits.py)."""

from collections.abc import Iterable

from msgspec import UNSET, UnsetType, structs

from dtmf_server.core.errors import LimitReached, LimitTooLow
from dtmf_server.core.limits import Limited
from dtmf_server.core.rental import EndReason
from dtmf_server.operations import ended
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.storage import rentals
from dtmf_server.storage.db import Row, Tx


class MessageBudget:
    """The satoshis that the messages of some rentals may still cost, in an open ledger. `store` writes what was counted, and
    ends the rentals that it used up."""

    def __init__(self, tx: Tx, ledger: Ledger, rental_ids: Iterable[int]) -> None:
        self._tx, self._ledger = tx, ledger
        ids = sorted(rental_ids)
        found = rentals.limited(tx, ids) if ids else {}
        self._rentals = {id_: each for id_, each in found.items() if each.max_sats is not None}
        self._live = (
            {running.rental_id for running in rentals.running(tx, [*self._rentals])} if self._rentals else set()
        )
        self._changed: dict[int, int] = {}  # rental, account

    def left(self, account_id: int, rental_id: int) -> int | None:
        """Return the satoshis that the rental may still cost; None: it has no limit."""
        limited = self._rentals.get(rental_id)
        return None if limited is None else limited.left(self._minutes(account_id, limited))

    def is_over(self, account_id: int, rental_id: int) -> bool:
        """Return True if the rental ends because what was counted here used it up."""
        limited = self._rentals.get(rental_id)
        return (
            limited is not None
            and rental_id in self._live
            and rental_id in self._changed
            and limited.is_used_up(self._minutes(account_id, limited))
        )

    def require(self, account_id: int, rental_id: int, sats: int) -> None:
        """Raise LimitReached unless the rental may cost `sats` more."""
        left = self.left(account_id, rental_id)
        if left is not None and sats > left:
            raise LimitReached(limit=self._rentals[rental_id].max_sats or 0, remaining=left, required=sats)

    def spend(self, account_id: int, rental_id: int, sats: int) -> None:
        """Count what a message cost; negative: what was refunded."""
        if sats and rental_id in self._rentals:
            self._rentals[rental_id] = self._rentals[rental_id].with_message(sats)
            self._changed[rental_id] = account_id

    def store(self) -> None:
        """Write the counts, and end the rentals that are used up."""
        if not self._changed:
            return
        store(self._tx, self._ledger, [(account_id, self._rentals[id_]) for id_, account_id in self._changed.items()])
        over = [id_ for id_, account_id in self._changed.items() if self.is_over(account_id, id_)]
        for running in rentals.running(self._tx, over):
            self._ledger.end_all(self._changed[running.rental_id], [running], EndReason.LIMIT)
        self._changed.clear()

    def _minutes(self, account_id: int, limited: Limited) -> int:
        is_live = limited.rental.rental_id in self._live
        return limited.minutes_at(self._ledger.now_us(account_id)) if is_live else limited.rental.booked_minutes


def store(tx: Tx, ledger: Ledger, limits: list[tuple[int, Limited]]) -> None:
    """Write the limits of rentals, each with its account, in an open ledger."""
    live = {running.rental_id for running in rentals.running(tx, [each.rental.rental_id for _, each in limits])}
    new = []
    for account_id, each in limits:
        is_live = each.rental.rental_id in live
        new.append((each, each.ends_at_us(ledger.now_us(account_id)) if is_live else each.rental.limit_at_us))
        ledger.limits_changed(account_id)
    rentals.store_limits(tx, new)


def set_limits(
    tx: Tx,
    account_id: int,
    e164: str,
    *,
    max_minutes: int | UnsetType | None = UNSET,
    max_sats: int | UnsetType | None = UNSET,
    now_us: int,
) -> Row:
    """Set the limits of the account's rental of this number; None removes one, UNSET leaves it. Return the rental.

    Raises NumberNotRented. Raises LimitTooLow for fewer minutes than have started, and for less than what the rental has
    cost plus one inbound SMS: a change never ends a rental at once.
    """
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        rental = rentals.live_of_account(tx, account_id, e164)
        if rental is None or not ledger.survives(account_id, rental["id"]):
            raise ended.not_rented(tx, account_id, e164, now_us=now_us)
        limited = rentals.with_limits(rental)
        minutes = limited.minutes_at(ledger.now_us(account_id))
        if max_minutes is not UNSET:
            require(max_minutes, "max_minutes", minimum=minutes)
            limited = structs.replace(limited, max_minutes=max_minutes)
        if max_sats is not UNSET:
            if max_sats is not None and limited.max_sats is None:
                limited = structs.replace(limited, message_sats=rentals.message_sats(tx, rental["id"]))
            require(max_sats, "max_sats", minimum=limited.spent(minutes) + limited.sms_cost)
            limited = structs.replace(limited, max_sats=max_sats)
        store(tx, ledger, [(account_id, limited)])
    return rentals.by_id(tx, rental["id"])


def set_label(tx: Tx, account_id: int, e164: str, label: str | None, *, now_us: int) -> Row:
    """Set or remove the renter's name for the account's rental of this number. Return it. Raises NumberNotRented."""
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        rental = rentals.live_of_account(tx, account_id, e164)
        if rental is None or not ledger.survives(account_id, rental["id"]):
            raise ended.not_rented(tx, account_id, e164, now_us=now_us)
        rentals.set_label(tx, rental["id"], label)
    return rentals.by_id(tx, rental["id"])


def left(rental: Row, *, now_us: int) -> int | None:
    """Return what a rental, live or ended, may still cost; None without `max_sats`."""
    limited = rentals.with_limits(rental)
    return limited.left(limited.minutes_at(now_us) if rental["ended_at_us"] is None else rental["booked_minutes"])


def minimum_sats(group: Row) -> int:
    """Return the lowest `max_sats` of a new rental in this group: set-up, the first minute and one inbound SMS."""
    return int(group["setup_cost"] + group["rental_cost_per_minute"] + (group["cost_per_inbound_message"] or 0))


def require(limit: int | None, name: str, *, minimum: int) -> None:
    """Raise LimitTooLow if a limit of this name is below the minimum."""
    if limit is not None and limit < minimum:
        raise LimitTooLow(field=name, minimum=minimum)
