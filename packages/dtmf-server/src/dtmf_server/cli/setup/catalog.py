"""The starter catalog of a new carrier: a group with its first numbers, and prices suggested from what the carrier
charges."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.core.calling_codes import CALLING_CODES, country_of
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations import catalog_file, import_catalog
from dtmf_server.operations.catalog_entries import ImportErrors
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Tx

SATS_PER_COIN = 100_000_000
USD_PER_COIN = 100_000  # unless --btc-price says otherwise
MARGIN = 2  # the suggested prices are twice the cost
RENTED_SHARE = 0.25  # of the time in which a number is rented: it has to earn its month in this time
MINUTES_PER_MONTH = 30 * 24 * 60
SMS_MIN_SATS = 10
PRICES_AS_OF = "April 2026"


@dataclass(frozen=True, slots=True)
class Cost:
    """The prices of a carrier, in US dollars: for a month of a number, for an SMS received, for a segment sent."""

    month: float
    received: float
    sent: float
    source: str


# List prices; those of an operator's contract may differ.
COSTS = {
    "android": Cost(10.0, 0.0, 0.05, "a prepaid SIM for 10 USD a month"),
    "gammu": Cost(10.0, 0.0, 0.05, "a prepaid SIM for 10 USD a month"),
    "twilio": Cost(1.15, 0.0083, 0.0083, "Twilio's list prices of US local numbers"),
    "telnyx": Cost(1.0, 0.004, 0.004, "about Telnyx's list prices of US local numbers"),
    "smpp": Cost(2.0, 0.005, 0.05, "a typical contract: 2 USD a month per number"),
}


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in satoshis: for starting a rental, for a minute, for an SMS received, and for a segment sent (None: not for
    sale)."""

    setup: int
    minute: int
    received: int
    segment: int | None
    reason: str


FREE = Prices(0, 0, 0, None, "free: for trying it out; only accounts that you open can rent")


def suggested(kind: str, *, usd_per_coin: int) -> Prices:
    """Return prices that cover a carrier's costs with a margin."""
    cost = COSTS[kind]
    sats_per_usd = SATS_PER_COIN / usd_per_coin * MARGIN
    return Prices(
        setup=math.ceil(cost.month / 30 * sats_per_usd),  # the day of rest afterwards
        minute=math.ceil(cost.month * sats_per_usd / (MINUTES_PER_MONTH * RENTED_SHARE)),
        received=max(SMS_MIN_SATS, math.ceil(cost.received * sats_per_usd)),
        segment=math.ceil(cost.sent * sats_per_usd),
        reason=f"a suggestion from {cost.source} ({PRICES_AS_OF}), 1 BTC = {usd_per_coin:,} USD, twice the cost",
    )


@dataclass(frozen=True, slots=True)
class Starter:
    """The result of an import: group IDs, numbers, and destination prefixes."""

    groups: list[str]
    numbers: list[str]
    destinations: list[str]


def import_starter(tx: Tx, e164s: Sequence[str], prices: Prices, *, carrier: str, type_: str) -> Starter:
    """Import a group per country with these numbers, and a price for sending to each country unless there is one. Raises
    CannotStart."""
    groups = {e164: group_id(e164, carrier) for e164 in e164s}
    if not groups:
        return Starter([], [], [])
    head = ["id", "type", "name", "country_code", "setup_cost", "rental_cost_per_minute"]
    rows = [[*head, "cost_per_inbound_message", "carriers"]]
    for name in sorted({*groups.values()}):
        country = name.partition("-")[0]
        price = [str(prices.setup), str(prices.minute), str(prices.received)]
        rows.append([name, type_, f"{country.upper()} {carrier}", country, *price, carrier])
    _apply(tx, "groups", rows)
    _apply(tx, "numbers", [["e164", "group_id"], *([e164, name] for e164, name in groups.items())])
    priced = numbers.destinations(tx)
    codes = sorted({CALLING_CODES[name[:2].upper()] for name in groups.values() if name[:2].upper() in CALLING_CODES})
    new = [] if prices.segment is None or "" in priced else [code for code in codes if code not in priced]
    if new:
        _apply(tx, "prices", [["prefix", "cost_per_segment"], *([code, str(prices.segment)] for code in new)])
    return Starter(sorted({*groups.values()}), [*groups], new)


def group_id(e164: str, carrier: str) -> str:
    """Return the ID of a starter group: gb-phone."""
    return f"{(country_of(e164) or 'xx').lower()}-{carrier.replace('_', '-')}"[:40]


def _apply(tx: Tx, kind: str, rows: Sequence[Sequence[str]]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    try:
        file = catalog_file.read(kind, stream.getvalue().encode(), name=kind)
        import_catalog.apply(tx, file, allow_free=True)
    except ImportErrors as wrong:
        raise CannotStart("; ".join(wrong.complaints)) from None
