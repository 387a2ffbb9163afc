"""Translate msgspec's validation messages to plain English."""

import re
from collections.abc import Callable

_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "object": "a JSON object",
    "array": "a list",
}


def _one_of(kinds: str) -> str:
    """Translate 'int | null' to 'a whole number or null'."""
    return " or ".join(_KINDS.get(kind, kind) for kind in kinds.split(" | "))


def _not_what_is_wanted(match: re.Match[str]) -> str:
    return f"must be {_one_of(match[1])}, not {_one_of(match[2])}"


# Tried in this order. Each message says what to write instead.
_TRANSLATIONS: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (r"Expected `str` of length >= 1", lambda _: "must not be empty"),
    (r"Expected `array` of length >= 1", lambda _: "must not be empty: leave it out instead"),
    (r"Expected `array` of length <= (\d+)", lambda match: f"must have at most {match[1]} items"),
    (r"Expected `str` of length <= (\d+)", lambda match: f"must have at most {match[1]} characters"),
    (r"Expected `\w+` >= ([\d.]+)", lambda match: f"must be at least {match[1].removesuffix('.0')}"),
    (r"Expected `\w+` <= ([\d.]+)", lambda match: f"must be at most {match[1].removesuffix('.0')}"),
    (r"Expected `([^`]+)`, got `([^`]+)`", _not_what_is_wanted),
    (r"Object missing required field `[^`]+`", lambda _: "is missing"),
    (r"Object contains unknown field `[^`]+`", lambda _: "is not a field of this request"),
    (r"Invalid enum value (.+)", lambda match: f"can't be {match[1]}"),
    (r"Integer value out of range|Number out of range", lambda _: "is too large or too small a number"),
    (r"JSON is malformed: (.+) \(byte (\d+)\)", lambda match: f"is not JSON: {match[1]} at byte {match[2]}"),
    (r"Input data was truncated", lambda _: "is not JSON: it ends too early"),
]


def translate(message: str) -> str:
    """Translate a message; return it unchanged if there is no translation."""
    for pattern, translate in _TRANSLATIONS:
        if match := re.fullmatch(pattern, message):
            return translate(match)
    return message


def translate_query(message: str) -> str:
    """Translate a message about a query parameter, whose raw value is always text."""
    if wanted := re.fullmatch(r"Expected `([^`]+)`, got `str`", message):
        return f"must be {_one_of(wanted[1].removesuffix(' | null'))}"
    return translate(message)
