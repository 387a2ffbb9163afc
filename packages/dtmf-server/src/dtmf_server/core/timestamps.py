"""Times as the wire has them."""

from datetime import datetime, timedelta

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, and the wire shows no offset


def iso(at_us: int) -> str:
    """The wire's form of a time: microseconds since 1970 UTC as ISO 8601 without offset."""
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds")
