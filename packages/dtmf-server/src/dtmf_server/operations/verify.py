"""Verification: recomputes every balance from the ledger and gives what differs.

Reads only, and holds nobody up: nothing is locked, the database compares, and rows that are compared here come in pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dtmf_server.core import billing
from dtmf_server.core.money import Kind
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
    """All transfers together are not 0."""

    sats: int


@dataclass(frozen=True, slots=True)
class WrongRunningBalance:
    """A transfer with another balance after it than the one before it leaves."""

    transfer_id: int
    account_id: int
    expected_sats: int
    balance_sats: int


@dataclass(frozen=True, slots=True)
class WrongDebt:
    """An account whose debt is not what its transfers say."""

    account_id: int
    booked_sats: int
    debt_sats: int


@dataclass(frozen=True, slots=True)
class UnbookedMinutes:
    """A rental that has another number of booked minutes than the ledger."""

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
    """An ended rental with other booked minutes than it lasted."""

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
    """An account that paid something else for minutes than its rentals' shares."""

    account_id: int
    paid_sats: int
    shares_sats: int
    unshared_sats: int


@dataclass(frozen=True, slots=True)
class WrongSums:
    """An account whose sums are not those over its live rentals: how many, their cost per minute, and the cost of the
    minutes that have begun."""

    account_id: int
    expected: tuple[int, int, int]
    stored: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class WrongMinuteCost:
    """A part of the minute in which rentals start theirs for another cost than the sum says."""

    account_id: int
    nth: int
    unit_us: int
    expected_sats: int
    stored_sats: int


@dataclass(frozen=True, slots=True)
class WrongMessageCost:
    """A message that costs something else than is booked for it."""

    message_id: int
    cost_sats: int
    booked_sats: int


@dataclass(frozen=True, slots=True)
class WrongMessageState:
    """A message whose status does not go with its delivery or its refund."""

    message_id: int
    status: str
    delivery_state: str | None
    is_submitted: bool
    is_refunded: bool


@dataclass(frozen=True, slots=True)
class WrongDeposit:
    """A deposit whose status does not go with what is booked for it."""

    txid: str
    vout: int
    owner_id: int
    status: str
    booked_sats: int
    amount_sats: int
    account_id: int


@dataclass(frozen=True, slots=True)
class WrongDepletion:
    """An account that runs out of money at another instant than it says."""

    account_id: int
    expected_us: int | None
    stored_us: int | None


Difference = (
    WrongBalance
    | WrongTotal
    | WrongRunningBalance
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
    | WrongDepletion
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What there was to verify."""

    customers: int
    transfers: int
    rentals: int


def counts(tx: Tx) -> Counts:
    """What there is to verify."""
    row = ledger_audit.counts(tx)
    return Counts(row["customers"], row["transfers"], row["rentals"])


def differences(tx: Tx) -> list[Difference]:
    """Everything in the database that the ledger contradicts; empty when all agree."""
    return [
        *_balances(tx),
        *_running_balances(tx),
        *_debts(tx),
        *_minutes(tx),
        *_shares(tx),
        *_sums(tx),
        *_messages(tx),
        *_deposits(tx),
        *_depletion(tx),
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
    """Each rental's minutes: in one chain, as many as it says and its life allows, and where a transfer paid just these,
    at its price."""
    for row in ledger_audit.rental_minutes(tx):
        rental_id, minutes = row["id"], row["booked_minutes"]
        booked = row["booked"] if row["cost_per_minute"] else minutes
        if booked != minutes:
            yield UnbookedMinutes(rental_id, in_ledger=row["booked"], booked=minutes)
        if row["paid"] != row["paid_minutes"] * row["cost_per_minute"]:
            yield WrongPrice(rental_id, row["paid_minutes"], row["paid"])
        if row["ended_at_us"] is not None:
            started = billing.minutes_started(row["started_at_us"], row["ended_at_us"])
            depleted = row["end_reason"] == "depleted"  # the minute that began at its end was not paid
            if minutes != started - depleted:
                yield WrongLength(rental_id, started=started, booked=minutes)
        elif row["cost_per_minute"] and minutes > billing.minutes_started(
            row["started_at_us"], max(row["started_at_us"], row["settled_at_us"])
        ):
            yield UnpaidMinutes(rental_id, minutes)


def _shares(tx: Tx) -> Iterator[Difference]:
    """What each account paid for minutes: the shares of its rentals, and what is not shared out yet."""
    for row in ledger_audit.wrong_shares(tx, kind=Kind.RENTAL_MINUTES):
        yield WrongShares(row["id"], row["paid"], row["shares"], row["unshared"])


def _sums(tx: Tx) -> Iterator[Difference]:
    """The sums over each account's live rentals."""
    for row in ledger_audit.wrong_sums(tx):
        yield WrongSums(
            row["id"],
            expected=(row["rentals"], row["cost"], row["accrued"]),
            stored=(row["live_rentals"], row["cost_per_minute"], row["begun_cost"]),
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


def _depletion(tx: Tx) -> Iterator[Difference]:
    """The stored instant at which each account runs out of money; the sums it is computed from are held against the
    rentals by `_sums`."""
    for account in ledger_audit.customers(tx):
        expected = billing.runs_out_at(account.balance, account.settled_at_us, account.costs)
        if account.closed_at_us is not None:
            expected = None
        if expected != account.depletes_at_us:
            yield WrongDepletion(account.id, expected_us=expected, stored_us=account.depletes_at_us)
