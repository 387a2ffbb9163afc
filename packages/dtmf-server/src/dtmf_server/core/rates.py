"""Rates: the price of one bitcoin in the operator's currency, read from a text, and amounts in satoshis."""

import json
import re
from decimal import ROUND_CEILING, Decimal, InvalidOperation, localcontext
from typing import Any

from dtmf_server.core.money import SATS_MAX

SATS_PER_BITCOIN = 100_000_000
SOURCE_MAX_BYTES = 1024 * 1024
PRECISION = 50

_is_index = re.compile(r"0\Z|[1-9][0-9]{0,8}\Z").match
_is_number = re.compile(r"[0-9]{1,20}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?\Z").match


class RateUnavailable(Exception):
    """There is no usable rate. The text names the cause and the setting to change."""


def sats_for(amount: Decimal, rate: Decimal) -> int:
    """Return the satoshis that `amount` of the currency buys at `rate`, the price of one bitcoin, rounded up.

    Raises ValueError if the amount is not positive or buys more satoshis than exist."""
    if not amount.is_finite() or amount <= 0:
        raise ValueError(f"must be a positive amount, not {amount}")
    if amount.adjusted() > len(str(SATS_MAX)) + rate.adjusted():
        raise ValueError(f"is more than all bitcoins cost: {amount:.3e}")
    with localcontext(prec=PRECISION):
        sats = int((amount * SATS_PER_BITCOIN / rate).to_integral_value(ROUND_CEILING))
    if sats > SATS_MAX:
        raise ValueError(f"is more than all bitcoins cost: {amount}")
    return sats


def parse_rate(text: bytes, pointer: str | None) -> Decimal:
    """Return the number in a text, or the one at `pointer` (RFC 6901) in a JSON text. Raises ValueError with the cause."""
    if len(text) > SOURCE_MAX_BYTES:
        raise ValueError(f"is larger than {SOURCE_MAX_BYTES} bytes")
    try:
        decoded = text.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError("is not text") from error
    if decoded[:1] == "<":
        raise ValueError("is an HTML page")
    value: Any = decoded
    if pointer is not None:
        try:
            value = json.loads(decoded, parse_float=str, parse_int=str)
        except (ValueError, RecursionError) as error:
            raise ValueError("is not JSON") from error
        value = _at(value, pointer)
    if not isinstance(value, str) or not _is_number(value):
        raise ValueError(f"is not a positive number{'' if pointer is None else f' at {pointer}'}")
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError("is not a positive number") from error


def _at(value: Any, pointer: str) -> Any:
    for escaped in pointer.split("/")[1:]:
        key = escaped.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and _is_index(key) and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            raise ValueError(f"has nothing at {pointer}")
    return value
