"""Credits and debits by the operator: gifts and corrections, booked against the ledger account `promotion`, never as coins.

Each has a reference, which is booked once: a repeated command changes nothing. Credits and debits are limited per UTC day by
wall time. One operator acts at a time: the account `promotion` is locked first.
"""

from dataclasses import dataclass

from dtmf_server.core import money
from dtmf_server.core.errors import Refusal
from dtmf_server.core.money import Kind
from dtmf_server.core.units import DAY_US
from dtmf_server.operations import audit
from dtmf_server.operations.audit import By
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.operations.suspend import require_customer
from dtmf_server.storage import accounts, operator_bookings
from dtmf_server.storage.db import Tx

CREDIT, DEBIT = "accounts credit", "accounts debit"
_ACTIONS = {Kind.OPERATOR_CREDIT: CREDIT, Kind.OPERATOR_DEBIT: DEBIT}
LIMIT = "[operator] credit_per_day_sats"


class ReferenceUsed(Refusal):
    """This reference was used for another credit or debit."""

    status, code, title = 409, "reference_used", "Reference used"


class OperatorLimitReached(Refusal):
    """The daily limit of credits or debits does not leave enough for this."""

    status, code, title = 409, "operator_limit_reached", "Operator limit reached"


class BalanceTooLow(Refusal):
    """The balance does not cover this debit."""

    status, code, title = 409, "balance_too_low", "Balance too low"


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An account after a credit or debit. `is_new`: it was booked now, not before under the same reference."""

    is_new: bool
    balance: int
    debt: int


def credit(
    tx: Tx, account_id: int, sats: int, *, reference: str, text: str, by: By, per_day_sats: int, now_us: int
) -> Adjusted:
    """Credit an account and record it. The account's debt is paid first. `text`: what the renter reads. Raises UnknownAccount,
    AccountClosed, ReferenceUsed, OperatorLimitReached."""
    return _book(
        tx, Kind.OPERATOR_CREDIT, account_id, sats, reference, text, by=by, per_day_sats=per_day_sats, now_us=now_us
    )


def debit(
    tx: Tx,
    account_id: int,
    sats: int,
    *,
    reference: str,
    text: str,
    by: By,
    per_day_sats: int,
    now_us: int,
    as_debt: bool = False,
) -> Adjusted:
    """Debit an account and record it. `as_debt`: what the balance lacks becomes the account's debt. Raises BalanceTooLow, and
    what `credit` raises."""
    kind = Kind.OPERATOR_DEBIT
    return _book(
        tx,
        kind,
        account_id,
        sats,
        reference,
        text,
        by=by,
        per_day_sats=per_day_sats,
        now_us=now_us,
        as_debt=as_debt,
    )


def _book(
    tx: Tx,
    kind: Kind,
    account_id: int,
    sats: int,
    reference: str,
    text: str,
    *,
    by: By,
    per_day_sats: int,
    now_us: int,
    as_debt: bool = False,
) -> Adjusted:
    if not 0 < sats <= money.SATS_MAX:
        raise ValueError(f"{sats} is not a number of satoshis from 1 to {money.SATS_MAX}")
    accounts.lock(tx, money.PROMOTION)
    require_customer(tx, account_id)
    is_new = not _was_booked(tx, kind, account_id, sats, reference)
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        if is_new:
            _require_within_limit(tx, kind, sats, by=by, per_day_sats=per_day_sats)
            moved = sats if kind is Kind.OPERATOR_CREDIT else -sats
            lacking = -moved - ledger.balance(account_id)
            if lacking > 0 and not as_debt:
                raise BalanceTooLow(
                    f"account {account_id} has {ledger.balance(account_id)} satoshis, {lacking} fewer than {sats}: add"
                    " --as-debt to book the rest as its debt"
                )
            ledger.adjust(account_id, moved, unique_ref=reference, reference=text)
            what = f"account {account_id}, reference {reference}"
            audit.record(tx, by, _ACTIONS[kind], what, account_id=account_id, sats=moved)
        return Adjusted(is_new, ledger.balance(account_id), ledger.accounts[account_id].debt)


def _was_booked(tx: Tx, kind: Kind, account_id: int, sats: int, reference: str) -> bool:
    """Return True if exactly this was booked before under this reference. Raises ReferenceUsed if something else was."""
    earlier = operator_bookings.of_reference(tx, [*_ACTIONS], reference)
    if earlier is None:
        return False
    if (earlier["kind"], earlier["account_id"], earlier["amount"]) != (kind, account_id, sats):
        raise ReferenceUsed(
            f"the reference {reference!r} was used for {_ACTIONS[Kind(earlier['kind'])]} {earlier['account_id']}"
            f" {earlier['amount']}: use another one"
        )
    return True


def _require_within_limit(tx: Tx, kind: Kind, sats: int, *, by: By, per_day_sats: int) -> None:
    day_us = by.wall_us - by.wall_us % DAY_US
    moved = abs(operator_bookings.moved_since(tx, _ACTIONS[kind], since_wall_us=day_us))
    if moved + sats > per_day_sats:
        name = "credits" if kind is Kind.OPERATOR_CREDIT else "debits"
        raise OperatorLimitReached(
            f"{LIMIT} = {per_day_sats} leaves {max(0, per_day_sats - moved)} satoshis for {name} until midnight UTC"
        )
