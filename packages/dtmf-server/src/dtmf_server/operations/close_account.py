"""Permanent deletion of an account by its renter or its operator: the ledger stays, but no longer reveals whom it is about.

The first transaction closes the account: nothing can act for it any more, and no minute starts for it. The rest, one
portion per transaction, ends its rentals and erases texts. Each portion records where the next one starts, so any
process can continue. docs/decisions/0009 says what is erased, what stays, and why.
"""

from dtmf_server.core.errors import Refusal
from dtmf_server.core.money import Kind
from dtmf_server.core.rental import EndReason
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.storage import account_erasure, deposits, numbers, rentals, web_sessions
from dtmf_server.storage.db import Tx

PORTION = 200  # rentals ended, or rows erased, in one transaction


class MoreThanAgreed(Refusal):
    """The balance has grown since you last looked at it: check it again before you give it up."""

    status, code, title = 409, "more_than_agreed", "Balance has grown"


class BalanceLeft(Refusal):
    """This account has a balance, which closing it would forfeit."""

    status, code, title = 409, "balance_left", "Balance left"


class DepositUnderWay(Refusal):
    """A deposit to this account is pending and would be lost: delete the account once the deposit has been credited."""

    status, code, title = 409, "deposit_under_way", "Deposit under way"


def close_account(tx: Tx, account_id: int, *, given_up_max: int, now_us: int, wall_us: int) -> int:
    """Close the account and return the satoshis given up. The balance goes to the service; tokens and sessions stop
    working; rentals end; texts and the phone numbers of others are erased. All of it happens here if there are few,
    else `go_on` does the rest. Raises MoreThanAgreed, DepositUnderWay."""
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        if any(row["status"] == "pending" for row in deposits.deposits_of(tx, account_id)):
            raise DepositUnderWay
        given_up = ledger.balance(account_id)
        if given_up > given_up_max:
            raise MoreThanAgreed
        if given_up:
            ledger.charge(
                account_id, given_up, kind=Kind.GIVEN_UP, unique_ref=str(account_id), reference="account deleted"
            )
        now_us = ledger.shut(account_id)
    account_erasure.revoke_tokens(tx, account_id, now_us=now_us)
    web_sessions.end_all(tx, account_id)
    account_erasure.mark(tx, account_id, now_us=now_us)
    account_erasure.begin(tx, account_id)
    numbers.unreserve(tx, account_id)
    _portion(tx, account_id)
    return given_up


def close_by_operator(tx: Tx, account_id: int, *, forfeit: bool, now_us: int, wall_us: int) -> int:
    """Close the account for its operator and return the satoshis given up: none, unless `forfeit`. Raises BalanceLeft,
    DepositUnderWay."""
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        if (balance := ledger.balance(account_id)) and not forfeit:
            raise BalanceLeft(
                f"account {account_id} has a balance of {balance} satoshis: pay it out first, or add --forfeit to keep it"
            )
    return close_account(tx, account_id, given_up_max=balance, now_us=now_us, wall_us=wall_us)


def go_on(tx: Tx) -> bool:
    """Process one more portion of an account that is being deleted. Return False if there is none; call until then."""
    account_id = account_erasure.first_unfinished(tx)
    if account_id is None:
        return False
    _portion(tx, account_id)
    return True


def _portion(tx: Tx, account_id: int) -> None:
    """End and erase one portion."""
    left = PORTION
    with open_ledger(tx, [account_id], now_us=0) as ledger:
        if running := rentals.some_live(tx, account_id, limit=left):
            ledger.end_all(account_id, running, EndReason.RENTER)
            left -= len(running)
        now_us = ledger.now_us(account_id)
    while left > 0 and (place := account_erasure.place(tx, account_id)) is not None:
        left -= account_erasure.erase(tx, account_id, place, now_us=now_us, limit=left)
