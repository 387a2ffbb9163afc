"""The catalog: groups, their numbers, and which of them are free."""

from collections.abc import Iterable

from dtmf_server.core.units import DAY_US
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.schema.numbers import FREE, RESERVED

GROUP_COLUMNS = (
    "id",
    "type",
    "name",
    "country_code",
    "sms_support",
    "voice_support",
    "setup_cost",
    "rental_cost_per_minute",
    "cost_per_inbound_message",
    "cost_per_inbound_call_minute",
)

_NOT_HELD = "(held_until_us IS NULL OR held_until_us <= :now_us)"


def groups_of_type(tx: Tx, group_type: str) -> list[Row]:
    """Return the groups of one type, in the catalog's order."""
    columns = ", ".join(GROUP_COLUMNS)
    return tx.all(f"SELECT {columns} FROM groups WHERE type = :group_type ORDER BY position, id", group_type=group_type)


def offers_of_type(tx: Tx, group_type: str) -> list[Row]:
    """Return the groups of one type with their terms, in the catalog's order."""
    return tx.all("SELECT * FROM groups WHERE type = :group_type ORDER BY position, id", group_type=group_type)


def group(tx: Tx, group_id: str) -> Row | None:
    """Return one group."""
    return tx.one("SELECT * FROM groups WHERE id = :group_id", group_id=group_id)


def add_groups(tx: Tx, rows: list[tuple[object, ...]]) -> None:
    """Add groups: position, then GROUP_COLUMNS."""
    tx.insert(schema.groups, ("position", *GROUP_COLUMNS), rows)


def put_group(tx: Tx, row: tuple[object, ...], *, carriers: str) -> None:
    """Add a group (GROUP_COLUMNS) after the existing ones, or update it; `set_terms` must follow."""
    columns = (*GROUP_COLUMNS, "carriers")
    changes = ", ".join(["monthly_cap = NULL", *(f"{column} = excluded.{column}" for column in columns[1:])])
    tx.run(
        f"INSERT INTO groups (position, {', '.join(columns)})"
        f" VALUES ((SELECT coalesce(max(position), 0) + 1 FROM groups), {', '.join(f':{column}' for column in columns)})"
        f" ON CONFLICT (id) DO UPDATE SET {changes}",
        **dict(zip(columns, (*row, carriers), strict=True)),
    )


def set_terms(
    tx: Tx,
    group_id: str,
    *,
    monthly_cap: int | None,
    reclaim_days: int,
    line_type: str | None,
    refund_within_minutes: int | None = None,
    refund_percent: int | None = None,
) -> None:
    """Set the optional terms of a group, for rentals that start or end from now on."""
    tx.run(
        "UPDATE groups SET monthly_cap = :monthly_cap, reclaim_days = :reclaim_days, line_type = :line_type,"
        " refund_within_minutes = :refund_within_minutes, refund_percent = :refund_percent WHERE id = :group_id",
        group_id=group_id,
        monthly_cap=monthly_cap,
        reclaim_days=reclaim_days,
        line_type=line_type,
        refund_within_minutes=refund_within_minutes,
        refund_percent=refund_percent,
    )


def group_ids(tx: Tx) -> set[str]:
    """Return the IDs of all groups."""
    return {row["id"] for row in tx.all("SELECT id FROM groups")}


def groups(tx: Tx) -> list[Row]:
    """Return every group, in the catalog's order."""
    return tx.all("SELECT * FROM groups ORDER BY position, id")


def count(tx: Tx) -> int:
    """Return how many numbers are in stock."""
    row = tx.one("SELECT count(*) AS n FROM numbers WHERE retired_at_us IS NULL")
    assert row is not None
    return int(row["n"])


def groups_of(tx: Tx, e164s: list[str]) -> dict[str, str]:
    """Return the group of each of these numbers that is in stock."""
    rows = tx.all("SELECT e164, group_id FROM numbers WHERE e164 = ANY(:e164s) AND retired_at_us IS NULL", e164s=e164s)
    return {row["e164"]: row["group_id"] for row in rows}


def retired_among(tx: Tx, e164s: list[str]) -> set[str]:
    """Return those of these numbers that were taken out of stock."""
    rows = tx.all("SELECT e164 FROM numbers WHERE e164 = ANY(:e164s) AND retired_at_us IS NOT NULL", e164s=e164s)
    return {row["e164"] for row in rows}


def inventory(tx: Tx) -> list[Row]:
    """Return each group with its carriers, how many numbers it has and how many are rented, in the catalog's order."""
    return tx.all(
        "SELECT g.id, g.carriers, count(n.e164) AS numbers, count(CASE WHEN n.rented THEN 1 END) AS rented"
        " FROM groups g LEFT JOIN numbers n ON n.group_id = g.id AND n.retired_at_us IS NULL"
        " GROUP BY g.id, g.carriers, g.position ORDER BY g.position, g.id"
    )


def count_destinations(tx: Tx) -> int:
    """Return the number of destination prefixes that have a price."""
    row = tx.one("SELECT count(*) AS n FROM destinations")
    assert row is not None
    return int(row["n"])


def add_numbers(tx: Tx, group_id: str, e164s: Iterable[str]) -> None:
    """Add numbers to a group."""
    rows = [(e164, group_id, False, 0) for e164 in e164s]
    tx.insert(schema.numbers, ("e164", "group_id", "rented", "released_at_us"), rows)


def put_in_stock(tx: Tx, e164: str, group_id: str) -> None:
    """Add a bought number to a group. One that was ours before comes back with its cooldown and last renter."""
    tx.run(
        "INSERT INTO numbers (e164, group_id, rented, released_at_us) VALUES (:e164, :group_id, :no, 0)"
        " ON CONFLICT (e164) DO UPDATE SET group_id = excluded.group_id, retired_at_us = NULL",
        e164=e164,
        group_id=group_id,
        no=False,
    )


def retire(tx: Tx, e164: str, *, now_us: int, cooldown_us: int | None) -> bool:
    """Take a number out of stock, unless it is rented. With a `cooldown_us`, only if other accounts could rent it. Return
    whether it is out of stock."""
    row = tx.one("SELECT * FROM numbers WHERE e164 = :e164 FOR NO KEY UPDATE", e164=e164)
    if row is None or row["rented"]:
        return row is None
    is_cooling = cooldown_us is not None and (
        row["released_at_us"] > cooled_us(now_us, cooldown_us) or (row["reserved_until_us"] or 0) > now_us
    )
    if not is_cooling:
        tx.run("UPDATE numbers SET retired_at_us = :now_us WHERE e164 = :e164", e164=e164, now_us=now_us)
    return not is_cooling


def cooled_us(now_us: int, cooldown_us: int) -> int:
    """Return the instant until which released numbers have cooled down. Numbers never rented were released at 0."""
    return max(0, now_us - cooldown_us)


def allocate(
    tx: Tx, group_id: str, *, account_id: int, now_us: int, cooldown_us: int, e164: str | None = None
) -> str | None:
    """Rent a free number of the group to this account and return it: `e164` if given, else the last one it had if other
    accounts can't rent that yet, else the one that was released first."""
    found = _lock_free(tx, group_id, account_id=account_id, now_us=now_us, cooldown_us=cooldown_us, e164=e164)
    if found is None:
        return None
    tx.run(
        "UPDATE numbers SET rented = :rented, last_account_id = :account_id, reserved_until_us = NULL WHERE e164 = :e164",
        rented=True,
        account_id=account_id,
        e164=found["e164"],
    )
    return str(found["e164"])


def _lock_free(
    tx: Tx, group_id: str, *, account_id: int, now_us: int, cooldown_us: int, e164: str | None
) -> Row | None:
    before_us = cooled_us(now_us, cooldown_us)
    if e164 is not None:
        return tx.one(
            "SELECT e164 FROM numbers WHERE e164 = :e164 AND group_id = :group_id AND NOT rented"
            f" AND retired_at_us IS NULL AND {_NOT_HELD} AND (last_account_id = :account_id"
            " OR (released_at_us <= :cooled_us AND (reserved_until_us IS NULL OR reserved_until_us <= :now_us)))"
            " FOR NO KEY UPDATE SKIP LOCKED",
            e164=e164,
            group_id=group_id,
            account_id=account_id,
            cooled_us=before_us,
            now_us=now_us,
        )
    return (
        tx.one(
            "SELECT e164 FROM numbers WHERE NOT rented AND last_account_id = :account_id AND group_id = :group_id"
            f" AND retired_at_us IS NULL AND {_NOT_HELD} AND (released_at_us > :cooled_us OR reserved_until_us > :now_us)"
            " ORDER BY released_at_us DESC, e164 LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
            group_id=group_id,
            account_id=account_id,
            cooled_us=before_us,
            now_us=now_us,
        )
        or tx.one(
            f"SELECT e164 FROM numbers WHERE {FREE} AND group_id = :group_id AND released_at_us <= :cooled_us"
            f" AND {_NOT_HELD} ORDER BY released_at_us, e164 LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
            group_id=group_id,
            cooled_us=before_us,
            now_us=now_us,
        )
        or tx.one(
            f"SELECT e164 FROM numbers WHERE {RESERVED} AND group_id = :group_id AND reserved_until_us <= :now_us"
            f" AND released_at_us <= :cooled_us AND {_NOT_HELD}"
            " ORDER BY reserved_until_us, e164 LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
            group_id=group_id,
            now_us=now_us,
            cooled_us=before_us,
        )
    )


def release(tx: Tx, released: Iterable[tuple[str, int]]) -> None:
    """Mark numbers as no longer rented, each with the time its rental ended."""
    rows = [(e164, False, at_us) for e164, at_us in released]
    tx.update(schema.numbers, ("e164", "rented", "released_at_us"), rows)


def lock(tx: Tx, e164: str) -> Row | None:
    """Return the number, locked until the transaction ends; None if it is not in stock."""
    return tx.one("SELECT * FROM numbers WHERE e164 = :e164 FOR NO KEY UPDATE", e164=e164)


def hold(tx: Tx, e164: str, *, until_us: int | None) -> None:
    """Keep the number from being rented until this time; None: no longer."""
    tx.run("UPDATE numbers SET held_until_us = :until_us WHERE e164 = :e164", e164=e164, until_us=until_us)


def first_free(tx: Tx, group_ids: list[str], *, except_e164: str) -> str | None:
    """Return a number of these groups that is not rented."""
    row = tx.one(
        "SELECT e164 FROM numbers WHERE group_id = ANY(:group_ids) AND e164 <> :except_e164 AND NOT rented"
        " AND retired_at_us IS NULL ORDER BY e164 LIMIT 1",
        group_ids=group_ids,
        except_e164=except_e164,
    )
    return str(row["e164"]) if row else None


def reserve(tx: Tx, e164s: list[str]) -> None:
    """Reserve released numbers for their last renter, each for the days that its group grants."""
    days = "(SELECT g.reclaim_days FROM groups g WHERE g.id = numbers.group_id)"
    tx.run(
        f"UPDATE numbers SET reserved_until_us = released_at_us + {days} * :day_us"
        f" WHERE e164 = ANY(:e164s) AND {days} > 0",
        e164s=e164s,
        day_us=DAY_US,
    )


def unreserve(tx: Tx, account_id: int) -> None:
    """Cancel the reservations of an account."""
    tx.run(
        "UPDATE numbers SET reserved_until_us = NULL WHERE NOT rented AND last_account_id = :account_id"
        " AND reserved_until_us IS NOT NULL",
        account_id=account_id,
    )


SEARCHED_MAX = 10_000  # free numbers of a group that one search reads


def available(tx: Tx, group_id: str, *, contains: str, limit: int, now_us: int, cooldown_us: int) -> list[str]:
    """Return free numbers of a group whose digits contain `contains`, the longest unused first. A search reads at most
    `SEARCHED_MAX` free numbers."""
    rows = tx.all(
        "SELECT e164 FROM (SELECT e164, released_at_us FROM"
        f" (SELECT e164, released_at_us FROM numbers WHERE {FREE} AND group_id = :group_id"
        f"  AND released_at_us <= :cooled_us AND {_NOT_HELD} ORDER BY released_at_us, e164 LIMIT :searched) unreserved"
        " UNION ALL SELECT e164, released_at_us FROM"
        f" (SELECT e164, released_at_us FROM numbers WHERE {RESERVED} AND group_id = :group_id"
        f"  AND reserved_until_us <= :now_us AND released_at_us <= :cooled_us AND {_NOT_HELD}"
        "  ORDER BY reserved_until_us, e164 LIMIT :searched) reserved) free"
        " WHERE e164 LIKE :pattern ORDER BY released_at_us, e164 LIMIT :limit",
        group_id=group_id,
        cooled_us=cooled_us(now_us, cooldown_us),
        now_us=now_us,
        pattern=f"%{contains}%",
        limit=limit,
        searched=SEARCHED_MAX,
    )
    return [row["e164"] for row in rows]


def carriers_of(tx: Tx, e164: str) -> tuple[str, ...]:
    """Return the carriers that send for this number, in order of preference; empty: any."""
    row = tx.one("SELECT g.carriers FROM numbers n JOIN groups g ON g.id = n.group_id WHERE n.e164 = :e164", e164=e164)
    return tuple(row["carriers"].split()) if row else ()


def exists(tx: Tx, e164: str) -> bool:
    """Return True if the number is in stock."""
    return tx.one("SELECT 1 FROM numbers WHERE e164 = :e164 AND retired_at_us IS NULL", e164=e164) is not None


def cost_per_segment(tx: Tx, e164: str) -> int | None:
    """Return the price of a segment to this number: that of its longest priced prefix, or None if it is not served."""
    digits = e164[1:]
    row = tx.one(
        "SELECT cost_per_segment FROM destinations WHERE prefix = ANY(:prefixes) ORDER BY length(prefix) DESC LIMIT 1",
        prefixes=[digits[:length] for length in range(len(digits) + 1)],
    )
    return int(row["cost_per_segment"]) if row else None


def set_destination(tx: Tx, prefix: str, cost_per_segment: int) -> None:
    """Set the price of a destination prefix."""
    tx.run(
        "INSERT INTO destinations (prefix, cost_per_segment) VALUES (:prefix, :cost_per_segment)"
        " ON CONFLICT (prefix) DO UPDATE SET cost_per_segment = excluded.cost_per_segment",
        prefix=prefix,
        cost_per_segment=cost_per_segment,
    )


def destinations(tx: Tx) -> dict[str, int]:
    """Return the price of a segment to each destination prefix."""
    return {
        row["prefix"]: row["cost_per_segment"] for row in tx.all("SELECT prefix, cost_per_segment FROM destinations")
    }


def delete_destinations(tx: Tx, prefixes: list[str]) -> None:
    """Delete the prices of destination prefixes."""
    tx.run("DELETE FROM destinations WHERE prefix = ANY(:prefixes)", prefixes=prefixes)


def free_by_group(tx: Tx, *, now_us: int, cooldown_us: int, at_most: int) -> dict[str, int]:
    """Return how many numbers of each group can be rented now, counted up to `at_most`."""
    rows = tx.all(
        f"SELECT g.id, {_FREE_COUNT} AS free FROM groups g",
        cooled_us=cooled_us(now_us, cooldown_us),
        now_us=now_us,
        at_most=at_most,
    )
    return {row["id"]: min(int(row["free"]), at_most) for row in rows}


def rented_by_group(tx: Tx) -> dict[str, int]:
    """Return how many numbers of each group are rented."""
    rows = tx.all(
        "SELECT g.id, (SELECT count(*) FROM numbers n WHERE n.group_id = g.id AND n.rented) AS rented FROM groups g"
    )
    return {row["id"]: int(row["rented"]) for row in rows}


def count_free(tx: Tx, group_id: str, *, now_us: int, cooldown_us: int, at_most: int) -> int:
    """Return how many numbers of a group can be rented now, counted up to `at_most`."""
    row = tx.one(
        f"SELECT {_FREE_COUNT} AS free FROM groups g WHERE g.id = :group_id",
        group_id=group_id,
        cooled_us=cooled_us(now_us, cooldown_us),
        now_us=now_us,
        at_most=at_most,
    )
    return min(int(row["free"]), at_most) if row else 0


# Two bounded index ranges: numbers that were never reserved, and those whose reservation has ended.
_FREE_COUNT = (
    f"(SELECT count(*) FROM (SELECT 1 FROM numbers n WHERE {FREE} AND n.group_id = g.id"
    f" AND n.released_at_us <= :cooled_us AND {_NOT_HELD} LIMIT :at_most) unreserved)"
    f" + (SELECT count(*) FROM (SELECT 1 FROM numbers n WHERE {RESERVED} AND n.group_id = g.id"
    f" AND n.reserved_until_us <= :now_us AND n.released_at_us <= :cooled_us AND {_NOT_HELD} LIMIT :at_most) reserved)"
)


def names(tx: Tx, group_ids: list[str]) -> dict[str, str]:
    """Return the display names of these groups, with their type: United States mobile."""
    rows = tx.all("SELECT id, name, type FROM groups WHERE id = ANY(:ids)", ids=sorted(set(group_ids)))
    return {row["id"]: f"{row['name']} {row['type']}" for row in rows}


def last_renter(tx: Tx, e164: str) -> int | None:
    """Return the account that rents this number, or that rented it last; None if no account ever did."""
    row = tx.one("SELECT account_id FROM rentals WHERE e164 = :e164 ORDER BY started_at_us DESC LIMIT 1", e164=e164)
    return None if row is None else int(row["account_id"])
