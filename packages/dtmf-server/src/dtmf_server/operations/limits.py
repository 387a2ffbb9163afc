"""A renter's limits and label of a rental: setting them, and counting what its messages cost (core/limits.py)."""

from collections.abc import Iterable

from msgspec import UNSET, UnsetType, structs

from dtmf_server.core.errors import LimitReached, LimitTooLow, TokenLimitReached
from dtmf_server.core.limits import Limited
from dtmf_server.core.rental import EndReason
from dtmf_server.operations import ended, token_limits
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.operations.token_limits import TokenBudgets
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
        self._tokens: TokenBudgets | None = None  # those of rentals that restricted tokens started
        owners = {each.token_id for each in self._rentals.values() if each.reserves and each.token_id is not None}
        if owners:
            self._tokens = TokenBudgets(tx, owners, now_us=max(map(ledger.now_us, ledger.accounts)))

    def left(self, account_id: int, rental_id: int) -> int | None:
        """Return the satoshis that the rental may still cost; None: it has no limit."""
        limited = self._rentals.get(rental_id)
        if limited is None:
            return None
        left = limited.left(self._minutes(account_id, limited))
        if left is None or self._tokens is None or limited.reserves is None or limited.token_id is None:
            return left
        more = max(0, self._tokens.left(limited.token_id)[0])
        if rental_id not in self._live:  # what it had not used has already returned to the token
            return min(left, more)
        return left + more if limited.reserves == "max_minutes" else left

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
            limited = self._rentals[rental_id].with_message(sats)
            if limited.reserves and self._tokens and limited.token_id is not None and limited.max_sats is not None:
                limited = structs.replace(limited, max_sats=limited.max_sats + self._reserve(limited, sats))
            self._rentals[rental_id] = limited
            self._changed[rental_id] = account_id

    def _reserve(self, limited: Limited, sats: int) -> int:
        """Count a message of this cost, or a refund, against the rental's token. Return the change of the `max_sats`.

        A rental with `max_minutes` has reserved only one message besides its minutes, and reserves more as they come.
        """
        assert self._tokens is not None and limited.token_id is not None, "the caller has checked it"
        token_id, is_live = limited.token_id, limited.rental.rental_id in self._live
        if sats < 0:
            self._tokens.refund(token_id, -sats, is_live=is_live)
            return sats if is_live else 0
        if not is_live:
            self._tokens.reserve(token_id, sats)
            self._tokens.settle(token_id, sats, sats)
            return 0
        more = min(sats, max(0, self._tokens.left(token_id)[0])) if limited.reserves == "max_minutes" else 0
        self._tokens.reserve(token_id, more)
        return more

    def store(self) -> None:
        """Write the counts, and end the rentals that are used up."""
        if not self._changed:
            return
        if self._tokens:
            self._tokens.store()
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
    set_by: int | None = None,
) -> Row:
    """Set the limits of the account's rental of this number; None removes one, UNSET leaves it. Return the rental. `set_by`:
    the restricted token that does. A restricted token's rental reserves what the new limits need.

    Raises NumberNotRented, NotItsRental, TokenLimitReached. Raises LimitTooLow for fewer minutes than have started, and for
    less than what the rental has cost plus one inbound SMS: a change never ends a rental at once.
    """
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        ledger.require_active(account_id)
        rental = rentals.live_of_account(tx, account_id, e164)
        if rental is None or not ledger.survives(account_id, rental["id"]):
            raise ended.not_rented(tx, account_id, e164, now_us=now_us)
        token_limits.require_own(tx, account_id, rental["id"], set_by)
        rental = rentals.by_id(tx, rental["id"])
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
        if limited.reserves is not None:
            limited = _reserve_anew(tx, ledger, account_id, limited, rental["reserved_sats"], max_sats)
        store(tx, ledger, [(account_id, limited)])
    return rentals.by_id(tx, rental["id"])


def _reserve_anew(
    tx: Tx, ledger: Ledger, account_id: int, limited: Limited, reserved: int, max_sats: int | UnsetType | None
) -> Limited:
    """Reserve what a restricted token's rental needs with its new limits, in place of what it has reserved. Return it with
    the new `max_sats`. `max_sats`: as requested. Raises TokenLimitReached."""
    assert limited.token_id is not None, "a reservation has a token"
    now_us = ledger.now_us(account_id)
    budgets = TokenBudgets(tx, [limited.token_id], now_us=now_us)
    left, field, limit = budgets.left(limited.token_id)
    spent = limited.spent(limited.minutes_at(now_us)) + limited.sms_cost
    if isinstance(max_sats, int) or (max_sats is UNSET and limited.reserves == "max_sats"):
        wanted, reserves = limited.max_sats or 0, "max_sats"
    elif limited.max_minutes is None:
        wanted, reserves = reserved + left, "rest"
    else:
        minutes = limited.setup_cost + limited.rental.cost_of(limited.max_minutes)
        wanted, reserves = max(spent, minutes + limited.message_sats + limited.sms_cost), "max_minutes"
    if wanted - reserved > max(0, left):
        raise TokenLimitReached(field, limit=limit, remaining=max(0, left), required=wanted - reserved)
    budgets.reserve(limited.token_id, wanted - reserved)
    budgets.store()
    return structs.replace(limited, max_sats=wanted, reserves=reserves)


def unreserve(tx: Tx, ledger: Ledger, account_id: int, rental_id: int) -> None:
    """Return what a live rental has not used to its token, before the rental is adopted. A `max_sats` that only its token
    determined is removed."""
    limited = rentals.with_limits(rentals.by_id(tx, rental_id))
    if limited.reserves is None or limited.token_id is None:
        return
    now_us = ledger.now_us(account_id)
    spent = limited.spent(limited.minutes_at(now_us))
    budgets = TokenBudgets(tx, [limited.token_id], now_us=now_us)
    budgets.settle(limited.token_id, limited.max_sats or 0, spent)
    budgets.store()
    budgets.count_adopted(limited.token_id, spent)
    max_sats = limited.max_sats if limited.reserves == "max_sats" else None
    store(tx, ledger, [(account_id, structs.replace(limited, reserves=None, max_sats=max_sats))])


def set_label(tx: Tx, account_id: int, e164: str, label: str | None, *, now_us: int, set_by: int | None = None) -> Row:
    """Set or remove the renter's name for the account's rental of this number. Return it. `set_by`: the restricted token that
    does. Raises NumberNotRented, NotItsRental."""
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        ledger.require_active(account_id)
        rental = rentals.live_of_account(tx, account_id, e164)
        if rental is None or not ledger.survives(account_id, rental["id"]):
            raise ended.not_rented(tx, account_id, e164, now_us=now_us)
        token_limits.require_own(tx, account_id, rental["id"], set_by)
        rentals.set_label(tx, rental["id"], label)
    return rentals.by_id(tx, rental["id"])


def left(rental: Row, *, now_us: int) -> int | None:
    """Return what a rental, live or ended, may still cost; None without `max_sats`."""
    limited = rentals.with_limits(rental)
    return limited.left(limited.minutes_at(now_us) if rental["ended_at_us"] is None else rental["booked_minutes"])


def require(limit: int | None, name: str, *, minimum: int) -> None:
    """Raise LimitTooLow if a limit of this name is below the minimum."""
    if limit is not None and limit < minimum:
        raise LimitTooLow(field=name, minimum=minimum)
