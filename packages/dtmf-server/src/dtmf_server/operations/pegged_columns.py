"""The columns of a pegged group in the operator's files: its prices in cents of the currency of `[prices]`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dtmf_server.core.amounts import SATS
from dtmf_server.core.pegged import MICROS, Peg
from dtmf_server.core.rates import SATS_PER_BITCOIN
from dtmf_server.operations import pegged
from dtmf_server.operations.catalog_entries import Complaint, ImportErrors
from dtmf_server.storage import group_prices, numbers
from dtmf_server.storage.db import Row, Tx

_CENTS = r"[0-9]{1,9}(?:\.[0-9]{1,4})?"
_WORDS = "cents like 150 or 0.05, of the currency of [prices], or empty for a price in satoshis"
# Name of the column: its name in the database, and the column for the same price in satoshis.
PRICES = {
    "setup_cents": ("setup_micros", "setup_cost"),
    "minute_cents": ("minute_micros", "rental_cost_per_minute"),
    "sms_cents": ("sms_micros", "cost_per_inbound_message"),
    "monthly_cap_cents": ("cap_micros", "monthly_cap"),
}
COLUMNS = dict.fromkeys(PRICES, (_WORDS, _CENTS))
_REQUIRED = ("setup_cents", "minute_cents")
_MICROS_PER_CENT = 10_000
Item = Mapping[str, str]


class NoRate(Exception):
    """A group was not pegged: there is no rate. The text names the cause."""


def is_pegged(item: Item) -> bool:
    """Return True if the item has a price in cents."""
    return any(item.get(name) for name in PRICES)


def complaints(item: Item) -> Iterator[str]:
    """Yield what is wrong with the combination of a group's prices, which are valid one by one."""
    if not is_pegged(item):
        for name in _REQUIRED:
            if not item[PRICES[name][1]]:
                yield f"{PRICES[name][1]} is missing: whole satoshis; or set {' and '.join(_REQUIRED)}"
        return
    for name, (_, sats) in PRICES.items():
        if item[sats]:
            yield f"{sats} is set beside prices in cents: a group has one or the other"
        if name in _REQUIRED and not item[name]:
            yield f"{name} is missing: a group with prices in cents needs it"
    if item["minute_cents"] and not Decimal(item["minute_cents"]):
        yield "minute_cents must be above 0: a free group has prices in satoshis"
    if item["monthly_cap_cents"] and Decimal(item["monthly_cap_cents"]) < Decimal(item["minute_cents"] or 0):
        yield "monthly_cap_cents is less than the price of one minute"


def canonical(item: Item) -> dict[str, str]:
    """Return the values of these columns in the form of `stored`."""
    return {name: _text(_micros(item[name])) for name in PRICES}


def stored(group: Row) -> dict[str, str]:
    """Return the stored values of these columns; and, of a pegged group, its columns in satoshis, which are empty in a
    file."""
    found = {name: _text(group[column]) for name, (column, _) in PRICES.items()}
    return found | ({} if group["currency"] is None else {sats: "" for _, sats in PRICES.values()})


@dataclass(frozen=True, slots=True)
class InSats:
    """The current prices of a group in satoshis, by column, and its currency if it is pegged."""

    currency: str | None
    sats: Mapping[str, int | None]


def all_in_sats(tx: Tx) -> dict[str, InSats]:
    """Return the current prices of every group."""
    columns = [column for _, column in PRICES.values()]
    return {row["id"]: InSats(row["currency"], {name: row[name] for name in columns}) for row in numbers.groups(tx)}


def in_sats(item: Item, peg: Peg | None, group: Row | None) -> dict[str, str]:
    """Return an item of a file with prices in satoshis. `peg`: the current rate; without one, that of the stored group is
    used. Raises NoRate."""
    if not is_pegged(item):
        return {**item}
    prices = pegged.in_sats(_all_micros(item), _peg(peg, group).rate)
    return {**item, **{name: "" if sats is None else str(sats) for name, sats in prices.items()}}


def store(tx: Tx, item: Item, peg: Peg | None, group: Row | None) -> None:
    """Store these columns of a group whose prices in satoshis were just written. `group`: as it was before."""
    if is_pegged(item):
        group_prices.peg(tx, item["id"], _all_micros(item), _peg(peg, group))
    else:
        group_prices.unpeg(tx, item["id"])


def converted(tx: Tx, group_id: str, currency: str, peg: Peg | None) -> dict[str, str]:
    """Return the prices of a stored group in a currency, or in satoshis, as a file has them. Raises ImportErrors."""
    group = numbers.group(tx, group_id)
    assert group is not None, "the caller has found it"
    if currency == SATS:
        sats = {column: "" if group[column] is None else str(group[column]) for _, column in PRICES.values()}
        return sats | dict.fromkeys(PRICES, "")
    if peg is None or peg.currency != currency:
        message = f"there is no rate for {currency}: set [prices] currency and its source; dtmf-server doctor checks it"
        raise ImportErrors([Complaint("command line", None, message)])
    if group["currency"] == currency:
        return stored(group)
    cents = {
        name: "" if group[column] is None else _text(_in_micros(group[column], peg.rate))
        for name, (_, column) in PRICES.items()
    }
    return cents | {column: "" for _, column in PRICES.values()}


def _in_micros(sats: int, rate: Decimal) -> int:
    """Return a price in satoshis in the currency, rounded down so that it is not more satoshis again, but above 0."""
    return max(min(sats, 1), int(sats * rate * MICROS / SATS_PER_BITCOIN))


def _peg(peg: Peg | None, group: Row | None) -> Peg:
    if peg is not None:
        return peg
    if group is None or group["currency"] is None:
        raise NoRate
    return Peg(group["currency"], Decimal(group["rate"]), group["rate_at_wall_us"])


def _all_micros(item: Item) -> dict[str, int | None]:
    return {column: _micros(item[name]) for name, (column, _) in PRICES.items()}


def _micros(cents: str) -> int | None:
    return int(Decimal(cents) * _MICROS_PER_CENT) if cents else None


def _text(micros: int | None) -> str:
    """Return cents without trailing zeros."""
    return "" if micros is None else f"{(Decimal(micros) / _MICROS_PER_CENT).normalize():f}"
