"""Cost per minute of the live rentals of each account, summed by the phase at which their minutes start.

There are sums by second, millisecond and microsecond of the minute: the cost up to any phase is read from 60 rows and
at most 1,000 and 1,000 more, and each rental that starts or ends writes three rows.
"""

from collections.abc import Collection, Iterable

from dtmf_server.core.units import MINUTE_US
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

UNITS_US = (1_000_000, 1_000, 1)

Change = tuple[int, int]  # phase, change of the cost per minute of what starts there

# The cost of what starts up to `:phase` of the minute, as a column; `:second` and `:milli` are those of the phase.
_SUM = "(SELECT coalesce(sum(c.cost), 0) FROM minute_costs c WHERE c.account_id = a.id AND c.unit_us ="
UPTO = (
    f"CAST({_SUM} 1000000 AND c.nth < :second)"
    f" + {_SUM} 1000 AND c.nth >= :second * 1000 AND c.nth < :milli)"
    f" + {_SUM} 1 AND c.nth >= :milli * 1000 AND c.nth <= :phase) AS bigint)"
)


def at_phase(phase_us: int) -> dict[str, int]:
    """Return the parameters of `UPTO`."""
    return {"second": phase_us // 1_000_000, "milli": phase_us // 1_000, "phase": phase_us}


def upto(tx: Tx, account_id: int, phase_us: int) -> int:
    """Return the cost per minute of the account's rentals whose phase is at most `phase_us`."""
    row = tx.one(
        f"SELECT {UPTO} AS cost FROM (SELECT CAST(:account_id AS bigint) AS id) a",
        account_id=account_id,
        **at_phase(phase_us),
    )
    assert row is not None
    return int(row["cost"])


def first_above(tx: Tx, account_id: int, sats: int) -> int:
    """Return the smallest phase up to which the account's rentals cost more than `sats` per minute."""
    place, parent_us = 0, MINUTE_US
    for unit_us in UNITS_US:
        rows = tx.all(
            "SELECT nth, cost FROM minute_costs WHERE account_id = :account_id AND unit_us = :unit_us"
            " AND nth >= :first AND nth < :last ORDER BY nth",
            account_id=account_id,
            unit_us=unit_us,
            first=place * (parent_us // unit_us),
            last=(place + 1) * (parent_us // unit_us),
        )
        for row in rows:
            if row["cost"] > sats:
                break
            sats -= row["cost"]
        else:
            raise AssertionError(f"the rentals of account {account_id} cost less than that")
        place, parent_us = row["nth"], unit_us
    return int(place)


def by_phase(tx: Tx, account_ids: list[int]) -> dict[int, dict[int, int]]:
    """Return the complete cost per minute of the rentals of these accounts, by phase; for accounts with few rentals."""
    found: dict[int, dict[int, int]] = {}
    if not account_ids:
        return found
    rows: list[Row] = tx.all(
        "SELECT account_id, nth, cost FROM minute_costs WHERE account_id = ANY(:ids) AND unit_us = 1", ids=account_ids
    )
    for row in rows:
        found.setdefault(row["account_id"], {})[row["nth"]] = row["cost"]
    return found


def change(tx: Tx, changes: Iterable[tuple[int, Collection[Change]]]) -> None:
    """Add to the sums of accounts, each with its changes, and remove sums that become 0."""
    sums: dict[tuple[int, int, int], int] = {}
    for account_id, changed in changes:
        for phase_us, cost in changed:
            for unit_us in UNITS_US:
                key = account_id, unit_us, phase_us // unit_us
                sums[key] = sums.get(key, 0) + cost
    tx.increment(
        schema.minute_costs,
        ("account_id", "unit_us", "nth"),
        "cost",
        [(*key, cost) for key, cost in sorted(sums.items()) if cost],
    )
    if fallen := {account_id for (account_id, _, _), cost in sums.items() if cost < 0}:
        tx.run("DELETE FROM minute_costs WHERE account_id = ANY(:ids) AND cost = 0", ids=sorted(fallen))
