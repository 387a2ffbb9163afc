"""Accounts with the sums over their live rentals: what the meter needs to know, read and written set-wise."""

from collections.abc import Iterable
from dataclasses import dataclass

from dtmf_server.core.billing import KnownCosts
from dtmf_server.core.units import MINUTE_US
from dtmf_server.storage import minute_costs, schema
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.minute_costs import Change

FEW = 32  # live rentals of an account whose costs are read at once, with those of others


class AccountCosts:
    """What an account's live rentals cost per minute: in memory where they are few, else asked of the database."""

    def __init__(self, tx: Tx, account_id: int, total: int, by_phase: dict[int, int] | None, known: dict[int, int]):
        self.total = total
        self._tx, self._account_id = tx, account_id
        self._by_phase = by_phase
        self._known = known  # what was asked before, by phase
        self._changes: list[Change] = []

    def upto(self, phase_us: int) -> int:
        """What those cost whose phase is at most that."""
        if phase_us not in self._known:
            if self._by_phase is not None:
                self._known[phase_us] = sum(cost for phase, cost in self._by_phase.items() if phase <= phase_us)
            else:
                self._write()
                self._known[phase_us] = minute_costs.upto(self._tx, self._account_id, phase_us)
        return self._known[phase_us]

    def first_above(self, sats: int) -> int:
        """The smallest phase for which `upto` is more than that."""
        if self._by_phase is not None:
            if len(self._by_phase) == 1:
                return next(iter(self._by_phase))
            return KnownCosts(self._by_phase).first_above(sats)
        self._write()
        return minute_costs.first_above(self._tx, self._account_id, sats)

    def add(self, phase_us: int, cost: int) -> None:
        """A rental of that phase starts (above 0) or ends (below 0)."""
        if cost == 0:
            return
        self.total += cost
        self._changes.append((phase_us, cost))
        for phase in self._known:
            if phase_us <= phase:
                self._known[phase] += cost
        if self._by_phase is not None:
            self._by_phase[phase_us] = self._by_phase.get(phase_us, 0) + cost
            if self._by_phase[phase_us] == 0:
                del self._by_phase[phase_us]

    def take_changes(self) -> tuple[int, list[Change]]:
        """The account and what changed and is not written yet; it is the caller's to write."""
        changes, self._changes = self._changes, []
        return self._account_id, changes

    def _write(self) -> None:
        if self._changes:
            minute_costs.change(self._tx, [self.take_changes()])


@dataclass(slots=True)
class Account:
    """An account as booked: everything after `settled_at_us` is still to be computed."""

    id: int
    balance: int
    debt: int
    settled_at_us: int
    depletes_at_us: int | None
    low_balance_warnings: int
    live_rentals: int
    closed_at_us: int | None
    costs: AccountCosts


_COLUMNS = (
    "id, balance, debt, settled_at_us, depletes_at_us, low_balance_warnings, live_rentals, cost_per_minute, begun_cost,"
    " closed_at_us"
)


def add(tx: Tx, *, now_us: int) -> int:
    """The id of a new customer's account."""
    row = tx.one(
        "INSERT INTO accounts (kind, created_at_us, settled_at_us, balance, debt)"
        " VALUES ('customer', :now_us, :now_us, 0, 0) RETURNING id",
        now_us=now_us,
    )
    assert row is not None
    return int(row["id"])


def lock_and_load(tx: Tx, account_ids: Iterable[int]) -> dict[int, Account]:
    """These accounts, locked in the order of their ids until the transaction ends."""
    ids = sorted(set(account_ids))
    rows = tx.all(f"SELECT {_COLUMNS} FROM accounts WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE", ids=ids)
    return {account.id: account for account in _with_costs(tx, rows)}


def lock(tx: Tx, *account_ids: int) -> None:
    """Lock accounts until the transaction ends: what others do to them is either seen or still to come."""
    tx.lock_rows("SELECT id FROM accounts WHERE id = ANY(:ids) ORDER BY id", ids=sorted(account_ids))


def by_ids(tx: Tx, ids: list[int]) -> list[Account]:
    """These accounts, for reading."""
    return _with_costs(tx, tx.all(f"SELECT {_COLUMNS} FROM accounts WHERE id = ANY(:ids) ORDER BY id", ids=ids))


def load(tx: Tx, account_id: int) -> Account:
    """One account, for reading."""
    (account,) = by_ids(tx, [account_id])
    return account


def debt(tx: Tx, account_id: int) -> int:
    """Satoshis that the account owes."""
    row = tx.one("SELECT debt FROM accounts WHERE id = :id", id=account_id)
    assert row is not None
    return int(row["debt"])


def at(tx: Tx, account_id: int, *, now_us: int) -> Row:
    """One account as booked, with what its rentals cost per minute whose minutes start by then within the minute of the
    clock (`accrued_now`): one statement, of one state."""
    row = tx.one(
        f"SELECT a.*, {minute_costs.UPTO} AS accrued_now FROM (SELECT {_COLUMNS} FROM accounts WHERE id = :account_id) a",
        account_id=account_id,
        **minute_costs.at_phase(now_us % MINUTE_US),
    )
    assert row is not None
    return row


def _with_costs(tx: Tx, rows: list[Row]) -> list[Account]:
    few = [row["id"] for row in rows if row["cost_per_minute"] and row["live_rentals"] <= FEW]
    by_phase = minute_costs.by_phase(tx, few)
    return [_account(tx, row, by_phase.get(row["id"], {}) if row["live_rentals"] <= FEW else None) for row in rows]


def _account(tx: Tx, row: Row, by_phase: dict[int, int] | None) -> Account:
    known = {row["settled_at_us"] % MINUTE_US: row["begun_cost"]}
    return Account(
        row["id"],
        row["balance"],
        row["debt"],
        row["settled_at_us"],
        row["depletes_at_us"],
        row["low_balance_warnings"],
        row["live_rentals"],
        row["closed_at_us"],
        AccountCosts(tx, row["id"], row["cost_per_minute"], by_phase, known),
    )


def store(tx: Tx, accounts: Iterable[Account]) -> None:
    """Writes what changed of these accounts, which the transaction has locked."""
    every = list(accounts)
    columns = (
        "id",
        "balance",
        "debt",
        "settled_at_us",
        "depletes_at_us",
        "low_balance_warnings",
        "live_rentals",
        "cost_per_minute",
        "begun_cost",
    )
    rows = [
        (
            a.id,
            a.balance,
            a.debt,
            a.settled_at_us,
            a.depletes_at_us,
            a.low_balance_warnings,
            a.live_rentals,
            a.costs.total,
            a.costs.upto(a.settled_at_us % MINUTE_US),
        )
        for a in every
    ]
    minute_costs.change(tx, [a.costs.take_changes() for a in every])
    tx.update(schema.accounts, columns, rows)


def due_for_settlement(tx: Tx, *, now_us: int, settled_before_us: int, limit: int) -> list[int]:
    """Accounts whose money has run out by now, then those not settled since `settled_before_us`."""
    rows = tx.all(
        "SELECT id FROM accounts WHERE depletes_at_us IS NOT NULL AND depletes_at_us <= :now_us"
        " ORDER BY depletes_at_us LIMIT :limit",
        now_us=now_us,
        limit=limit,
    )
    rows += tx.all(
        "SELECT id FROM accounts WHERE depletes_at_us IS NOT NULL AND settled_at_us <= :settled_before_us"
        " ORDER BY settled_at_us LIMIT :limit",
        settled_before_us=settled_before_us,
        limit=limit - len(rows),
    )
    return sorted({row["id"] for row in rows})


def due_for_warning(tx: Tx, *, given: int, depletes_by_us: int, limit: int) -> list[int]:
    """Accounts that were given so many warnings and whose money runs out by then."""
    rows = tx.all(
        "SELECT id FROM accounts WHERE low_balance_warnings = :given AND depletes_at_us IS NOT NULL"
        " AND depletes_at_us <= :depletes_by_us ORDER BY depletes_at_us LIMIT :limit",
        given=given,
        depletes_by_us=depletes_by_us,
        limit=limit,
    )
    return [row["id"] for row in rows]


def first_due(tx: Tx, *, warnings: int) -> Row:
    """Of all whose money can run out: the first run-out, the first of those given 0, 1, … warnings (`unwarned_0`, …),
    and when the one was settled that has waited longest for it. Each None without one."""
    running = "FROM accounts WHERE depletes_at_us IS NOT NULL"
    unwarned = "".join(
        f", (SELECT min(depletes_at_us) {running} AND low_balance_warnings = {given}) AS unwarned_{given}"
        for given in range(warnings)
    )
    row = tx.one(
        f"SELECT (SELECT min(depletes_at_us) {running}) AS depletes_at_us,"
        f" (SELECT min(settled_at_us) {running}) AS settled_at_us{unwarned}"
    )
    assert row is not None
    return row


def webhook_version(tx: Tx, account_id: int) -> tuple[int, int | None]:
    """The version of the account's webhook secret, and when it was rotated."""
    row = tx.one("SELECT webhook_version, webhook_rotated_wall_us FROM accounts WHERE id = :id", id=account_id)
    assert row is not None
    return row["webhook_version"], row["webhook_rotated_wall_us"]


def rotate_webhook_secret(tx: Tx, account_id: int, *, wall_us: int) -> None:
    """The next version signs from now on."""
    tx.run(
        "UPDATE accounts SET webhook_version = webhook_version + 1, webhook_rotated_wall_us = :wall_us WHERE id = :id",
        id=account_id,
        wall_us=wall_us,
    )


def webhook_urls(tx: Tx, account_ids: list[int]) -> dict[int, str]:
    """Where these accounts' own events are posted; accounts without a webhook are left out."""
    rows = tx.all(
        "SELECT id, webhook_url FROM accounts WHERE id = ANY(:ids) AND webhook_url IS NOT NULL", ids=account_ids
    )
    return {row["id"]: row["webhook_url"] for row in rows}


def set_webhook_url(tx: Tx, account_id: int, url: str | None) -> None:
    """Sets where the account's own events are posted, None for nowhere."""
    tx.run("UPDATE accounts SET webhook_url = :url WHERE id = :id", id=account_id, url=url)


def webhook_versions(tx: Tx, account_ids: list[int]) -> dict[int, Row]:
    """The same of several accounts."""
    rows = tx.all(
        "SELECT id, webhook_version, webhook_rotated_wall_us FROM accounts WHERE id = ANY(:ids)", ids=account_ids
    )
    return {row["id"]: row for row in rows}
