"""What the operator is told about SMS for numbers that nobody rents. The usual cause is a number written otherwise than
it stands in stock: without its country code, with a wrong one, or with an international prefix."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from dtmf_server.core.units import SECOND_US
from dtmf_server.storage import strays
from dtmf_server.storage.db import Row, Tx

SHOWN_MAX = 10
_DIGITS_MIN = 7  # as many as must be equal before two numbers are taken for one
_COUNTRY_CODE_MAX = 3


def lines(tx: Tx) -> list[str]:
    """For `dtmf-server carriers`: a line for all, then one for each of the last destinations."""
    found = strays.latest(tx)
    if not found:
        return []
    shown = [
        f"  {_printable(row['destination'])}: {row['count']}, first {_time(row['first_at_us'])},"
        f" last {_time(row['last_at_us'])}" + (", in stock" if row["in_stock"] else "")
        for row in found[:SHOWN_MAX]
    ]
    return [f"{_sms(found)} for {_numbers(found)} that nobody rents:", *shown, *_more(len(found) - SHOWN_MAX)]


def doctor(tx: Tx) -> list[str]:
    """What is probably wrong; nothing about numbers in stock, which may get SMS for an earlier renter."""
    found = [row for row in strays.latest(tx) if not row["in_stock"]]
    meant = _meant((row["destination"] for row in found), strays.numbers_in_stock(tx)) if found else {}
    misread = [row for row in found if row["destination"] in meant]
    unknown = [row for row in found if row["destination"] not in meant]
    said = [_misread(row, meant[row["destination"]]) for row in misread[:SHOWN_MAX]]
    said += [f"so have {more} other destinations" for more in [len(misread) - SHOWN_MAX] if more > 0]
    if unknown:
        last = ", ".join(_printable(row["destination"]) for row in unknown[:3])
        said.append(
            f"{_sms(unknown)} for {_numbers(unknown)} not in stock, the last for {last}: import these numbers, or tell"
            " the carrier that they are not yours"
        )
    return said


def summary(tx: Tx, *, since_total: int) -> tuple[int, str]:
    """How many came in all, and a line for the log about those after the first `since_total`; '' if there are none."""
    total = strays.total(tx)
    if total <= since_total:
        return total, ""
    last = [masked(row["destination"]) for row in strays.latest(tx)[:5]]
    return total, f"{total - since_total} SMS came for numbers that nobody rents, the last for {', '.join(last)}"


def masked(destination: str) -> str:
    """A destination without its middle: `+447…23`."""
    return f"{_printable(destination[:4])}…{_printable(destination[-2:])}" if len(destination) > 8 else "…"


def _misread(row: Row, e164: str) -> str:
    destination, digits = row["destination"], e164.removeprefix("+")
    start = f"{row['count']} SMS for {_printable(destination)} found no number, but your number {e164} ends alike"
    if destination.removeprefix("+").lstrip("0") == digits:
        return f"{start}: the carrier writes an international prefix; ask it for plain international numbers"
    code = digits.removesuffix(destination.removeprefix("+").lstrip("0"))
    if 1 <= len(code) <= _COUNTRY_CODE_MAX:
        return f'{start}: did you set country_code = "{code}" in its [[carrier]]? Else ask for international numbers'
    return f"{start}: is the country_code in its [[carrier]] right?"


def _meant(destinations: Iterable[str], e164s: Iterable[str]) -> dict[str, str]:
    """The number in stock that each destination probably means: it ends in the same digits, and before them has nothing,
    zeros, or a country code."""
    endings: dict[str, list[str]] = {}
    for destination in destinations:
        digits = destination.removeprefix("+").lstrip("0")
        for cut in range(_COUNTRY_CODE_MAX + 1):
            rest = digits[cut:].lstrip("0")
            if len(rest) >= _DIGITS_MIN:
                endings.setdefault(rest, []).append(destination)
    sizes = sorted({len(ending) for ending in endings}, reverse=True)
    meant: dict[str, tuple[int, str]] = {}
    for e164 in e164s:
        for size in sizes:
            # Before what is equal the number in stock has its country code, or nothing.
            if 0 <= len(e164) - 1 - size <= _COUNTRY_CODE_MAX:
                for destination in endings.get(e164[-size:], ()):
                    meant[destination] = max(meant.get(destination, (0, "")), (size, e164))
    return {destination: e164 for destination, (_, e164) in meant.items()}


def _sms(found: Sequence[Row]) -> str:
    return f"{sum(row['count'] for row in found)} SMS came"


def _numbers(found: Sequence[Row]) -> str:
    return f"{len(found)} number" + ("s" if len(found) > 1 else "")


def _more(count: int) -> list[str]:
    return [f"  and {count} more"] if count > 0 else []


def _time(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // SECOND_US, UTC):%Y-%m-%d %H:%M:%S}"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
