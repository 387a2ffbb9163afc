"""The supply of each group: which carrier sells its numbers, how many, and at which prices."""

from dtmf_server.core.number_supply import Terms
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.ledger_audit import cost_of
from dtmf_server.storage.schema.supply import LIVE


def put(tx: Tx, group_id: str, *, carrier: str, terms: Terms) -> None:
    """Set the supply of a group."""
    tx.run(
        "INSERT INTO supplies (group_id, carrier, stock_min, stock_max, setup_price_max, month_price_max, currency)"
        " VALUES (:group_id, :carrier, :stock_min, :stock_max, :setup_price_max, :month_price_max, :currency)"
        " ON CONFLICT (group_id) DO UPDATE SET carrier = excluded.carrier, stock_min = excluded.stock_min,"
        " stock_max = excluded.stock_max, setup_price_max = excluded.setup_price_max,"
        " month_price_max = excluded.month_price_max, currency = excluded.currency, trouble = '', retry_at_us = 0",
        group_id=group_id,
        carrier=carrier,
        stock_min=terms.stock_min,
        stock_max=terms.stock_max,
        setup_price_max=terms.setup_price_max,
        month_price_max=terms.month_price_max,
        currency=terms.currency,
    )


def remove(tx: Tx, group_id: str) -> None:
    """Buy no more numbers for a group. Those that it has are given back as before."""
    tx.run("DELETE FROM supplies WHERE group_id = :group_id", group_id=group_id)


def terms_of(row: Row) -> Terms:
    """Return the terms of a supply."""
    return Terms(row["stock_min"], row["stock_max"], row["setup_price_max"], row["month_price_max"], row["currency"])


def every(tx: Tx) -> list[Row]:
    """Return the supply of each group, with the group's country, type and prices."""
    return tx.all(
        "SELECT s.*, g.country_code, g.type, g.setup_cost, g.rental_cost_per_minute FROM supplies s"
        " JOIN groups g ON g.id = s.group_id ORDER BY s.group_id"
    )


def carriers(tx: Tx) -> set[str]:
    """Return the carriers that groups buy from."""
    return {row["carrier"] for row in tx.all("SELECT DISTINCT carrier FROM supplies")}


def of_group(tx: Tx, group_id: str) -> Row | None:
    """Return the supply of a group."""
    return tx.one("SELECT * FROM supplies WHERE group_id = :group_id", group_id=group_id)


def set_trouble(tx: Tx, group_id: str, trouble: str, *, retry_at_us: int = 0) -> None:
    """Store why nothing can be bought for a group, and when to try again; no trouble is ''."""
    tx.run(
        "UPDATE supplies SET trouble = :trouble, retry_at_us = :retry_at_us WHERE group_id = :group_id"
        " AND (trouble <> :trouble OR retry_at_us <> :retry_at_us)",
        group_id=group_id,
        trouble=trouble,
        retry_at_us=retry_at_us,
    )


def figures(tx: Tx) -> list[Row]:
    """Return for each group with bought numbers what its rentals and their messages earned, in satoshis, and what its
    numbers cost so far, in their currency and in satoshis. Reads every rental of these groups: for the operator."""
    return tx.all(
        "SELECT c.group_id, c.currency, c.cost, c.cost_sats,"
        f" (SELECT coalesce(sum(r.setup_cost + {cost_of('r.booked_minutes')}), 0) FROM rentals r"
        "  WHERE r.group_id = c.group_id) + (SELECT coalesce(sum(m.cost), 0) FROM messages m JOIN rentals r"
        "  ON r.id = m.rental_id WHERE r.group_id = c.group_id) AS earned_sats FROM"
        " (SELECT s.group_id, min(p.currency) AS currency, sum(p.amount) AS cost,"
        "  CASE WHEN count(p.sats) = count(*) THEN sum(p.sats) END AS cost_sats"
        "  FROM supply_costs p JOIN supply_numbers s ON s.id = p.supply_number_id GROUP BY s.group_id) c ORDER BY c.group_id"
    )


def states(tx: Tx, *, cooled_us: int, now_us: int) -> list[Row]:
    """Return how many numbers of each group are in each stored state, and whether they are rented or cooling down."""
    return tx.all(
        "SELECT s.group_id, s.state, coalesce(n.rented, :no) AS rented,"
        " coalesce(NOT n.rented AND (n.released_at_us > :cooled_us OR coalesce(n.reserved_until_us, 0) > :now_us), :no)"
        f" AS cooling, count(*) AS numbers FROM supply_numbers s LEFT JOIN numbers n ON n.e164 = s.e164 WHERE s.{LIVE}"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        cooled_us=cooled_us,
        now_us=now_us,
        no=False,
    )
