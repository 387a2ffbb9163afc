"""Amounts of a top-up as people type them: 50000, 50,000, 50k, 0.001btc, 5eur. The command line reads them the same way."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

from dtmf_server.core.money import SATS_MAX
from dtmf_server.core.rates import PRECISION, SATS_PER_BITCOIN

TEXT_MAX = 40
_SPACES = re.compile(r"(?<=[0-9])[\s\u00a0\u202f](?=[0-9]{3}(?![0-9]))")  # 50 000
_WHOLE = re.compile(r"(?:[0-9]{1,3}([,_])[0-9]{3}(?:\1[0-9]{3})*|[0-9]{1,19}) ?(?:sats?)?")
_SCALED = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,8}))? ?(k|btc)")
_PLACES = {"k": 3, "btc": 8}
_IN_CURRENCY = re.compile(r"(?P<sign>[€$£])? ?(?P<number>[0-9]{1,15}(?:[.,][0-9]{1,2})?) ?(?P<code>[a-z]{3}|[€$£])?")
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}


@dataclass(frozen=True, slots=True)
class InCurrency:
    """A positive amount in a currency, given by its code in ISO 4217."""

    amount: Decimal
    currency: str


def parse(text: str) -> int | InCurrency:
    """Return satoshis, or an amount in a currency. Raises ValueError with the reason."""
    stripped = _SPACES.sub("", text.strip().lower())
    sats = _sats(stripped)
    if sats is not None:
        if not 1 <= sats <= SATS_MAX:
            raise ValueError("must be at least 1 satoshi, and no more than all bitcoins")
        return sats
    found = _IN_CURRENCY.fullmatch(stripped)
    if found and bool(found["sign"]) != bool(found["code"]) and Decimal(found["number"].replace(",", ".")) > 0:
        name = found["sign"] or found["code"]
        return InCurrency(Decimal(found["number"].replace(",", ".")), _SIGNS.get(name, name.upper()))
    raise ValueError("must be satoshis like 50000, 50,000 or 50k, or an amount like 0.001btc or 5eur")


def in_currency(sats: int, rate: Decimal) -> Decimal:
    """Return what satoshis cost at `rate`, the price of one bitcoin, rounded to hundredths."""
    with localcontext(prec=PRECISION):
        return (sats * rate / SATS_PER_BITCOIN).quantize(Decimal("0.01"), ROUND_HALF_UP)


def in_bitcoins(sats: int) -> str:
    """Return satoshis as bitcoins without trailing zeros: 0.0005."""
    return f"{sats // SATS_PER_BITCOIN}.{sats % SATS_PER_BITCOIN:08d}".rstrip("0").rstrip(".")


def _sats(text: str) -> int | None:
    """Return the satoshis of an amount that names no currency; None for other texts."""
    if found := _SCALED.fullmatch(text):
        places = _PLACES[found[3]]
        return int(found[1] + (found[2] or "").ljust(places, "0")) if len(found[2] or "") <= places else None
    if _WHOLE.fullmatch(text):
        return int(re.sub("[^0-9]", "", text))
    return None
