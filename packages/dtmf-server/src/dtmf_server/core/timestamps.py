"""Times in the format of the API."""

from datetime import datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC; the API sends no offset


def iso(at_us: int) -> str:
    """Format microseconds since 1970 UTC as ISO 8601 without an offset."""
    minutes, us = divmod(at_us, 60_000_000)
    return f"{_minute(minutes)}:{us // 1_000_000:02}.{us % 1_000_000:06}"


@lru_cache(maxsize=1024)
def _minute(minutes: int) -> str:
    # Formatting times was half the cost of a list of 10,000 numbers; many of them share a minute.
    return (_EPOCH + timedelta(minutes=minutes)).isoformat(timespec="minutes")
