"""Read phone numbers as people, spreadsheets and carriers write them."""

import re

from dtmf.e164 import is_e164
from dtmf_server.core.calling_codes import NORTH_AMERICA, trunk_prefix

DIGITS_MIN = 7  # of a complete number, with its country code; shorter ones are mistakes
_TEXT_MARKS = re.compile(r"^(?:=?\"(.*)\"|'(.*))$", re.DOTALL)  # how spreadsheets mark a cell as text
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")  # contacts of phones copy direction marks
_FILLERS = re.compile(r"[\s()\[\]./\u2010-\u2015\u2212-]")
_TRUNK_IN_BRACKETS = re.compile(r"(?<=[0-9])\s*\(0\)")
_DECIMALS = re.compile(r"(?<=[0-9])[.,]0{1,2}\Z")
_THOUSANDS = re.compile("[0-9]{1,3}(?:([,'\u2019])[0-9]{3})(?:\\1[0-9]{3})+")
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?[eE]\s?[+-]?[0-9]+")

SCIENTIFIC = (
    "the spreadsheet turned it into scientific notation and removed digits: open the original file, format the column as"
    " text (when importing into the spreadsheet, too), and save it as CSV again"
)


class BadNumber(ValueError):
    """Not a phone number; the message says why and how to correct it."""


def is_scientific(text: str) -> bool:
    """Return True for a number like 4.91512E+11, which has lost its last digits."""
    return _SCIENTIFIC.fullmatch(unmarked(text).strip()) is not None


def unmarked(text: str) -> str:
    """Return the content of a cell without the marks with which spreadsheets keep digits as text: '0123 and ="0123"."""
    text = _INVISIBLE.sub("", text).strip()
    found = _TEXT_MARKS.match(text)
    return (found[1] if found[1] is not None else found[2]).strip() if found else text


def whole(text: str) -> str:
    """Return a cell without the decimals of a whole number that a spreadsheet wrote: 262 for 262.0, 49 for 49,00."""
    text = unmarked(text)
    return _DECIMALS.sub("", text) if text.removeprefix("+").replace(".", "", 1).replace(",", "", 1).isdigit() else text


def to_e164(text: str, *, code: str = "") -> str:
    """Return the E.164 number. `code`: the calling code that completes national numbers; empty: refuse them.

    Raises BadNumber.
    """
    if is_e164(text):  # most are: import a million in seconds
        return _complete(text[1:], plus=True, code=code)
    if is_scientific(text):
        raise BadNumber(SCIENTIFIC)
    number = unmarked(text)
    if number.lower().startswith("tel:"):
        number = number[4:]
    number = whole(number)
    number = re.sub("[^0-9]", "", number) if _THOUSANDS.fullmatch(number) else number
    has_code = number.lstrip().startswith(("+", "(+", "00")) or _begins_with(code, number)
    digits = _FILLERS.sub("", _TRUNK_IN_BRACKETS.sub("", number) if has_code else number)
    plus, digits = digits.startswith("+"), digits.removeprefix("+")
    if not re.fullmatch("[0-9]+", digits):
        raise BadNumber("")
    return _complete(digits, plus=plus, code=code)


def _begins_with(code: str, number: str) -> bool:
    """Return True for a number like 44 (0) 7700 900001, whose zero in brackets is dialled only within the country."""
    return bool(code) and re.match(rf"{code}\s*\(0\)", number) is not None


def _complete(digits: str, *, plus: bool, code: str) -> str:
    if plus or digits.startswith("00"):
        e164 = f"+{digits if plus else digits[2:]}"
    elif code == NORTH_AMERICA and digits.startswith("011"):
        e164 = f"+{digits[3:]}"
    elif code:
        e164 = f"+{_with_code(digits, code)}"
    elif digits.startswith("0"):
        raise BadNumber("it is a national number: add --country, like --country DE")
    else:
        raise BadNumber("its country is not clear without a +: add --country, like --country DE")
    if e164.startswith(f"+{NORTH_AMERICA}") and len(e164) != len("+12025550100"):
        raise BadNumber("a North American number has 10 digits after the country code 1")
    if not is_e164(e164) or len(e164) <= DIGITS_MIN:
        raise BadNumber(f"it has {len(digits)} digits: a number has {DIGITS_MIN} to 15 with its country code")
    return e164


def _with_code(digits: str, code: str) -> str:
    """Return a number without + as digits with the calling code: with the trunk prefix it is national, with the code
    international, and otherwise national without the zero that spreadsheets remove."""
    trunk = trunk_prefix(code)
    if code == NORTH_AMERICA:
        return digits if digits.startswith(code) else f"{code}{digits}"
    if trunk and digits.startswith(trunk):
        return f"{code}{digits.removeprefix(trunk)}"
    return digits if digits.startswith(code) else f"{code}{digits}"
