"""Suspending and resuming an account, at the operator's request. The caller records the action in the audit log.

A suspended account can be signed in to, read and topped up (api/scopes.py has the table); everything else is refused. Its
rentals are held: the numbers stay the renter's, minutes and received SMS cost what they always do, and SMS are stored. No
SMS leaves: what had not reached a carrier fails and is refunded, and webhooks are parked until the account is resumed.
docs/decisions/0023 says why.
"""

from dataclasses import dataclass

from dtmf_server.core.errors import Refusal
from dtmf_server.core.rental import EndReason
from dtmf_server.core.units import INT64_MAX
from dtmf_server.operations import send
from dtmf_server.operations.find_account import UnknownAccount
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.operations.refund import fail_message
from dtmf_server.storage import accounts, events, rentals, suspended_deliveries
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.suspended_deliveries import SUSPENDED


class AlreadySuspended(Refusal):
    """This account is already suspended."""

    status, code, title = 409, "already_suspended", "Already suspended"


class NotSuspended(Refusal):
    """This account is not suspended."""

    status, code, title = 409, "not_suspended", "Not suspended"


class AccountClosed(Refusal):
    """This account was closed."""

    status, code, title = 409, "account_closed", "Account closed"


@dataclass(frozen=True, slots=True)
class Suspended:
    """The numbers of rentals that are held and that were ended, and of SMS that were not sent and refunded."""

    held: int
    ended: int
    unsent: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The number of webhooks and events that are delivered now."""

    deliveries: int


def require_customer(tx: Tx, account_id: int) -> None:
    """Lock the account of a customer. Raises UnknownAccount, AccountClosed."""
    known = 0 < account_id <= INT64_MAX
    found = accounts.customers(tx, after=0, limit=1, ids=[account_id]) if known else []
    if not found:
        raise UnknownAccount(f"there is no account {account_id}: `dtmf-server accounts list` lists them")
    accounts.lock(tx, account_id)
    (row,) = accounts.customers(tx, after=0, limit=1, ids=[account_id])  # read again, now that it is locked
    if row["closed_at_us"] is not None:
        raise AccountClosed(f"account {account_id} was closed")


def suspend(tx: Tx, account_id: int, *, now_us: int, ends_rentals: bool = False) -> Suspended:
    """Suspend an account. Its rentals are held, or end now with `ends_rentals`, which also ends the held rentals of an
    account that is suspended already. All of it happens in this transaction, however many rentals there are. Raises
    UnknownAccount, AccountClosed, AlreadySuspended."""
    require_customer(tx, account_id)
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        account, now_us = ledger.accounts[account_id], ledger.now_us(account_id)
        live = account.live_rentals
        if account.suspended_at_us is not None and not (ends_rentals and live):
            raise AlreadySuspended(f"account {account_id} is already suspended")
        if account.suspended_at_us is None:
            accounts.suspend(tx, account_id, at_us=now_us)
        unsent = _park(tx, ledger, account_id, now_us=now_us)
        if ends_rentals:
            running = rentals.some_live(tx, account_id, limit=live)
            ledger.end_all(account_id, running, EndReason.OPERATOR)
    return Suspended(0, live, unsent) if ends_rentals else Suspended(live, 0, unsent)


def resume(tx: Tx, account_id: int, *, now_us: int) -> Resumed:
    """Resume a suspended account: webhooks of SMS that arrived meanwhile are delivered; they are never forwarded. Raises
    UnknownAccount, AccountClosed, NotSuspended."""
    require_customer(tx, account_id)
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        if ledger.accounts[account_id].suspended_at_us is None:
            raise NotSuspended(f"account {account_id} is not suspended")
        accounts.suspend(tx, account_id, at_us=None)
        return Resumed(suspended_deliveries.resume(tx, account_id, now_us=ledger.now_us(account_id)))


def _park(tx: Tx, ledger: Ledger, account_id: int, *, now_us: int) -> int:
    """Park what waits for a webhook or a carrier; SMS that no carrier has fail and are refunded. Return how many."""
    unsent = 0
    for delivery in suspended_deliveries.park(tx, account_id, now_us=now_us):
        if delivery["kind"] != "test":
            ledger.add_event(events.parked(delivery, now_us=now_us, reason=SUSPENDED))
        message = _unsent(tx, delivery)
        if message is not None:
            fail_message(tx, ledger, message, reason=SUSPENDED)
            unsent += 1
    return unsent


def _unsent(tx: Tx, delivery: Row) -> Row | None:
    """Return the message that a delivery carries, if it is charged and no carrier has it."""
    if delivery["kind"] not in ("send", "forward"):
        return None
    message = send.carried(tx, delivery["kind"], delivery["message_id"])
    return message if message is not None and message["status"] == "queued" else None
