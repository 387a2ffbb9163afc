"""Refunds of messages and rentals by the operator. Each charge is refunded once, automatically or by an operator: both use
the same kind and reference in the ledger."""

from dataclasses import dataclass

from dtmf_server.core.errors import Refusal
from dtmf_server.core.money import Kind
from dtmf_server.core.monthly_cap import cost_of_minutes
from dtmf_server.core.units import DAY_US, INT64_MAX
from dtmf_server.operations import audit
from dtmf_server.operations.audit import By
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.operations.limits import MessageBudget
from dtmf_server.operations.token_limits import TokenBudgets
from dtmf_server.storage import messages, operator_bookings, rental_refunds, rentals, transfers
from dtmf_server.storage.db import Row, Tx

ACTION = "accounts refund"
_DECIDED = ("received", "sent", "delivered", "unknown")  # statuses of messages whose charge stands


class UnknownCharge(Refusal):
    """There is no such message or rental."""

    status, code, title = 404, "unknown_charge", "Unknown charge"


class AlreadyRefunded(Refusal):
    """This was already refunded."""

    status, code, title = 409, "already_refunded", "Already refunded"


class NotRefundable(Refusal):
    """This can't be refunded now."""

    status, code, title = 409, "not_refundable", "Not refundable"


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund: its charge, the account that got it, and the satoshis, which are in suspense for a closed account."""

    charge_id: int
    account_id: int
    sats: int


def refund_message(tx: Tx, message_id: int, *, by: By, now_us: int) -> Refunded:
    """Refund what a message cost, and record it. Raises UnknownCharge, AlreadyRefunded, NotRefundable."""
    message = messages.by_id(tx, message_id) if 0 < message_id <= INT64_MAX else None
    if message is None:
        raise UnknownCharge(f"there is no message {message_id}")
    with open_ledger(tx, [message["account_id"]], now_us=now_us) as ledger:
        message = messages.by_id(tx, message_id)  # read again, now that the account is locked
        assert message is not None
        _require_unrefunded(tx, Kind.MESSAGE_REFUNDED, message_id, f"message {message_id}")
        if message["status"] not in _DECIDED:
            raise NotRefundable(
                f"message {message_id} is {message['status']}: a carrier may have it, so its charge stands until it is decided"
            )
        if not message["cost"]:
            raise NotRefundable(f"message {message_id} cost nothing")
        messages.refund(tx, message_id)
        budget = MessageBudget(tx, ledger, [message["rental_id"]])
        budget.spend(message["account_id"], message["rental_id"], -message["cost"])
        budget.store()
        return _book(tx, ledger, "message", message, message["cost"], message["cost"], reference=str(message_id), by=by)


def rental_of(tx: Tx, which: int | str) -> int:
    """Return the ID of a rental that is given by its ID, or by its number as the last one of it. Raises UnknownCharge."""
    if isinstance(which, int):
        return which
    rental_id = operator_bookings.last_rental_of(tx, which)
    if rental_id is None:
        raise UnknownCharge(f"{which} was never rented")
    return rental_id


def refund_rental(tx: Tx, rental_id: int, *, sats: int | None = None, by: By, now_us: int) -> Refunded:
    """Refund `sats` of what an ended rental's set-up and minutes cost, all of it by default, and record it. Raises
    UnknownCharge, AlreadyRefunded, NotRefundable."""
    rental = operator_bookings.rental_of_id(tx, rental_id) if 0 < rental_id <= INT64_MAX else None
    if rental is None:
        raise UnknownCharge(f"there is no rental {rental_id}")
    with open_ledger(tx, [rental["account_id"]], now_us=now_us) as ledger:
        rental = rentals.by_id(tx, rental_id)  # read again, now that the account is settled
        _require_unrefunded(tx, Kind.RENTAL_REFUNDED, rental_id, f"rental {rental_id}")
        if rental["ended_at_us"] is None:
            raise NotRefundable(f"rental {rental_id} is live: refund it once it has ended")
        minutes = cost_of_minutes(rental["booked_minutes"], rental["cost_per_minute"], rental["monthly_cap"])
        charged = rental["setup_cost"] + minutes
        wanted = charged if sats is None else sats
        if not 0 < wanted <= charged:
            raise NotRefundable(f"rental {rental_id} cost {charged} satoshis without its messages, so not {wanted}")
        if rental["reserves"] is not None:
            budgets = TokenBudgets(tx, [rental["token_id"]], now_us=ledger.now_us(rental["account_id"]))
            budgets.refund(rental["token_id"], wanted, is_live=False)
            budgets.store()
        rental_refunds.decided(tx, [rental_id])
        return _book(tx, ledger, "rental", rental, charged, wanted, reference=rental["e164"], by=by)


def _require_unrefunded(tx: Tx, kind: Kind, charge_id: int, name: str) -> None:
    if transfers.exists(tx, kind=kind, ref=str(charge_id)):
        by_operator = operator_bookings.was_refunded(tx, kind.removesuffix("_refunded"), charge_id)
        raise AlreadyRefunded(f"{name} was already refunded {'by an operator' if by_operator else 'automatically'}")


def _book(
    tx: Tx, ledger: Ledger, charge: str, row: Row, charged: int, sats: int, *, reference: str, by: By
) -> Refunded:
    account_id, now_us = row["account_id"], ledger.now_us(row["account_id"])
    kind = Kind.MESSAGE_REFUNDED if charge == "message" else Kind.RENTAL_REFUNDED
    operator_bookings.add_refund(
        tx, charge, row["id"], account_id=account_id, day=now_us // DAY_US, charged_sats=charged, sats=sats
    )
    ledger.refund(account_id, sats, kind=kind, unique_ref=str(row["id"]), reference=reference)
    audit.record(tx, by, ACTION, f"{charge} {row['id']}", account_id=account_id, sats=sats)
    return Refunded(row["id"], account_id, sats)
