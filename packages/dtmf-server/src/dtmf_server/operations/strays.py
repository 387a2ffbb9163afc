"""Stray SMS: those for numbers that are not rented. The usual cause is a number whose format differs from the catalog:
without its country code, with a wrong one, or with an international prefix."""

from collections.abc import Iterable
from dataclasses import dataclass

from dtmf_server.storage import strays
from dtmf_server.storage.db import Tx

_DIGITS_MIN = 7  # digits that must match before two numbers are considered the same
_COUNTRY_CODE_MAX = 3


@dataclass(frozen=True, slots=True)
class Stray:
    """A destination that is not rented, and how many SMS arrived for it."""

    destination: str
    count: int
    first_at_us: int
    last_at_us: int
    in_stock: bool


@dataclass(frozen=True, slots=True)
class Misread:
    """A destination that probably stands for a number in stock."""

    stray: Stray
    e164: str

    @property
    def has_prefix(self) -> bool:
        """True if the destination is that number with an international prefix."""
        return self._digits == self.e164.removeprefix("+")

    @property
    def country_code(self) -> str:
        """The country code that the destination lacks; '' if that is not the problem."""
        code = self.e164.removeprefix("+").removesuffix(self._digits)
        return code if 1 <= len(code) <= _COUNTRY_CODE_MAX else ""

    @property
    def _digits(self) -> str:
        return self.stray.destination.removeprefix("+").lstrip("0")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The destinations not in stock: those that probably stand for a number in stock, and the others."""

    misread: list[Misread]
    unknown: list[Stray]


@dataclass(frozen=True, slots=True)
class NewStrays:
    """The total number of stray SMS, and the last destinations, newest first; empty if none arrived since."""

    total: int
    last_destinations: list[str]


def latest(tx: Tx) -> list[Stray]:
    """Return each destination, the most recent first."""
    return [
        Stray(row["destination"], row["count"], row["first_at_us"], row["last_at_us"], bool(row["in_stock"]))
        for row in strays.latest(tx)
    ]


def diagnose(tx: Tx) -> Diagnosis:
    """Return what is probably wrong. Numbers in stock are excluded: they may receive SMS for an earlier renter."""
    found = [stray for stray in latest(tx) if not stray.in_stock]
    meant = _meant((stray.destination for stray in found), strays.numbers_in_stock(tx)) if found else {}
    return Diagnosis(
        misread=[Misread(stray, meant[stray.destination]) for stray in found if stray.destination in meant],
        unknown=[stray for stray in found if stray.destination not in meant],
    )


def since(tx: Tx, total: int, *, shown_max: int) -> NewStrays:
    """Return the strays that arrived after the first `total`."""
    now = strays.total(tx)
    last = [row["destination"] for row in strays.latest(tx)[:shown_max]] if now > total else []
    return NewStrays(now, last)


def _meant(destinations: Iterable[str], e164s: Iterable[str]) -> dict[str, str]:
    """Return the number in stock that each destination probably stands for: it ends in the same digits, preceded by
    nothing, zeros, or a country code."""
    endings: dict[str, list[str]] = {}
    for destination in destinations:
        digits = destination.removeprefix("+").lstrip("0")
        for cut in range(_COUNTRY_CODE_MAX + 1):
            rest = digits[cut:].lstrip("0")
            if len(rest) >= _DIGITS_MIN:
                endings.setdefault(rest, []).append(destination)
    sizes = sorted({len(ending) for ending in endings}, reverse=True)
    meant: dict[str, tuple[int, str]] = {}
    for e164 in e164s:
        for size in sizes:
            # Before the matching digits, the number in stock has its country code, or nothing.
            if 0 <= len(e164) - 1 - size <= _COUNTRY_CODE_MAX:
                for destination in endings.get(e164[-size:], ()):
                    meant[destination] = max(meant.get(destination, (0, "")), (size, e164))
    return {destination: e164 for destination, (_, e164) in meant.items()}
