"""Times in the format of the API."""

from datetime import datetime, timedelta

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC; the API sends no offset


def iso(at_us: int) -> str:
    """Format microseconds since 1970 UTC as ISO 8601 without an offset."""
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds")
