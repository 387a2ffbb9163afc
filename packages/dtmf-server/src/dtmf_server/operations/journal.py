"""The ledger of a span of days as a double-entry journal for an accountant: opening balances, postings, closing balances.

Every transfer is two postings, a debit and a credit. Debits and credits are equal in each of the three parts. All customers
are one account. Phone numbers are left out: a reference is only in the file where it is a transaction or a payment hash.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import Struct

from dtmf_server.core.days import day_name
from dtmf_server.core.money import FIRST_CUSTOMER, Kind
from dtmf_server.core.timestamps import iso
from dtmf_server.operations.money import NAMES
from dtmf_server.storage import ledger_days, rental_prices
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.ledger_days import CUSTOMERS

_PRICED = {Kind.RENTAL_SETUP, Kind.RENTAL_MINUTES, Kind.MESSAGE_RECEIVED}
_SHOWN_REFERENCES = {Kind.DEPOSIT, Kind.DEPOSIT_REVERSED, Kind.LIGHTNING_DEPOSIT}


class Entry(Struct, frozen=True, kw_only=True):
    """A line of the journal, in satoshis; one of `debit` and `credit` is 0. `part`: "opening", "posting" or "closing".
    `customer`: the account, if it is a customer's. `rates`: the prices of one bitcoin that the prices of pegged groups were
    computed from, like "EUR 60000"; several, where a posting pays for several rentals, are separated by semicolons."""

    part: str
    timestamp: str
    transfer: int | None = None
    kind: str = ""
    account: str
    customer: int | None = None
    debit: int = 0
    credit: int = 0
    reference: str = ""
    rates: str = ""


class JournalDoesNotSumUp(Exception):
    """The opening balances and the postings do not lead to the closing balances: the daily sums of the ledger differ from
    its transfers."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The size of a journal, in satoshis."""

    transfers: int
    moved_sats: int


def entries(tx: Tx, *, from_day: int, before_day: int) -> Iterator[Entry]:
    """Yield the journal of these days, reading the transfers in pages. Raises JournalDoesNotSumUp before the closing
    balances."""
    balances = ledger_days.balances(tx, before_day=from_day)
    closing = ledger_days.balances(tx, before_day=before_day)
    names = sorted(balances.keys() | closing.keys())
    for account in names:
        yield _balance("opening", day_name(from_day), account, balances.get(account, 0))
    has_rates = rental_prices.exist(tx)
    for row in ledger_days.transfers(tx, from_day=from_day, before_day=before_day):
        reference = row["reference"] if row["kind"] in _SHOWN_REFERENCES else ""
        rates = _rates(tx, row) if has_rates and row["kind"] in _PRICED else ""
        for account, sats in ((row["debit"], -row["amount"]), (row["credit"], row["amount"])):
            is_customer = account >= FIRST_CUSTOMER
            ledger_account = CUSTOMERS if is_customer else account
            balances[ledger_account] = balances.get(ledger_account, 0) + sats
            yield Entry(
                part="posting",
                timestamp=iso(row["at_us"]),
                transfer=row["id"],
                kind=row["kind"],
                account=_name(ledger_account),
                customer=account if is_customer else None,
                debit=max(0, -sats),
                credit=max(0, sats),
                reference=reference,
                rates=rates,
            )
    if any(balances.get(account, 0) != closing.get(account, 0) for account in balances.keys() | closing.keys()):
        raise JournalDoesNotSumUp
    for account in names:
        yield _balance("closing", day_name(before_day), account, closing.get(account, 0))


def _rates(tx: Tx, row: Row) -> str:
    """Return the rates of the rentals that a transfer pays for, as in `Entry`."""
    if row["kind"] == Kind.MESSAGE_RECEIVED:
        found = rental_prices.rate_of_message(tx, int(row["ref"]))
    elif row["ref"].startswith("account "):  # the minutes of all rentals since the settlement at this instant
        after_us = int(row["ref"].partition(":")[2])
        found = rental_prices.rates_between(tx, row["account_id"], after_us=after_us, until_us=row["at_us"])
    else:
        found = rental_prices.first_rate(tx, int(row["ref"].partition(":")[0]))
    return "; ".join(f"{each['currency']} {each['rate']}" for each in found)


def _balance(part: str, day: str, account: int, sats: int) -> Entry:
    """Return a balance at the beginning of a day."""
    timestamp = f"{day}T00:00:00.000000"
    return Entry(part=part, timestamp=timestamp, account=_name(account), debit=max(0, -sats), credit=max(0, sats))


def _name(account: int) -> str:
    return NAMES.get(account, str(account))


def summary(tx: Tx, *, from_day: int, before_day: int) -> Summary:
    """Return how many transfers these days have, and their sum."""
    rows = ledger_days.moved(tx, from_day=from_day, before_day=before_day)
    return Summary(sum(row["transfers"] for row in rows), sum(row["amount"] for row in rows))
