"""Convert the amount of a top-up to satoshis, at the operator's exchange rate where it is in a currency."""

from decimal import Decimal

from dtmf_server.core import deposit_amounts, rates
from dtmf_server.core.errors import CurrencyUnavailable, InvalidRequest
from dtmf_server.runtime.context import Runtime


async def in_sats(runtime: Runtime, text: str, *, field: str = "amount") -> int:
    """Return the satoshis of an amount as typed. Raises InvalidRequest naming the field, CurrencyUnavailable."""
    try:
        amount = deposit_amounts.parse(text)
        if isinstance(amount, int):
            return amount
        return rates.sats_for(amount.amount, await _rate(runtime, amount.currency, field))
    except ValueError as error:
        raise InvalidRequest(field, str(error)) from error


async def _rate(runtime: Runtime, currency: str, field: str) -> Decimal:
    known = runtime.rates
    if known is None:
        raise InvalidRequest(field, f"this service has no exchange rate for {currency}: use satoshis like 50k")
    if known.currency != currency:
        raise InvalidRequest(field, f"this service has an exchange rate only for {known.currency}, not for {currency}")
    try:
        return await known.current_rate()
    except rates.RateUnavailable as error:
        raise CurrencyUnavailable from error
