"""SMS for numbers that nobody rents. The usual cause is a number written otherwise than it stands in stock: without its
country code, with a wrong one, or with an international prefix."""

from collections.abc import Iterable
from dataclasses import dataclass

from dtmf_server.storage import strays
from dtmf_server.storage.db import Tx

_DIGITS_MIN = 7  # as many as must be equal before two numbers are taken for one
_COUNTRY_CODE_MAX = 3


@dataclass(frozen=True, slots=True)
class Stray:
    """A destination that nobody rents, and how many SMS came for it."""

    destination: str
    count: int
    first_at_us: int
    last_at_us: int
    in_stock: bool


@dataclass(frozen=True, slots=True)
class Misread:
    """A destination that probably means a number in stock."""

    stray: Stray
    e164: str

    @property
    def has_prefix(self) -> bool:
        """Whether it is that number with an international prefix before it."""
        return self._digits == self.e164.removeprefix("+")

    @property
    def country_code(self) -> str:
        """The country code that it lacks; '' if that is not what is wrong."""
        code = self.e164.removeprefix("+").removesuffix(self._digits)
        return code if 1 <= len(code) <= _COUNTRY_CODE_MAX else ""

    @property
    def _digits(self) -> str:
        return self.stray.destination.removeprefix("+").lstrip("0")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The destinations not in stock: those that probably mean a number that is, and the others."""

    misread: list[Misread]
    unknown: list[Stray]


@dataclass(frozen=True, slots=True)
class NewStrays:
    """How many SMS came in all, and the last destinations, newest first; none if nothing came since."""

    total: int
    last_destinations: list[str]


def latest(tx: Tx) -> list[Stray]:
    """Each destination, the last one first."""
    return [
        Stray(row["destination"], row["count"], row["first_at_us"], row["last_at_us"], bool(row["in_stock"]))
        for row in strays.latest(tx)
    ]


def diagnose(tx: Tx) -> Diagnosis:
    """What is probably wrong; nothing about numbers in stock, which may get SMS for an earlier renter."""
    found = [stray for stray in latest(tx) if not stray.in_stock]
    meant = _meant((stray.destination for stray in found), strays.numbers_in_stock(tx)) if found else {}
    return Diagnosis(
        misread=[Misread(stray, meant[stray.destination]) for stray in found if stray.destination in meant],
        unknown=[stray for stray in found if stray.destination not in meant],
    )


def since(tx: Tx, total: int, *, shown_max: int) -> NewStrays:
    """What came after the first `total`."""
    now = strays.total(tx)
    last = [row["destination"] for row in strays.latest(tx)[:shown_max]] if now > total else []
    return NewStrays(now, last)


def _meant(destinations: Iterable[str], e164s: Iterable[str]) -> dict[str, str]:
    """The number in stock that each destination probably means: it ends in the same digits, and before them has nothing,
    zeros, or a country code."""
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
            # Before what is equal the number in stock has its country code, or nothing.
            if 0 <= len(e164) - 1 - size <= _COUNTRY_CODE_MAX:
                for destination in endings.get(e164[-size:], ()):
                    meant[destination] = max(meant.get(destination, (0, "")), (size, e164))
    return {destination: e164 for destination, (_, e164) in meant.items()}
