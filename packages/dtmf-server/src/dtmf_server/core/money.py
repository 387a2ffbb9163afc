"""Satoshis, and the ledger accounts that belong to no customer.

A transfer moves `amount > 0` satoshis from `debit` to `credit`. Customers' balances are what the service owes them: a
credit raises them, a debit lowers them.
"""

from enum import StrEnum

SATS_MAX = 21_000_000 * 100_000_000  # the maximum supply of Bitcoin

BITCOIN = 1  # coins on the chain: debited when a deposit is credited to a customer
REVENUE = 2  # what customers have paid for minutes and messages
RECEIVABLE = 3  # what customers owe: a reorganization took back a deposit they had spent, or an operator debited more
SUSPENSE = (
    4  # satoshis whose owner has no account: the database was lost, or the account deleted; held like a customer's
)
LIGHTNING = 5  # whole satoshis in the channels of Lightning nodes: debited when a payment is credited to a customer
LIGHTNING_FEES = 6  # fees that the nodes deducted from payments
ROUNDING = 7  # parts of satoshis that were received and not credited
PROMOTION = 8  # what operators credited and debited: gifts and corrections, not coins

NOBODY = 999  # never in a transfer: stands for a caller who opens an account; customers' IDs start after it
SYSTEM_ACCOUNTS = {
    BITCOIN: "bitcoin",
    REVENUE: "revenue",
    RECEIVABLE: "receivable",
    SUSPENSE: "suspense",
    LIGHTNING: "lightning",
    LIGHTNING_FEES: "lightning_fees",
    ROUNDING: "rounding",
    PROMOTION: "promotion",
    NOBODY: "nobody",
}
FIRST_CUSTOMER = 1000


class Kind(StrEnum):
    """Why satoshis moved: the `kind` of a transfer, and of an entry of `GET /transactions`."""

    DEPOSIT = "deposit"
    DEPOSIT_REVERSED = "deposit_reversed"
    LIGHTNING_DEPOSIT = "lightning_deposit"
    LIGHTNING_FEE = "lightning_fee"  # between accounts of the service; not in a customer's transactions
    LIGHTNING_ROUNDING = "lightning_rounding"  # the same
    DEBT = "debt"
    DEBT_PAID = "debt_paid"
    RENTAL_SETUP = "rental_setup"
    RENTAL_MINUTES = "rental_minutes"
    MESSAGE_RECEIVED = "message_received"
    MESSAGE_SENT = "message_sent"
    MESSAGE_REFUNDED = "message_refunded"
    RENTAL_REFUNDED = "rental_refunded"
    OPERATOR_CREDIT = "operator_credit"
    OPERATOR_DEBIT = "operator_debit"
    GIVEN_UP = "given_up"
    MOVED_OUT = "moved_out"  # from a deleted account into suspense, or from suspense to its owner's new account
    MOVED_IN = "moved_in"


def topup_url(sats: int) -> str:
    """Return the path of the page that tops up exactly this amount."""
    return f"/top-up?amount={sats}"
