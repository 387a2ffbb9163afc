"""Verification: recomputes every balance from the ledger and returns what differs.

Read-only, without locks: the database does the comparing, and rows that are compared here are read in pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dtmf_server.core import billing
from dtmf_server.core.money import Kind
from dtmf_server.operations import (
    daily_sums,
    verify_limits,
    verify_operator,
    verify_prices,
    verify_suspended,
    verify_tokens,
)
from dtmf_server.operations.verify_operator import WrongAdjustments, WrongOperatorRefund
from dtmf_server.operations.verify_suspended import WaitsWhileSuspended
from dtmf_server.operations.verify_tokens import WrongTokenSums
from dtmf_server.storage import ledger_audit
from dtmf_server.storage.db import Tx


@dataclass(frozen=True, slots=True)
class WrongBalance:
    """An account whose balance is not the sum of its transfers."""

    account_id: int
    booked_sats: int
    balance_sats: int


@dataclass(frozen=True, slots=True)
class WrongTotal:
    """The sum of all transfers is not 0."""

    sats: int


@dataclass(frozen=True, slots=True)
class WrongRunningBalance:
    """A transfer whose stored balance does not follow from the previous one."""

    transfer_id: int
    account_id: int
    expected_sats: int
    balance_sats: int


@dataclass(frozen=True, slots=True)
class WrongDebt:
    """An account whose debt does not match its transfers."""

    account_id: int
    booked_sats: int
    debt_sats: int


@dataclass(frozen=True, slots=True)
class UnbookedMinutes:
    """A rental whose number of booked minutes differs from the ledger."""

    rental_id: int
    in_ledger: int
    booked: int


@dataclass(frozen=True, slots=True)
class WrongPrice:
    """A rental whose minutes were not paid at its price."""

    rental_id: int
    minutes: int
    paid_sats: int


@dataclass(frozen=True, slots=True)
class WrongLength:
    """An ended rental whose booked minutes do not match its length."""

    rental_id: int
    started: int
    booked: int


@dataclass(frozen=True, slots=True)
class UnpaidMinutes:
    """A live rental with more booked minutes than its account has paid for."""

    rental_id: int
    booked: int


@dataclass(frozen=True, slots=True)
class WrongShares:
    """An account whose payments for minutes do not match its rentals' shares."""

    account_id: int
    paid_sats: int
    shares_sats: int
    unshared_sats: int


@dataclass(frozen=True, slots=True)
class WrongSums:
    """An account whose sums do not match its live rentals: their number, how many have a monthly cap, the cost per minute
    of the others, and the cost of their started minutes."""

    account_id: int
    expected: tuple[int, int, int, int]
    stored: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class WrongMinuteCost:
    """A part of the minute in which the cost of starting rentals does not match the stored sum."""

    account_id: int
    nth: int
    unit_us: int
    expected_sats: int
    stored_sats: int


@dataclass(frozen=True, slots=True)
class WrongMessageCost:
    """A message whose cost does not match what is booked for it."""

    message_id: int
    cost_sats: int
    booked_sats: int


@dataclass(frozen=True, slots=True)
class WrongMessageState:
    """A message whose status does not match its delivery or its refund."""

    message_id: int
    status: str
    delivery_state: str | None
    is_submitted: bool
    is_refunded: bool


@dataclass(frozen=True, slots=True)
class WrongDeposit:
    """A deposit whose status does not match what is booked for it."""

    txid: str
    vout: int
    owner_id: int
    status: str
    booked_sats: int
    amount_sats: int
    account_id: int


@dataclass(frozen=True, slots=True)
class WrongInvoice:
    """A Lightning invoice whose payment does not match what is booked for it. `invoice_id`: None if there is none."""

    invoice_id: int | None
    payment_hash: str
    state: str
    credited_sats: int
    booked_sats: int


@dataclass(frozen=True, slots=True)
class WrongSignUp:
    """A paid sign-up whose account does not own the invoice, or an invoice without an owner that is settled or belongs to no
    sign-up."""

    invoice_id: int
    state: str
    account_id: int
    owner_id: int


@dataclass(frozen=True, slots=True)
class WrongNode:
    """A Lightning node whose sums do not match its invoices: received, fees and rounding in millisatoshis, credited
    satoshis."""

    node_id: int
    expected: tuple[int, int, int, int]
    stored: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class WrongLightningBooks:
    """The fees or the rounding of Lightning payments in the ledger do not match the nodes' sums."""

    name: str
    expected_sats: int
    booked_sats: int


@dataclass(frozen=True, slots=True)
class WrongDepletion:
    """An account whose stored run-out instant is wrong."""

    account_id: int
    expected_us: int | None
    stored_us: int | None


Difference = (
    WrongBalance
    | WrongTotal
    | WrongRunningBalance
    | WrongTokenSums
    | WaitsWhileSuspended
    | WrongAdjustments
    | WrongOperatorRefund
    | WrongDebt
    | UnbookedMinutes
    | WrongPrice
    | WrongLength
    | UnpaidMinutes
    | WrongShares
    | WrongSums
    | WrongMinuteCost
    | WrongMessageCost
    | WrongMessageState
    | WrongDeposit
    | WrongInvoice
    | WrongSignUp
    | WrongNode
    | WrongLightningBooks
    | daily_sums.WrongDailySum
    | WrongDepletion
    | verify_limits.WrongLimit
    | verify_limits.WrongNextLimit
    | verify_limits.WrongRefund
    | verify_prices.WrongRentalPrice
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was verified."""

    customers: int
    transfers: int
    rentals: int


def counts(tx: Tx) -> Counts:
    """Return how much there is to verify."""
    row = ledger_audit.counts(tx)
    return Counts(row["customers"], row["transfers"], row["rentals"])


def differences(tx: Tx) -> list[Difference]:
    """Return everything in the database that contradicts the ledger; empty if all is consistent."""
    return [
        *_balances(tx),
        *_running_balances(tx),
        *_debts(tx),
        *_minutes(tx),
        *_shares(tx),
        *_sums(tx),
        *_messages(tx),
        *_deposits(tx),
        *_lightning(tx),
        *daily_sums.differences(tx),
        *_depletion(tx),
        *verify_limits.limits(tx),
        *verify_limits.refunds(tx),
        *verify_tokens.differences(tx),
        *verify_suspended.differences(tx),
        *verify_operator.differences(tx),
        *verify_prices.differences(tx),
    ]


def _balances(tx: Tx) -> Iterator[Difference]:
    for row in ledger_audit.wrong_balances(tx):
        yield WrongBalance(row["id"], row["sats"], row["balance"])
    if total := ledger_audit.sum_of_books(tx):
        yield WrongTotal(total)


def _running_balances(tx: Tx) -> Iterator[Difference]:
    for row in ledger_audit.wrong_running_balances(tx):
        yield WrongRunningBalance(row["id"], row["account_id"], row["expected"], row["balance"])


def _debts(tx: Tx) -> Iterator[Difference]:
    for row in ledger_audit.debts(tx, incurred=Kind.DEBT, paid=Kind.DEBT_PAID):
        if row["booked"] != row["debt"]:
            yield WrongDebt(row["id"], row["booked"], row["debt"])


def _minutes(tx: Tx) -> Iterator[Difference]:
    """Compare each rental's minutes: contiguous, as many as stored and as its duration allows, and at its price where a
    transfer paid just these."""
    for row in ledger_audit.rental_minutes(tx):
        rental_id, minutes = row["id"], row["booked_minutes"]
        booked = row["booked"] if row["cost_per_minute"] else minutes
        if booked != minutes:
            yield UnbookedMinutes(rental_id, in_ledger=row["booked"], booked=minutes)
        if row["paid"] != row["paid_minutes"] * row["first_cost"]:
            yield WrongPrice(rental_id, row["paid_minutes"], row["paid"])
        if row["ended_at_us"] is not None:
            started = billing.minutes_started(row["started_at_us"], row["ended_at_us"])
            # The minute that started at its end was not paid.
            unpaid = row["end_reason"] == "depleted" or row["ended_at_us"] == row["limit_at_us"]
            if minutes != started - unpaid:
                yield WrongLength(rental_id, started=started, booked=minutes)
        elif row["cost_per_minute"] and minutes > billing.minutes_started(
            row["started_at_us"], max(row["started_at_us"], row["settled_at_us"])
        ):
            yield UnpaidMinutes(rental_id, minutes)


def _shares(tx: Tx) -> Iterator[Difference]:
    """Compare what each account paid for minutes with the shares of its rentals and what is not shared yet."""
    for row in ledger_audit.wrong_shares(tx, kind=Kind.RENTAL_MINUTES):
        yield WrongShares(row["id"], row["paid"], row["shares"], row["unshared"])


def _sums(tx: Tx) -> Iterator[Difference]:
    """Compare the sums over each account's live rentals."""
    for row in ledger_audit.wrong_sums(tx):
        yield WrongSums(
            row["id"],
            expected=(row["rentals"], row["capped"], row["cost"], row["begun"]),
            stored=(row["live_rentals"], row["capped_rentals"], row["cost_per_minute"], row["begun_cost"]),
        )
    for row in ledger_audit.wrong_minute_costs(tx):
        yield WrongMinuteCost(row["account_id"], row["nth"], row["unit_us"], row["live"], row["stored"])


def _messages(tx: Tx) -> Iterator[Difference]:
    for row in ledger_audit.wrong_message_costs(tx):
        yield WrongMessageCost(row["id"], row["cost"], row["booked"])
    for row in ledger_audit.wrong_message_states(tx):
        yield WrongMessageState(
            row["id"],
            status=row["status"],
            delivery_state=row["state"],
            is_submitted=bool(row["submitted"]),
            is_refunded=bool(row["refunded"]),
        )


def _deposits(tx: Tx) -> Iterator[Difference]:
    for row in ledger_audit.wrong_deposits(tx):
        yield WrongDeposit(
            row["txid"],
            row["vout"],
            owner_id=row["owner"],
            status=row["status"],
            booked_sats=row["booked"],
            amount_sats=row["amount"],
            account_id=row["account_id"],
        )


def _lightning(tx: Tx) -> Iterator[Difference]:
    """Compare invoices with the ledger, and each node's sums with its invoices: received = credited - fees + rounding."""
    for row in ledger_audit.wrong_invoices(tx):
        yield WrongInvoice(
            row["id"],
            row["payment_hash"],
            state=row["state"],
            credited_sats=row["credited"],
            booked_sats=row["booked"],
        )
    for row in ledger_audit.wrong_sign_ups(tx):
        yield WrongSignUp(row["invoice_id"], row["state"], account_id=row["account_id"], owner_id=row["owner"])
    for row in ledger_audit.wrong_lightning_nodes(tx):
        yield WrongNode(
            row["id"],
            expected=(row["received"], row["fee"], row["rounding"], row["credited"]),
            stored=(row["received_msat"], row["fee_msat"], row["rounding_msat"], row["credited_sats"]),
        )
    books = ledger_audit.lightning_books(tx)
    for name in ("fees", "rounding"):
        if books[name] != books[f"booked_{name}"]:
            yield WrongLightningBooks(name, expected_sats=books[name], booked_sats=books[f"booked_{name}"])


def _depletion(tx: Tx) -> Iterator[Difference]:
    """Compare the stored instant at which each account's balance runs out; `_sums` compares its inputs with the
    rentals."""
    for account in ledger_audit.customers(tx):
        expected = billing.runs_out_at(account.balance, account.settled_at_us, account.costs)
        if account.closed_at_us is not None:
            expected = None
        if expected != account.depletes_at_us:
            yield WrongDepletion(account.id, expected_us=expected, stored_us=account.depletes_at_us)
