"""The supply of each group: which carrier sells its numbers, how many, and at which prices."""

from dtmf_server.core.number_supply import Terms
from dtmf_server.storage.db import Row, Tx


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
