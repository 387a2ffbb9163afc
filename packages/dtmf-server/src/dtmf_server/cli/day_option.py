"""Days as options: a date, `today` or `yesterday`, in UTC and by the service's clock."""

import argparse

from dtmf_server.core.days import parse_day
from dtmf_server.core.units import DAY_US

_RELATIVE = {"today": -1, "yesterday": -2}
HELP = "like 2026-11-30, or today or yesterday, in UTC"


def day(text: str) -> int:
    """Return a day given as an option: days since 1970, or a negative number for a relative day; see `resolve`."""
    if text in _RELATIVE:
        return _RELATIVE[text]
    try:
        return parse_day(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, nor today or yesterday") from None


def resolve(day: int, *, now_us: int) -> int:
    """Return the days since 1970 of a day given as an option."""
    return day if day >= 0 else now_us // DAY_US + 1 + day
