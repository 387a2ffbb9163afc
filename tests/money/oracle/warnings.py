"""Low-balance warnings the slow way: check the account after every paid minute."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness import DAY_US, HOUR_US
from money.oracle.minutes import PlainRental, in_line, pay_minutes, run_out_us

Told = tuple[int, int, int, int]  # hours, time, balance, run-out time


@dataclass
class PlainAccount:
    """An account that is checked after every minute, and the warnings it received."""

    balance: int = 0
    rentals: list[PlainRental] = field(default_factory=list)
    given: int = 0
    told: list[Told] = field(default_factory=list)
    _runs_out_us: int | None = None  # recomputed after every change except paying a minute

    def until(self, now_us: int) -> None:
        """Let time pass."""
        while (line := in_line(self.rentals)) and (instant_us := line[0][0]) <= now_us:
            before = sum(rental.ended_us is None for rental in self.rentals)
            self.balance = pay_minutes(self.balance, self.rentals, instant_us)
            if before != sum(rental.ended_us is None for rental in self.rentals):
                self.changed(instant_us)
            else:
                self.look(instant_us)

    def runs_out_us(self) -> int | None:
        """Return when the money runs out."""
        return self._runs_out_us

    def changed(self, now_us: int) -> None:
        """Record a payment, a charge, or a rental's start or end."""
        self._runs_out_us = run_out_us(self.balance, self.rentals)
        self.look(now_us)

    def look(self, now_us: int) -> None:
        """Record the warnings that are due."""
        runs_out_us = self._runs_out_us
        runway_us = None if runs_out_us is None else runs_out_us - now_us
        if runway_us is None or runway_us > DAY_US:
            self.given = 0
        elif runway_us > HOUR_US:
            self._reached(1, 24, now_us)
        else:
            self._reached(2, 1, now_us)

    def _reached(self, number: int, hours: int, now_us: int) -> None:
        if self.given < number:
            assert self._runs_out_us is not None
            self.told.append((hours, now_us, self.balance, self._runs_out_us))
        self.given = number


def started(account: PlainAccount, id_: int, *, at_us: int, cost: int) -> PlainRental:
    """Start a rental and pay its first minute."""
    rental = PlainRental(id_, at_us, cost, 1)
    account.balance -= cost
    account.rentals.append(rental)
    account.changed(at_us)
    return rental


def live(rentals: Iterable[PlainRental]) -> list[PlainRental]:
    """Return the rentals that have not ended."""
    return [rental for rental in rentals if rental.ended_us is None]
