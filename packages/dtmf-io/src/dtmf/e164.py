"""E.164: a plus sign and 2 to 15 ASCII digits, the first from 1 to 9. A value is accepted unchanged, or rejected.

Nothing is trimmed or normalized: the value the caller wrote is the value that is sent, stored and compared."""

from __future__ import annotations

_QUOTED_LENGTH = 100


def parse(value: object) -> str:
    """Return the number unchanged.
    Raises ValueError, quoting the value, for anything other than a str in E.164 format.
    Source: ITU-T E.164 §6."""
    if isinstance(value, str) and is_e164(value):
        return value
    raise ValueError(
        f"not an E.164 phone number: {quote(value)}; use a plus sign and 2 to 15 digits, like '+447700900123'"
    )


def is_e164(value: object) -> bool:
    """Return whether the value is a str that fully matches \\+[1-9][0-9]{1,14}."""
    # Spelled out because importing `re` takes a third of the time of `import dtmf`.
    return (
        isinstance(value, str)
        and 3 <= len(value) <= 16
        and value[0] == "+"
        and value[1] != "0"
        and value[1:].isascii()
        and value[1:].isdecimal()
    )


def quote(value: object) -> str:
    """Return the value as error messages show it: its repr, cut to 100 characters."""
    try:
        text = repr(value)
    except Exception:  # a value without a repr must still be rejected with a useful message
        text = f"<{type(value).__name__} without a repr>"
    return text if len(text) <= _QUOTED_LENGTH else f"{text[:_QUOTED_LENGTH]}… ({len(text):,} characters)"
