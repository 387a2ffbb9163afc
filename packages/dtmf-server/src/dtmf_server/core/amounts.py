"""Read prices as people, spreadsheets and carriers write them: 1.234,50 or 1,234.50, with or without a currency."""

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from dtmf_server.core.money import SATS_MAX
from dtmf_server.core.phone_numbers import is_scientific, unmarked

MARKS = {"comma": ",", "point": "."}
# ISO 4217, without funds, metals and test codes.
_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP
CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD
IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR
MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP
SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF
YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())
SATS = "SATS"
_SYMBOLS = {"€": "EUR", "$": "USD", "US$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "zł": "PLN", "Kč": "CZK"}
_SYMBOLS |= dict.fromkeys(("sat", "sats", "satoshi", "satoshis"), SATS)
_NUMBER = re.compile(r"([0-9][0-9.,]*|[.,][0-9]+)")
_SPACES = re.compile(r"(?<=[0-9])[\s'\u2019](?=[0-9]{3}(?![0-9]))")  # 1 234 and 1'234


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount as written, without thousands separators of its own kind: its digits, and its currency if it has one."""

    digits: str
    currency: str = ""


def split(text: str) -> Amount:
    """Return the digits and the currency of an amount. Raises ValueError with the reason, or an empty one."""
    text = unmarked(text)
    if is_scientific(text):
        raise ValueError(
            "the spreadsheet turned it into scientific notation, and may have rounded it: format the column as a number"
            " with enough decimals, and save it as CSV again"
        )
    if text.startswith(("-", "\u2212", "(")):
        raise ValueError("")
    whole = _SPACES.sub("", text)
    found = [*_NUMBER.finditer(whole)]
    if len(found) != 1:
        raise ValueError("")
    around = (whole[: found[0].start()] + whole[found[0].end() :]).strip()
    return Amount(found[0][0], currency_of(around) if around else "")


def currency_of(text: str) -> str:
    """Return the code of a currency given by its code or its sign. Raises ValueError."""
    found = _SYMBOLS.get(text) or _SYMBOLS.get(text.lower()) or text.upper()
    if found not in CURRENCIES and found != SATS:
        raise ValueError("")
    return found


def decimal_mark(digits: str) -> str:
    """Return the decimal mark if it is clear: that of 1.234,5 and 0,5 and 1,234,567; not that of 1,234."""
    found = re.findall("[.,]", digits)
    if not found:
        return ""
    last = found[-1]
    if len(set(found)) > 1:
        return str(last)
    if len(found) > 1:
        return "." if last == "," else ","
    before, after = digits.split(last)
    is_unclear = len(after) == 3 and 1 <= len(before) <= 3 and not before.startswith("0")
    return "" if is_unclear else last


def to_decimal(digits: str, *, mark: str) -> Decimal:
    """Return the amount, given the column's decimal mark (empty: unknown). Raises ValueError."""
    if not mark and re.search("[.,]", digits):
        raise ValueError("that could be a thousand or a decimal: add --decimal comma or --decimal point")
    mark = mark or "."
    thousands = "," if mark == "." else "."
    form = rf"(?:[0-9]+|[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+)?(?:{re.escape(mark)}[0-9]*)?"
    if not re.fullmatch(form, digits) or len(digits) > 40:
        raise ValueError("")
    return Decimal(digits.replace(thousands, "").replace(mark, ".").removesuffix(".") or "0")


def to_sats(amount: Decimal, *, rate: Decimal | None) -> int:
    """Return whole satoshis, rounded up. `rate`: satoshis per unit of the currency; None: the amount is in satoshis.
    Raises ValueError."""
    if rate is None and amount.as_tuple().exponent != 0:  # 5.00 too: no one writes satoshis like this
        raise ValueError("if it is a price in a currency, add --rate SATS_PER_UNIT")
    sats = int((amount * (rate or 1)).to_integral_value(ROUND_CEILING))
    if sats > SATS_MAX:
        raise ValueError("")
    return sats
