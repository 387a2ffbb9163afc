"""Verification: recomputes every balance from the books and says what differs.

Reads only, and holds nobody up: nothing is locked, the database compares, and rows that are compared here come in pages.
"""

from dtmf_server.core import billing
from dtmf_server.core.money import Kind
from dtmf_server.storage import ledger_audit
from dtmf_server.storage.db import Tx


def differences(tx: Tx) -> list[str]:
    """One sentence for everything in the database that the books contradict; empty when all agree."""
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


def _balances(tx: Tx) -> list[str]:
    found = [
        f"account {row['id']}: the books give {row['sats']} satoshis, its balance says {row['balance']}"
        for row in ledger_audit.wrong_balances(tx)
    ]
    if total := ledger_audit.sum_of_books(tx):
        found.append(f"the books sum to {total} satoshis instead of 0")
    return found


def _running_balances(tx: Tx) -> list[str]:
    return [
        f"transfer {row['id']} of account {row['account_id']}: the balance after it should be"
        f" {row['expected']}, it says {row['balance']}"
        for row in ledger_audit.wrong_running_balances(tx)
    ]


def _debts(tx: Tx) -> list[str]:
    rows = ledger_audit.debts(tx, incurred=Kind.DEBT, paid=Kind.DEBT_PAID)
    return [
        f"account {row['id']}: the books give a debt of {row['booked']} satoshis, it says {row['debt']}"
        for row in rows
        if row["booked"] != row["debt"]
    ]


def _minutes(tx: Tx) -> list[str]:
    """Each rental's minutes: in one chain, as many as it says and its life allows, and where a transfer paid just these,
    at its price."""
    found = []
    for row in ledger_audit.rental_minutes(tx):
        name = f"rental {row['id']}"
        booked = row["booked"] if row["cost_per_minute"] else row["booked_minutes"]
        if booked != row["booked_minutes"]:
            found.append(f"{name}: {row['booked']} minutes are in the books, it says {row['booked_minutes']}")
        if row["paid"] != row["paid_minutes"] * row["cost_per_minute"]:
            found.append(f"{name}: {row['paid_minutes']} minutes were paid with {row['paid']} satoshis")
        if row["ended_at_us"] is not None:
            started = billing.minutes_started(row["started_at_us"], row["ended_at_us"])
            depleted = row["end_reason"] == "depleted"  # the minute that began at its end was not paid
            if row["booked_minutes"] != started - depleted:
                found.append(f"{name}: lasted {started} started minutes, {row['booked_minutes']} are booked")
        elif row["cost_per_minute"] and row["booked_minutes"] > billing.minutes_started(
            row["started_at_us"], max(row["started_at_us"], row["settled_at_us"])
        ):
            found.append(f"{name}: {row['booked_minutes']} minutes are booked, more than its account has paid for")
    return found


def _shares(tx: Tx) -> list[str]:
    """What each account paid for minutes: the shares of its rentals, and what is not shared out yet."""
    return [
        f"account {row['id']}: paid {row['paid']} satoshis for minutes; its rentals' shares are {row['shares']}, and"
        f" {row['unshared']} are to be shared out"
        for row in ledger_audit.wrong_shares(tx, kind=Kind.RENTAL_MINUTES)
    ]


def _sums(tx: Tx) -> list[str]:
    """The sums over each account's live rentals."""
    return [
        *(
            f"account {row['id']}: its live rentals are {row['rentals']} for {row['cost']} satoshis a minute"
            f" ({row['accrued']} begun), it says {row['live_rentals']} for {row['cost_per_minute']} ({row['begun_cost']})"
            for row in ledger_audit.wrong_sums(tx)
        ),
        *(
            f"account {row['account_id']}: in part {row['nth']} of the minute ({row['unit_us']} microseconds each) rentals"
            f" for {row['live']} satoshis a minute start theirs, the sum says {row['stored']}"
            for row in ledger_audit.wrong_minute_costs(tx)
        ),
    ]


def _messages(tx: Tx) -> list[str]:
    return [
        f"message {row['id']}: costs {row['cost']} satoshis, {row['booked']} are booked for it"
        for row in ledger_audit.wrong_message_costs(tx)
    ] + [
        f"message {row['id']}: is {row['status']}, its delivery is {row['state'] or 'missing'}"
        f"{' and under way' if row['submitted'] else ''}, {'a' if row['refunded'] else 'no'} refund is booked for it"
        for row in ledger_audit.wrong_message_states(tx)
    ]


def _deposits(tx: Tx) -> list[str]:
    return [
        f"deposit {row['txid']}:{row['vout']} of account {row['owner']}: is {row['status']}, {row['booked']} of"
        f" {row['amount']} satoshis are booked for it to account {row['account_id']}"
        for row in ledger_audit.wrong_deposits(tx)
    ]


def _depletion(tx: Tx) -> list[str]:
    """The stored instant at which each account runs out of money; the sums it is computed from are held against the
    rentals by `_sums`."""
    found = []
    for account in ledger_audit.customers(tx):
        expected = billing.runs_out_at(account.balance, account.settled_at_us, account.costs)
        if account.closed_at_us is not None:
            expected = None
        if expected != account.depletes_at_us:
            found.append(
                f"account {account.id}: runs out at {expected}, it says {account.depletes_at_us} (microseconds)"
            )
    return found


def summary(tx: Tx) -> str:
    """What there was to verify."""
    counts = ledger_audit.counts(tx)
    return f"{counts['customers']} accounts, {counts['transfers']} transfers, {counts['rentals']} rentals"
