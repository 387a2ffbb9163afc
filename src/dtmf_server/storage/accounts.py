"""Accounts with their live rentals: what the meter needs to know, read and written set-wise."""

from collections.abc import Iterable
from dataclasses import dataclass

from dtmf_server.core.billing import MINUTE_US, Running
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx


@dataclass(slots=True)
class Account:
    """An account as booked: everything after `settled_at_us` is still to be computed."""

    id: int
    balance: int
    debt: int
    settled_at_us: int
    depletes_at_us: int | None
    low_balance_warnings: int
    running: tuple[Running, ...]


_COLUMNS = "id, balance, debt, settled_at_us, depletes_at_us, low_balance_warnings"


def add(tx: Tx, *, now_us: int) -> int:
    """The id of a new customer's account."""
    row = tx.one(
        "INSERT INTO accounts (kind, created_at_us, settled_at_us, balance, debt)"
        " VALUES ('customer', :now_us, :now_us, 0, 0) RETURNING id",
        now_us=now_us,
    )
    assert row is not None
    return int(row["id"])


def lock(tx: Tx, account_ids: Iterable[int]) -> dict[int, Account]:
    """These accounts, nobody else's until the transaction ends; locked in the order of their ids."""
    ids = sorted(set(account_ids))
    rows = tx.all(f"SELECT {_COLUMNS} FROM accounts WHERE id IN @ids ORDER BY id @LOCK", ids=ids)
    return _with_running(tx, rows)


def hold(tx: Tx, *account_ids: int) -> None:
    """Locks accounts until the transaction ends: what others do to them is either seen or still to come."""
    tx.hold("SELECT id FROM accounts WHERE id IN @ids ORDER BY id", ids=sorted(account_ids))


def load(tx: Tx, account_id: int) -> Account:
    """One account, for reading."""
    rows = tx.all(
        "SELECT a.id, a.balance, a.debt, a.settled_at_us, a.depletes_at_us, a.low_balance_warnings,"
        " r.id AS rental_id, r.started_at_us, r.cost_per_minute, r.booked_minutes"
        " FROM accounts a LEFT JOIN rentals r ON r.account_id = a.id AND r.ended_at_us IS NULL"
        " WHERE a.id = :account_id ORDER BY r.started_at_us, r.id",
        account_id=account_id,
    )
    return _account(rows[0], tuple(_running(row) for row in rows if row["rental_id"] is not None))


def debt(tx: Tx, account_id: int) -> int:
    """Satoshis that the account owes."""
    row = tx.one("SELECT debt FROM accounts WHERE id = :id", id=account_id)
    assert row is not None
    return int(row["debt"])


def begun(tx: Tx, account_id: int, *, now_us: int) -> Row:
    """Balance and run-out of one account as booked, its own now, and what the minutes cost that have begun by then and are
    not booked: summed here, where ten rentals take a third of the time that reading them does."""
    row = tx.one(
        "SELECT a.balance, a.depletes_at_us, a.now_us, (SELECT CAST(coalesce(sum("
        f"((a.now_us - r.started_at_us) / {MINUTE_US} + 1 - r.booked_minutes) * r.cost_per_minute), 0) AS bigint)"
        "  FROM rentals r WHERE r.account_id = a.id AND r.ended_at_us IS NULL) AS cost_begun"
        " FROM (SELECT id, balance, depletes_at_us,"
        "  CASE WHEN settled_at_us > :now_us THEN settled_at_us ELSE :now_us END AS now_us"
        "  FROM accounts WHERE id = :account_id) a",
        account_id=account_id,
        now_us=now_us,
    )
    assert row is not None
    return row


def _with_running(tx: Tx, accounts: list[Row]) -> dict[int, Account]:
    """The accounts with their live rentals, oldest first."""
    rows = tx.all(
        "SELECT account_id, id AS rental_id, started_at_us, cost_per_minute, booked_minutes FROM rentals"
        " WHERE account_id IN @ids AND ended_at_us IS NULL ORDER BY started_at_us, id",
        ids=[account["id"] for account in accounts],
    )
    running: dict[int, list[Running]] = {}
    for row in rows:
        running.setdefault(row["account_id"], []).append(_running(row))
    return {a["id"]: _account(a, tuple(running.get(a["id"], ()))) for a in accounts}


def _running(row: Row) -> Running:
    return Running(row["rental_id"], row["started_at_us"], row["cost_per_minute"], row["booked_minutes"])


def _account(row: Row, running: tuple[Running, ...]) -> Account:
    return Account(
        row["id"],
        row["balance"],
        row["debt"],
        row["settled_at_us"],
        row["depletes_at_us"],
        row["low_balance_warnings"],
        running,
    )


def store(tx: Tx, accounts: Iterable[Account]) -> None:
    """Writes what changed of these accounts, which the transaction has locked."""
    columns = ("id", "balance", "debt", "settled_at_us", "depletes_at_us", "low_balance_warnings")
    rows = [(a.id, a.balance, a.debt, a.settled_at_us, a.depletes_at_us, a.low_balance_warnings) for a in accounts]
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


def by_ids(tx: Tx, ids: list[int]) -> list[Account]:
    """These accounts, for reading."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM accounts WHERE id IN @ids ORDER BY id", ids=ids)
    return list(_with_running(tx, rows).values())


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
    rows = tx.all("SELECT id, webhook_url FROM accounts WHERE id IN @ids AND webhook_url IS NOT NULL", ids=account_ids)
    return {row["id"]: row["webhook_url"] for row in rows}


def set_webhook_url(tx: Tx, account_id: int, url: str | None) -> None:
    """Sets where the account's own events are posted, None for nowhere."""
    tx.run("UPDATE accounts SET webhook_url = :url WHERE id = :id", id=account_id, url=url)


def webhook_versions(tx: Tx, account_ids: list[int]) -> dict[int, Row]:
    """The same of several accounts."""
    rows = tx.all("SELECT id, webhook_version, webhook_rotated_wall_us FROM accounts WHERE id IN @ids", ids=account_ids)
    return {row["id"]: row for row in rows}
