"""Formatting and parsing of amounts, times and durations. Pure."""

from __future__ import annotations

import re

MINUTES_A_DAY = 1_440
_UNITS_S = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(s|min|m|h|d|w)?")
_SPACES = re.compile(r"(?<=[0-9])[\s\u00a0\u202f](?=[0-9]{3}(?![0-9]))")
_WHOLE = re.compile(r"[0-9]{1,3}(?:([,_])[0-9]{3})(?:\1[0-9]{3})*|[0-9]{1,19}")
_SCALED = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,8}))? ?(k|btc)")
_UNIT = re.compile(r" ?sats?\Z")
_PLACES = {"k": 3, "btc": 8}
_FIAT = re.compile(r"[0-9.,]+ ?(?:(?!btc)[a-z]{3}|[€$£])|[€$£] ?[0-9.,]+")
_HARMLESS = (
    "\n\t\xa0\u202f\u200c\u200d"  # non-printable but safe: non-breaking spaces, and joiners of scripts and emoji
)


def format_int(number: int | None) -> str:
    """Format a number with thousands separators; None is a dash."""
    return "–" if number is None else f"{number:,}"


def signed(number: int) -> str:
    """Format a number with its sign. The minus is as wide as the plus."""
    return f"{number:+,}".replace("-", "−")


def format_minute(iso: str) -> str:
    """Format a time of the service to the minute: '2018-01-01 01:01'."""
    return iso[:16].replace("T", " ")


def format_second(iso: str) -> str:
    """Format a time of the service to the second: '2018-01-01 01:01:02'."""
    return iso[:19].replace("T", " ")


def format_duration(seconds: float) -> str:
    """Format a duration in its two largest units: '2 d 9 h', '41 min', '12 s'."""
    left = max(0, int(seconds))
    days, hours, minutes = left // 86_400, left // 3_600 % 24, left // 60 % 60
    if days:
        return f"{days:,} d {hours} h" if hours and days < 100 else f"{days:,} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{left} s"


def clock_offset(offset_s: float) -> str:
    """How far a sandbox's clock is ahead: '1 h ahead of the real time', 'which is the real time'."""
    return f"{format_duration(offset_s)} ahead of the real time" if offset_s else "which is the real time"


def countdown(seconds: float) -> str:
    """Format the time left like a clock: '2:59', '1:00:00'."""
    left = max(0, int(seconds))
    hours, minutes = divmod(left // 60, 60)
    return f"{hours}:{minutes:02}:{left % 60:02}" if hours else f"{minutes}:{left % 60:02}"


def seconds(text: str) -> float:
    """Parse a duration into seconds: '90', '90s', '15min', '2h', '30d'. Raises ValueError."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"not a duration: {text!r}; use a value like 90, 90s, 15m, 2h, 30d or 1w")
    return float(found[1]) * _UNITS_S[found[2] or ""]


def sats(text: str) -> int:
    """Parse an amount into satoshis: '50000', '50,000', '50 000', '50k', '0.001btc'. Raises ValueError."""
    stripped = _SPACES.sub("", text.strip().lower())
    if found := _SCALED.fullmatch(stripped):
        places = _PLACES[found[3]]
        if len(found[2] or "") <= places and (amount := int(found[1] + (found[2] or "").ljust(places, "0"))):
            return amount
    digits = _UNIT.sub("", stripped)
    if not _WHOLE.fullmatch(digits) or int(re.sub("[,_]", "", digits)) < 1:
        raise ValueError(f"not an amount: {text!r}; use whole satoshis, like 50000 or 50,000, or 50k or 0.001btc")
    return int(re.sub("[,_]", "", digits))


def is_in_currency(text: str) -> bool:
    """Return True for an amount that needs the service's exchange rate, like '5eur' or '€5'."""
    return _FIAT.fullmatch(_SPACES.sub("", text.strip().lower())) is not None


def bitcoin(amount_sats: int) -> str:
    """Format satoshis as bitcoins without trailing zeros: '0.0005'."""
    return f"{amount_sats // 10**8}.{amount_sats % 10**8:08d}".rstrip("0").rstrip(".")


def escape_controls(text: str) -> str:
    """Make every character that controls a terminal visible, except newlines and tabs.
    Anyone can send an SMS: escape sequences and text-reversing characters must not reach the terminal."""
    return "".join(c if c in _HARMLESS or c.isprintable() else _shown(c) for c in text.replace("\r\n", "\n"))


def _shown(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else f"\\u{code:04x}"
