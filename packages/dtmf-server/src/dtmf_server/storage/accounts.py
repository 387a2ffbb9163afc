"""Accounts with the sums over their live rentals, as the meter needs them; read and written set-wise."""

from collections.abc import Iterable
from dataclasses import dataclass

from dtmf_server.core.billing import KnownCosts, LiveRental
from dtmf_server.core.money import NOBODY
from dtmf_server.core.units import MINUTE_US
from dtmf_server.storage import minute_costs, rentals, schema
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.minute_costs import Change

FEW = 32  # accounts with at most this many live rentals have their costs read at once, together with others


class AccountCosts:
    """Cost per minute of an account's live rentals: in memory if there are few, else queried from the database. Those
    with a monthly cap are in `capped`."""

    def __init__(
        self,
        tx: Tx,
        account_id: int,
        total: int,
        by_phase: dict[int, int] | None,
        known: dict[int, int],
        capped: list[LiveRental],
    ):
        self.total, self.capped = total, capped
        self._tx, self._account_id = tx, account_id
        self._by_phase = by_phase
        self._known = known  # earlier results, by phase
        self._changes: list[Change] = []

    def upto(self, phase_us: int) -> int:
        """Return the cost of the rentals whose phase is at most `phase_us`."""
        if phase_us not in self._known:
            if self._by_phase is not None:
                self._known[phase_us] = sum(cost for phase, cost in self._by_phase.items() if phase <= phase_us)
            else:
                self._write()
                self._known[phase_us] = minute_costs.upto(self._tx, self._account_id, phase_us)
        return self._known[phase_us]

    def first_above(self, sats: int) -> int:
        """Return the smallest phase for which `upto` is more than `sats`."""
        if self._by_phase is not None:
            if len(self._by_phase) == 1:
                return next(iter(self._by_phase))
            return KnownCosts(self._by_phase).first_above(sats)
        self._write()
        return minute_costs.first_above(self._tx, self._account_id, sats)

    @property
    def is_free(self) -> bool:
        """Whether no minute will ever cost anything."""
        return self.total == 0 and not self.capped

    def start(self, rental: LiveRental) -> None:
        """Include a new rental."""
        if rental.monthly_cap is None:
            self._add(rental.phase_us, rental.cost_per_minute)
        else:
            self.capped.append(rental)

    def end(self, rental: LiveRental) -> None:
        """Remove a rental that has ended."""
        if rental.monthly_cap is None:
            self._add(rental.phase_us, -rental.cost_per_minute)
        else:
            self.capped = [other for other in self.capped if other.rental_id != rental.rental_id]

    def _add(self, phase_us: int, cost: int) -> None:
        """Add the cost of a rental of that phase that starts (positive) or ends (negative)."""
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
        """Return the account and its unwritten changes, which the caller must write."""
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
    suspended_at_us: int | None
    limit_at_us: int | None
    costs: AccountCosts

    def is_out_of_money(self, now_us: int) -> bool:
        """Return True if the balance has run out by now."""
        return self.depletes_at_us is not None and self.depletes_at_us <= max(now_us, self.settled_at_us)

    def has_reached_limit(self, now_us: int) -> bool:
        """Return True if a rental has reached a limit or changed its price by now, and not after the balance ran out."""
        if self.limit_at_us is None or self.limit_at_us > max(now_us, self.settled_at_us):
            return False
        return self.depletes_at_us is None or self.limit_at_us <= self.depletes_at_us


_COLUMNS = (
    "id, balance, debt, settled_at_us, depletes_at_us, low_balance_warnings, live_rentals, capped_rentals,"
    " cost_per_minute, begun_cost, closed_at_us, suspended_at_us, limit_at_us"
)


def add(tx: Tx, *, now_us: int) -> int:
    """Add a customer account. Return its ID."""
    row = tx.one(
        "INSERT INTO accounts (kind, created_at_us, settled_at_us, balance, debt)"
        " VALUES ('customer', :now_us, :now_us, 0, 0) RETURNING id",
        now_us=now_us,
    )
    assert row is not None
    tx.note("accounts", [row["id"]])
    return int(row["id"])


def lock_and_load(tx: Tx, account_ids: Iterable[int]) -> dict[int, Account]:
    """Lock these accounts in the order of their IDs until the transaction ends, and return them."""
    ids = sorted(set(account_ids))
    rows = tx.all(f"SELECT {_COLUMNS} FROM accounts WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE", ids=ids)
    return {account.id: account for account in _with_costs(tx, rows)}


def lock(tx: Tx, *account_ids: int) -> None:
    """Lock accounts until the transaction ends: concurrent changes are either visible or wait."""
    tx.lock_rows("SELECT id FROM accounts WHERE id = ANY(:ids) ORDER BY id", ids=sorted(account_ids))


def totals(tx: Tx) -> Row:
    """Return the number of customer accounts that are not closed, and the sums of all customers' booked balances and
    debts."""
    row = tx.one(
        "SELECT count(*) FILTER (WHERE closed_at_us IS NULL) AS open, coalesce(sum(balance), 0) AS balance,"
        " coalesce(sum(debt), 0) AS debt FROM accounts WHERE kind = 'customer'"
    )
    assert row is not None
    return row


def by_ids(tx: Tx, ids: list[int]) -> list[Account]:
    """Return these accounts, for reading."""
    return _with_costs(tx, tx.all(f"SELECT {_COLUMNS} FROM accounts WHERE id = ANY(:ids) ORDER BY id", ids=ids))


def load(tx: Tx, account_id: int) -> Account:
    """Return one account, for reading."""
    (account,) = by_ids(tx, [account_id])
    return account


def customers(tx: Tx, *, after: int, limit: int, ids: list[int] | None = None) -> list[Row]:
    """Return customers' accounts with IDs above `after`, as booked, in order; or only those of `ids`."""
    return tx.all(
        "SELECT id, created_at_us, closed_at_us, suspended_at_us, balance, debt, live_rentals FROM accounts"
        f" WHERE id > :after{'' if ids is None else ' AND id = ANY(:ids)'} ORDER BY id LIMIT :limit",
        after=max(after, NOBODY),
        limit=limit,
        **({} if ids is None else {"ids": ids}),
    )


def debt(tx: Tx, account_id: int) -> int:
    """Return the satoshis that the account owes."""
    row = tx.one("SELECT debt FROM accounts WHERE id = :id", id=account_id)
    assert row is not None
    return int(row["debt"])


def debt_and_suspension(tx: Tx, account_id: int) -> Row:
    """Return the satoshis that the account owes, and when it was suspended."""
    row = tx.one("SELECT debt, suspended_at_us FROM accounts WHERE id = :id", id=account_id)
    assert row is not None
    return row


def suspend(tx: Tx, account_id: int, *, at_us: int | None) -> None:
    """Mark a locked account as suspended since then; None: as not suspended."""
    tx.run("UPDATE accounts SET suspended_at_us = :at_us WHERE id = :id", id=account_id, at_us=at_us)


def suspended_among(tx: Tx, account_ids: Iterable[int]) -> set[int]:
    """Return those of these accounts that are suspended."""
    rows = tx.all(
        "SELECT id FROM accounts WHERE id = ANY(:ids) AND suspended_at_us IS NOT NULL", ids=sorted(set(account_ids))
    )
    return {row["id"] for row in rows}


def at(tx: Tx, account_id: int, *, now_us: int) -> Row:
    """Return one account as booked. `accrued_now` is the cost per minute of its rentals whose phase has passed at
    `now_us`. One statement, so that all of it is one consistent state."""
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
    capped = rentals.capped(tx, [row["id"] for row in rows if row["capped_rentals"]])
    return [
        _account(
            tx, row, by_phase.get(row["id"], {}) if row["live_rentals"] <= FEW else None, capped.get(row["id"], [])
        )
        for row in rows
    ]


def _account(tx: Tx, row: Row, by_phase: dict[int, int] | None, capped: list[LiveRental]) -> Account:
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
        row["suspended_at_us"],
        row["limit_at_us"],
        AccountCosts(tx, row["id"], row["cost_per_minute"], by_phase, known, capped),
    )


def store(tx: Tx, accounts: Iterable[Account]) -> None:
    """Write the changes of these accounts, which the transaction has locked."""
    every = list(accounts)
    columns = (
        "id",
        "balance",
        "debt",
        "settled_at_us",
        "depletes_at_us",
        "low_balance_warnings",
        "live_rentals",
        "capped_rentals",
        "cost_per_minute",
        "begun_cost",
        "limit_at_us",
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
            len(a.costs.capped),
            a.costs.total,
            a.costs.upto(a.settled_at_us % MINUTE_US),
            a.limit_at_us,
        )
        for a in every
    ]
    minute_costs.change(tx, [a.costs.take_changes() for a in every])
    tx.update(schema.accounts, columns, rows)


def due_for_settlement(tx: Tx, *, now_us: int, settled_before_us: int, limit: int) -> list[int]:
    """Return accounts whose balance has run out, or one of whose rentals has reached a limit or changed its price, by now;
    then those not settled since `settled_before_us`."""
    rows = tx.all(
        "SELECT id FROM accounts WHERE depletes_at_us IS NOT NULL AND depletes_at_us <= :now_us"
        " ORDER BY depletes_at_us LIMIT :limit",
        now_us=now_us,
        limit=limit,
    )
    rows += tx.all(
        "SELECT id FROM accounts WHERE limit_at_us IS NOT NULL AND limit_at_us <= :now_us"
        " ORDER BY limit_at_us LIMIT :limit",
        now_us=now_us,
        limit=limit - len(rows),
    )
    rows += tx.all(
        "SELECT id FROM accounts WHERE depletes_at_us IS NOT NULL AND settled_at_us <= :settled_before_us"
        " ORDER BY settled_at_us LIMIT :limit",
        settled_before_us=settled_before_us,
        limit=limit - len(rows),
    )
    return sorted({row["id"] for row in rows})


def due_for_warning(tx: Tx, *, given: int, depletes_by_us: int, limit: int) -> list[int]:
    """Return accounts with `given` warnings whose balance runs out by `depletes_by_us`."""
    rows = tx.all(
        "SELECT id FROM accounts WHERE low_balance_warnings = :given AND depletes_at_us IS NOT NULL"
        " AND depletes_at_us <= :depletes_by_us ORDER BY depletes_at_us LIMIT :limit",
        given=given,
        depletes_by_us=depletes_by_us,
        limit=limit,
    )
    return [row["id"] for row in rows]


def first_due(tx: Tx, *, warnings: int) -> Row:
    """Return, of all accounts whose balance can run out: the first run-out, the first one of those with 0, 1, …
    warnings (`unwarned_0`, …), and the oldest settlement; and the first limit of a rental. Each is None if there is no
    such account."""
    running = "FROM accounts WHERE depletes_at_us IS NOT NULL"
    unwarned = "".join(
        f", (SELECT min(depletes_at_us) {running} AND low_balance_warnings = {given}) AS unwarned_{given}"
        for given in range(warnings)
    )
    row = tx.one(
        f"SELECT (SELECT min(depletes_at_us) {running}) AS depletes_at_us,"
        " (SELECT min(limit_at_us) FROM accounts WHERE limit_at_us IS NOT NULL) AS limit_at_us,"
        f" (SELECT min(settled_at_us) {running}) AS settled_at_us{unwarned}"
    )
    assert row is not None
    return row


def webhook_version(tx: Tx, account_id: int) -> tuple[int, int | None]:
    """Return the version of the account's webhook secret, and when it was rotated."""
    row = tx.one("SELECT webhook_version, webhook_rotated_wall_us FROM accounts WHERE id = :id", id=account_id)
    assert row is not None
    return row["webhook_version"], row["webhook_rotated_wall_us"]


def rotate_webhook_secret(tx: Tx, account_id: int, *, wall_us: int) -> None:
    """Make the next version of the secret sign from now on."""
    tx.run(
        "UPDATE accounts SET webhook_version = webhook_version + 1, webhook_rotated_wall_us = :wall_us WHERE id = :id",
        id=account_id,
        wall_us=wall_us,
    )


def webhook_urls(tx: Tx, account_ids: list[int]) -> dict[int, str]:
    """Return the URL that each account's own events are posted to; accounts without a webhook are left out."""
    rows = tx.all(
        "SELECT id, webhook_url FROM accounts WHERE id = ANY(:ids) AND webhook_url IS NOT NULL", ids=account_ids
    )
    return {row["id"]: row["webhook_url"] for row in rows}


def set_webhook_url(tx: Tx, account_id: int, url: str | None, *, token_id: int | None = None) -> None:
    """Set the URL that the account's own events are posted to, or None. `token_id`: the restricted token that does."""
    tx.run(
        "UPDATE accounts SET webhook_url = :url, webhook_token_id = :token_id WHERE id = :id",
        id=account_id,
        url=url,
        token_id=token_id,
    )


def webhook_token(tx: Tx, account_id: int) -> int | None:
    """Return the restricted token that set the account's webhook, if one did."""
    row = tx.one("SELECT webhook_token_id FROM accounts WHERE id = :id", id=account_id)
    assert row is not None
    token_id: int | None = row["webhook_token_id"]
    return token_id


def webhook_versions(tx: Tx, account_ids: list[int]) -> dict[int, Row]:
    """Return the same for several accounts."""
    rows = tx.all(
        "SELECT id, webhook_version, webhook_rotated_wall_us FROM accounts WHERE id = ANY(:ids)", ids=account_ids
    )
    return {row["id"]: row for row in rows}
