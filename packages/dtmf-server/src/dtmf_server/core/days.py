"""UTC days, as whole days since 1970, and their names."""

import re
from datetime import date, timedelta

_EPOCH = date(1970, 1, 1)


def day_name(day: int) -> str:
    """Format a day: 2026-11-30."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def parse_day(text: str) -> int:
    """Return the day of a text like 2026-11-30. Raises ValueError."""
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(f"{text!r} is not a day like 2026-11-30")
    try:
        return (date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the calendar") from None


def parse_month(text: str) -> tuple[int, int]:
    """Return the first day of a month like 2026-11, and that of the next month. Raises ValueError."""
    if not re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", text) or not "1970-01" <= text < "9999-12":
        raise ValueError(f"{text!r} is not a month like 2026-11")
    year, month = int(text[:4]), int(text[5:])
    after = date(year + month // 12, month % 12 + 1, 1)
    return (date(year, month, 1) - _EPOCH).days, (after - _EPOCH).days
