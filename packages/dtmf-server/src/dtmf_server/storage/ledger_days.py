"""The daily sums of the ledger, and the balances of its accounts: the sums, and the few transfers after the last in them.

All customers are one account, `CUSTOMERS`.
"""

from collections.abc import Iterator

from dtmf_server.core.money import FIRST_CUSTOMER
from dtmf_server.core.units import DAY_US
from dtmf_server.storage import ledger_audit
from dtmf_server.storage.db import Row, Tx

CUSTOMERS = 0

_DEBIT = f"CASE WHEN debit >= {FIRST_CUSTOMER} THEN {CUSTOMERS} ELSE debit END"
_CREDIT = f"CASE WHEN credit >= {FIRST_CUSTOMER} THEN {CUSTOMERS} ELSE credit END"


def _by_day(where: str) -> str:
    """Return the SQL for the sums of some transfers."""
    return (
        f"SELECT at_us / {DAY_US} AS day, kind, {_DEBIT} AS debit, {_CREDIT} AS credit,"
        " CAST(sum(amount) AS bigint) AS amount, count(*) AS transfers, min(id) AS first_id, max(id) AS last_id"
        f" FROM transfers{where} GROUP BY at_us / {DAY_US}, kind, {_DEBIT}, {_CREDIT}"
    )


# Every transfer once: by day as far as they are summed, and the later ones.
_ALL = (
    "SELECT day, kind, debit, credit, amount, transfers, first_id, last_id FROM ledger_days"
    f" UNION ALL {_by_day(' WHERE id > (SELECT ledger_days_id FROM service)')}"
)


def summed_through(tx: Tx) -> int:
    """Return the ID of the last transfer in the sums."""
    row = tx.one("SELECT ledger_days_id AS id FROM service")
    return int(row["id"]) if row else 0


def newest_id(tx: Tx) -> int:
    """Return the highest ID of a transfer; 0 without one."""
    row = tx.one("SELECT coalesce(max(id), 0) AS id FROM transfers")
    assert row is not None
    return int(row["id"])


def add(tx: Tx, *, after: int, through: int) -> None:
    """Add the transfers with IDs in this range to the sums."""
    tx.run(
        "INSERT INTO ledger_days (day, kind, debit, credit, amount, transfers, first_id, last_id)"
        f" {_by_day(' WHERE id > :after AND id <= :through')}"
        " ON CONFLICT (day, kind, debit, credit) DO UPDATE SET amount = ledger_days.amount + excluded.amount,"
        " transfers = ledger_days.transfers + excluded.transfers, last_id = excluded.last_id",
        after=after,
        through=through,
    )
    tx.run("UPDATE service SET ledger_days_id = :through", through=through)


def balances(tx: Tx, *, before_day: int | None = None) -> dict[int, int]:
    """Return credits minus debits of each ledger account, of all days or of those before a day. They sum to 0."""
    rows = tx.all(
        f"WITH days AS ({_ALL}) SELECT account, CAST(sum(sats) AS bigint) AS sats FROM ("
        "SELECT credit AS account, amount AS sats FROM days WHERE day < :before_day"
        " UNION ALL SELECT debit, -amount FROM days WHERE day < :before_day) moves GROUP BY account ORDER BY account",
        before_day=1 << 40 if before_day is None else before_day,
    )
    return {row["account"]: row["sats"] for row in rows}


def moved(tx: Tx, *, from_day: int, before_day: int) -> list[Row]:
    """Return what was booked from a day to another by day, kind and accounts, in this order: `day`, `kind`, `debit`,
    `credit`, `amount`, `transfers`."""
    return tx.all(
        f"WITH days AS ({_ALL}) SELECT day, kind, debit, credit, CAST(sum(amount) AS bigint) AS amount,"
        " CAST(sum(transfers) AS bigint) AS transfers FROM days WHERE day >= :from_day AND day < :before_day"
        " GROUP BY day, kind, debit, credit ORDER BY day, kind, debit, credit",
        from_day=from_day,
        before_day=before_day,
    )


def transfers(tx: Tx, *, from_day: int, before_day: int, page: int = ledger_audit.PAGE) -> Iterator[Row]:
    """Yield the transfers from a day to another in the order of their IDs, reading only the range of IDs that these days
    have."""
    span = tx.one(
        f"WITH days AS ({_ALL}) SELECT min(first_id) AS first_id, max(last_id) AS last_id FROM days"
        " WHERE day >= :from_day AND day < :before_day",
        from_day=from_day,
        before_day=before_day,
    )
    assert span is not None
    if span["first_id"] is None:
        return
    after = span["first_id"] - 1
    while rows := tx.all(
        "SELECT id, at_us, kind, ref, account_id, debit, credit, amount, reference FROM transfers"
        " WHERE id > :after AND id <= :through ORDER BY id LIMIT :page",
        after=after,
        through=span["last_id"],
        page=page,
    ):
        yield from (row for row in rows if from_day <= row["at_us"] // DAY_US < before_day)
        after = rows[-1]["id"]


def differences(tx: Tx) -> list[Row]:
    """Return daily sums that differ from the transfers they contain: `day`, `kind`, `stored`, `amount`."""
    return tx.all(
        "SELECT day, kind, CAST(sum(stored) AS bigint) AS stored, CAST(sum(amount) AS bigint) AS amount FROM ("
        "SELECT day, kind, debit, credit, amount AS stored, 0 AS amount FROM ledger_days UNION ALL"
        " SELECT day, kind, debit, credit, 0, amount FROM"
        f" ({_by_day(' WHERE id <= (SELECT ledger_days_id FROM service)')}) counted) both_sides"
        " GROUP BY day, kind, debit, credit HAVING sum(stored) <> sum(amount) ORDER BY day, kind LIMIT 100"
    )
