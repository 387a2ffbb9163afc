"""Closing an account for good, as its renter asks: the books stay, whoever they were about can't be told from them.

docs/decisions/0009 says what goes and what stays, and why.
"""

from dtmf_server.core.errors import Refusal
from dtmf_server.core.money import Kind
from dtmf_server.core.rental import EndReason
from dtmf_server.operations.books import open_books
from dtmf_server.storage import closing, deposits, web_sessions
from dtmf_server.storage.db import Tx


class MoreThanAgreed(Refusal):
    """The balance has grown since you looked at it: look again before you give it up."""

    status, code, title = 409, "more_than_agreed", "Balance has grown"


class DepositUnderWay(Refusal):
    """A deposit is on its way to this account and would be lost: delete the account once it has arrived."""

    status, code, title = 409, "deposit_under_way", "Deposit under way"


def close_account(tx: Tx, account_id: int, *, given_up_max: int, now_us: int, rest_us: int, wall_us: int) -> int:
    """The satoshis given up. Rentals end, what is left goes to the service, tokens and sessions stop working, texts
    and other people's numbers are erased. Raises MoreThanAgreed, DepositUnderWay."""
    with open_books(tx, [account_id], now_us=now_us, rest_us=rest_us) as books:
        if any(row["status"] == "pending" for row in deposits.deposits_of(tx, account_id)):
            raise DepositUnderWay
        given_up = books.balance(account_id)
        if given_up > given_up_max:
            raise MoreThanAgreed
        for rental in books.accounts[account_id].running:
            books.end(account_id, rental.rental_id, EndReason.RENTER)
        if given_up:
            books.charge(account_id, given_up, kind=Kind.GIVEN_UP, ref=str(account_id), reference="account deleted")
        now_us = books.now_us(account_id)
    closing.erase(tx, account_id, now_us=now_us)
    closing.revoke_tokens(tx, account_id, now_us=now_us)
    web_sessions.end_all(tx, account_id)
    closing.mark(tx, account_id, now_us=now_us)
    return given_up
