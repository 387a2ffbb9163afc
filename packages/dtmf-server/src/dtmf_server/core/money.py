"""Satoshis, and the accounts of the ledger that no customer owns.

A transfer moves `amount > 0` satoshis from `debit` to `credit`. Customers' balances are what the service owes
them: a credit raises them, a debit lowers them.
"""

from enum import StrEnum

SATS_MAX = 21_000_000 * 100_000_000  # every satoshi there will ever be

BITCOIN = 1  # the coins on the chain: debited when a deposit is credited to a customer
REVENUE = 2  # what customers have paid for minutes and messages
RECEIVABLE = 3  # what customers owe after a reorg took back a deposit they had spent
SUSPENSE = (
    4  # satoshis whose owner has no account: the database was lost, or the account deleted; held like a customer's
)

NOBODY = 999  # never in a transfer: who asks for an account before having one; customers' ids start after it
SYSTEM_ACCOUNTS = {
    BITCOIN: "bitcoin",
    REVENUE: "revenue",
    RECEIVABLE: "receivable",
    SUSPENSE: "suspense",
    NOBODY: "nobody",
}
FIRST_CUSTOMER = 1000


class Kind(StrEnum):
    """Why satoshis moved: the `kind` of a transfer, and of a line of `GET /transactions`."""

    DEPOSIT = "deposit"
    DEPOSIT_REVERSED = "deposit_reversed"
    DEBT = "debt"
    DEBT_PAID = "debt_paid"
    RENTAL_SETUP = "rental_setup"
    RENTAL_MINUTES = "rental_minutes"
    MESSAGE_RECEIVED = "message_received"
    MESSAGE_SENT = "message_sent"
    MESSAGE_REFUNDED = "message_refunded"
    GIVEN_UP = "given_up"
    MOVED_OUT = "moved_out"  # of a deleted account into suspense, or out of suspense to its owner's new account
    MOVED_IN = "moved_in"
