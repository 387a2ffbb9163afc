"""E.164: a plus sign, a first digit 1 to 9, and 2 to 15 ASCII digits in all. Refuse or pass.

Nothing is trimmed or normalised, so that what a caller wrote is what travels, is stored and is compared."""

from __future__ import annotations

_QUOTED_LENGTH = 100


def parse(value: object) -> str:
    """The number itself, unchanged.
    Raises ValueError, quoting the value, for anything that is not a str in E.164 format.
    Source: ITU-T E.164 §6."""
    if isinstance(value, str) and is_e164(value):
        return value
    raise ValueError(
        f"not an E.164 phone number: {quote(value)}; it is a plus sign and 2 to 15 digits: '+447700900123'"
    )


def is_e164(value: object) -> bool:
    """Whether the value is a str that fully matches \\+[1-9][0-9]{1,14}."""
    # Spelled out: importing `re` would be a third of what `import dtmf` costs.
    return (
        isinstance(value, str)
        and 3 <= len(value) <= 16
        and value[0] == "+"
        and value[1] != "0"
        and value[1:].isascii()
        and value[1:].isdecimal()
    )


def quote(value: object) -> str:
    """The value as an error message shows it: its repr, cut to 100 characters."""
    try:
        text = repr(value)
    except Exception:  # a value that can't be shown must still be refused by name
        text = f"<{type(value).__name__} without a repr>"
    return text if len(text) <= _QUOTED_LENGTH else f"{text[:_QUOTED_LENGTH]}… ({len(text):,} characters)"
