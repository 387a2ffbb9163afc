"""The optional columns of imported groups: monthly cap, reclaim period, kind of line, and the supply of numbers."""

from collections.abc import Iterator, Mapping

from dtmf_server.core.number_supply import Terms, price_text, price_units
from dtmf_server.storage import numbers, supplies
from dtmf_server.storage.db import Tx

_PRICE = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
# Name of the column: a description of its valid values, and their pattern. All of them may be empty.
COLUMNS = {
    "monthly_cap": ("whole satoshis, or empty for no cap", "[0-9]{1,15}"),  # a price: catalog_columns.py converts it
    "reclaim_days": ("whole days from 0 to 365", "[0-9]|[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-5]"),
    "refund_within_minutes": (
        "whole minutes from 1 to 1440, or empty for no refunds",
        "[1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440",
    ),
    "refund_share": ("a share from 0.01 to 0.90, or empty for no refunds", r"0\.(?:0[1-9]|[1-8][0-9]?|90?)"),
    "line_type": ("mobile, landline or voip, or empty if unknown", "mobile|landline|voip"),
    "supply": ("the name of a carrier that sells numbers, or empty", "[a-z0-9_-]{1,40}"),
    "stock_min": ("a whole number up to 9999", "[0-9]{1,4}"),
    "stock_max": ("a whole number up to 9999", "[0-9]{1,4}"),
    "setup_price_max": ("a price in the provider's currency like 1.50", _PRICE),
    "month_price_max": ("a price in the provider's currency like 1.50", _PRICE),
    "price_currency": ("three capital letters like USD", "[A-Z]{3}"),
}
_OF_SUPPLY = ("stock_min", "stock_max", "setup_price_max", "month_price_max", "price_currency")
Item = Mapping[str, str]


def complaints(item: Item) -> Iterator[str]:
    """Yield what is wrong with the combination of a group's columns, which are valid one by one."""
    if item["monthly_cap"] and int(item["monthly_cap"]) < int(item["rental_cost_per_minute"] or 0):
        yield f"monthly_cap is {item['monthly_cap']}, less than the price of one minute"
    if bool(item["refund_within_minutes"]) != bool(item["refund_share"]):
        yield "refund_within_minutes and refund_share need each other: set both, or leave both empty"
    if not item["supply"]:
        if lost := [name for name in _OF_SUPPLY if item[name]]:
            yield f"{lost[0]} is set without supply: name the carrier that sells the numbers, or leave both empty"
        return
    for name in ("stock_max", "month_price_max"):
        if not item[name]:
            yield f"{name} is missing: a group with a supply needs it"
    if item["stock_max"] and int(item["stock_max"]) < max(1, int(item["stock_min"] or 0)):
        yield "stock_max must be at least 1, and at least stock_min"


def store(tx: Tx, item: Item) -> None:
    """Store these columns of a group that was just imported. An empty column resets its setting."""
    numbers.set_terms(
        tx,
        item["id"],
        monthly_cap=int(item["monthly_cap"]) if item["monthly_cap"] else None,
        reclaim_days=int(item["reclaim_days"] or 0),
        line_type=item["line_type"] or None,
        refund_within_minutes=int(item["refund_within_minutes"]) if item["refund_within_minutes"] else None,
        refund_percent=_percent(item["refund_share"]),
    )
    if item["supply"]:
        supplies.put(tx, item["id"], carrier=item["supply"], terms=terms_of(item))
    else:
        supplies.remove(tx, item["id"])


def _percent(share: str) -> int | None:
    """Return a share like 0.5 or 0.55 in percent; None if it is empty."""
    return int(share.removeprefix("0.").ljust(2, "0")) if share else None


def terms_of(item: Item) -> Terms:
    """Return the terms of an item with a supply."""
    return Terms(
        stock_min=int(item["stock_min"] or 0),
        stock_max=int(item["stock_max"]),
        setup_price_max=price_units(item["setup_price_max"] or "0"),
        month_price_max=price_units(item["month_price_max"]),
        currency=item["price_currency"] or "USD",
    )


def canonical(item: Item) -> dict[str, str]:
    """Return the values of these columns in the form of `stored`."""
    terms = terms_of(item) if item["supply"] else None
    refunds = (item["refund_within_minutes"], _share(_percent(item["refund_share"])))
    return _values(item["monthly_cap"], item["reclaim_days"], item["line_type"], item["supply"], terms, refunds)


def stored(tx: Tx) -> dict[str, dict[str, str]]:
    """Return the stored values of these columns of every group."""
    supply = {row["group_id"]: row for row in supplies.every(tx)}
    found = {}
    for row in numbers.groups(tx):
        seller = supply.get(row["id"])
        carrier, terms = (seller["carrier"], supplies.terms_of(seller)) if seller else ("", None)
        cap = "" if row["monthly_cap"] is None else str(row["monthly_cap"])
        refunds = (str(row["refund_within_minutes"] or ""), _share(row["refund_percent"]))
        found[row["id"]] = _values(cap, str(row["reclaim_days"]), row["line_type"] or "", carrier, terms, refunds)
    return found


def _share(percent: int | None) -> str:
    return "" if percent is None else f"0.{percent:02}"


def _values(
    monthly_cap: str, reclaim_days: str, line_type: str, supply: str, terms: Terms | None, refunds: tuple[str, str]
) -> dict[str, str]:
    values = {
        "monthly_cap": str(int(monthly_cap)) if monthly_cap else "",
        "reclaim_days": str(int(reclaim_days or 0)),
        "refund_within_minutes": refunds[0],
        "refund_share": refunds[1],
        "line_type": line_type,
        "supply": supply,
    }
    if terms is None:
        return values | dict.fromkeys(_OF_SUPPLY, "")
    return values | {
        "stock_min": str(terms.stock_min),
        "stock_max": str(terms.stock_max),
        "setup_price_max": price_text(terms.setup_price_max),
        "month_price_max": price_text(terms.month_price_max),
        "price_currency": terms.currency,
    }
