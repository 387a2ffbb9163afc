"""Low-balance warnings the slow way: look at the account after every single minute that is paid."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness import DAY_US, HOUR_US
from money.oracle.minutes import PlainRental, in_line, pay_minutes, run_out_us

Told = tuple[int, int, int, int]  # hours, when, balance, when the money runs out


@dataclass
class PlainAccount:
    """An account that is looked at after every minute, and what it was told."""

    balance: int = 0
    rentals: list[PlainRental] = field(default_factory=list)
    given: int = 0
    told: list[Told] = field(default_factory=list)
    _runs_out_us: int | None = None  # found again whenever something changes it: paying a minute does not

    def until(self, now_us: int) -> None:
        """Time passes."""
        while (line := in_line(self.rentals)) and (instant_us := line[0][0]) <= now_us:
            before = sum(rental.ended_us is None for rental in self.rentals)
            self.balance = pay_minutes(self.balance, self.rentals, instant_us)
            if before != sum(rental.ended_us is None for rental in self.rentals):
                self.changed(instant_us)
            else:
                self.look(instant_us)

    def runs_out_us(self) -> int | None:
        """When the money runs out."""
        return self._runs_out_us

    def changed(self, now_us: int) -> None:
        """Something was paid in, charged, begun or ended."""
        self._runs_out_us = run_out_us(self.balance, self.rentals)
        self.look(now_us)

    def look(self, now_us: int) -> None:
        """What the renter has to be told."""
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
    """A rental begins, its first minute paid."""
    rental = PlainRental(id_, at_us, cost, 1)
    account.balance -= cost
    account.rentals.append(rental)
    account.changed(at_us)
    return rental


def live(rentals: Iterable[PlainRental]) -> list[PlainRental]:
    """Those that have not ended."""
    return [rental for rental in rentals if rental.ended_us is None]
