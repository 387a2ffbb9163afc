"""The output about stray SMS: those for numbers that are not rented."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dtmf_server.core.units import SECOND_US
from dtmf_server.operations.strays import Diagnosis, Misread, Stray

SHOWN_MAX = 10


def stray_lines(found: Sequence[Stray]) -> list[str]:
    """Format strays for `dtmf-server carriers`: one line for the total, then one for each recent destination."""
    if not found:
        return []
    shown = [
        f"  {_printable(one.destination)}: {one.count}, first {_time(one.first_at_us)}, last {_time(one.last_at_us)}"
        + (", in stock" if one.in_stock else "")
        for one in found[:SHOWN_MAX]
    ]
    more = [f"  and {len(found) - SHOWN_MAX} more"] if len(found) > SHOWN_MAX else []
    return [f"{_sms(found)} for {_numbers(found)} that no account rents:", *shown, *more]


def diagnosis_lines(found: Diagnosis) -> list[str]:
    """Describe, for `dtmf-server doctor`, what is probably wrong and how to fix it."""
    said = [_misread_text(one) for one in found.misread[:SHOWN_MAX]]
    if len(found.misread) > SHOWN_MAX:
        said.append(f"{len(found.misread) - SHOWN_MAX} other destinations have the same problem")
    if found.unknown:
        last = ", ".join(_printable(one.destination) for one in found.unknown[:3])
        said.append(
            f"{_sms(found.unknown)} for {_numbers(found.unknown)} not in stock, the last for {last}: import these numbers,"
            " or tell the carrier that they are not yours"
        )
    return said


def _misread_text(found: Misread) -> str:
    destination = _printable(found.stray.destination)
    start = (
        f"{found.stray.count} SMS for {destination} matched no number, but your number {found.e164} has the same ending"
    )
    if found.has_prefix:
        return f"{start}: the carrier adds an international prefix; ask it for plain international numbers"
    if code := found.country_code:
        return f'{start}: did you set country_code = "{code}" in its [[carrier]]? If so, ask for international numbers'
    return f"{start}: check the country_code in its [[carrier]]"


def _sms(found: Sequence[Stray]) -> str:
    return f"{sum(one.count for one in found)} SMS arrived"


def _numbers(found: Sequence[Stray]) -> str:
    return f"{len(found)} number" + ("s" if len(found) > 1 else "")


def _time(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // SECOND_US, UTC):%Y-%m-%d %H:%M:%S}"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
