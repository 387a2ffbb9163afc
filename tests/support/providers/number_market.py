"""The numbers business of a simulated provider: numbers for sale, one account's money, purchases and monthly renewals.

It charges for a number when it is bought, and again on the same day of each month until it is given back. `clock_us` is the
provider's own time. Nothing here knows the service.
"""

import calendar
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal


@dataclass
class Bought:
    """A number of the account."""

    e164: str
    reference: str
    at_us: int
    months: int = 1  # paid


@dataclass
class Market:
    """Numbers for sale, and the account."""

    clock_us: Callable[[], int]
    for_sale: list[str] = field(default_factory=list)
    setup: Decimal = Decimal(0)
    month: Decimal = Decimal("1.15")
    money: Decimal = Decimal(10_000)
    needs_address: bool = False
    owned: dict[str, Bought] = field(default_factory=dict)
    charges: list[tuple[int, str, str, Decimal]] = field(default_factory=list)  # time, number, what for, amount
    purchases: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def search(self, limit: int) -> list[str]:
        """Return numbers for sale."""
        with self._lock:
            return self.for_sale[:limit]

    def buy(self, e164: str, reference: str) -> str:
        """Buy a number. Return why it can't be bought: 'gone' or 'empty'; '' if it was."""
        with self._lock:
            self.pass_time()
            if e164 not in self.for_sale:
                return "gone"
            if self.money < self.setup + self.month:
                return "empty"
            self.for_sale.remove(e164)
            self.owned[e164] = Bought(e164, reference, self.clock_us())
            self.purchases.append(e164)
            if self.setup:
                self._charge(self.clock_us(), e164, "setup", self.setup)
            self._charge(self.clock_us(), e164, "month 0", self.month)
            return ""

    def release(self, e164: str) -> None:
        """Take a number back; it is not for sale again at once."""
        with self._lock:
            self.pass_time()
            self.owned.pop(e164, None)

    def pass_time(self) -> None:
        """Charge for the months that have begun."""
        for bought in self.owned.values():
            while (at_us := month_after(bought.at_us, bought.months)) <= self.clock_us():
                self._charge(at_us, bought.e164, f"month {bought.months}", self.month)
                bought.months += 1

    def spent(self, *, after_us: int, until_us: int, kinds: Iterable[str] = ("setup", "month 0")) -> Decimal:
        """Return what was charged in a period for these things."""
        wanted = set(kinds)
        return sum((a for at, _, what, a in self.charges if after_us < at <= until_us and what in wanted), Decimal(0))

    def _charge(self, at_us: int, e164: str, what: str, amount: Decimal) -> None:
        self.money -= amount
        self.charges.append((at_us, e164, what, amount))


def month_after(at_us: int, months: int) -> int:
    """Return the same time of day, `months` months later, or on the last day of a shorter month."""
    at = datetime.fromtimestamp(at_us // 10**6, UTC)
    year, month = at.year + (at.month - 1 + months) // 12, (at.month - 1 + months) % 12 + 1
    day = min(at.day, calendar.monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp()) * 10**6 + at_us % 10**6
