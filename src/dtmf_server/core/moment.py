"""Times as the wire has them."""

from datetime import UTC, datetime


def iso(at_us: int) -> str:
    """The wire's form of a time: microseconds since 1970 UTC as ISO 8601 without offset."""
    seconds, microseconds = divmod(at_us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds, tzinfo=None)
    return moment.isoformat(timespec="microseconds")
