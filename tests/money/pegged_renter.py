"""A renter in a pegged group, and its group."""

from decimal import Decimal
from functools import partial

from dtmf_server.core.pegged import Peg
from dtmf_server.operations import pegged, rent
from dtmf_server.storage import group_prices, numbers
from dtmf_server.storage.db import Database, Tx
from harness import DAY_US, START_US
from money.test_limits import Renter

GROUP = "us-mobile"
RATE = Decimal(50_000)  # a millionth of a euro is 0.002 satoshis
MICROS = {"setup_micros": 0, "minute_micros": 6_500, "sms_micros": 352_500, "cap_micros": None}  # 13 and 705 satoshis


def peg(db: Database, rate: Decimal = RATE, *, at_us: int = START_US, **micros: int | None) -> None:
    """Peg the group, at this rate."""

    def write(tx: Tx) -> None:
        new, prices = Peg("EUR", rate, at_us), {**MICROS, **micros}
        numbers.set_terms(tx, GROUP, monthly_cap=None, reclaim_days=0, line_type=None)
        group_prices.peg(tx, GROUP, prices, new)
        group_prices.store_sats(tx, GROUP, pegged.in_sats(prices, rate), new)

    db.write_blocking(write)


def refresh(db: Database, rate: Decimal, *, at_us: int) -> None:
    """Let the worker read a rate."""
    db.write_blocking(partial(pegged.refresh, peg=Peg("EUR", rate, at_us)))


def announce(db: Database, at_us: int, *, wall_us: int | None = None) -> int:
    """Announce everything that is due. Return in how many portions."""
    portions = 0
    at = {"now_us": at_us, "wall_us": at_us if wall_us is None else wall_us}
    while db.write_blocking(lambda tx: pegged.announce(tx, **at)):
        portions += 1
    return portions


class PeggedRenter(Renter):
    """An account with many coins whose rentals are in a pegged group."""

    def __init__(self, db: Database, *, seed: int = 0, coins: int = 100_000_000) -> None:
        super().__init__(db, seed=seed, coins=coins)
        self.coins = coins

    def cost(self, at_us: int) -> int:
        return super().cost(at_us) + self.coins - 100_000

    def price(self, e164: str, at_us: int) -> tuple[int, int | None]:
        """Return the written prices of a minute and of an SMS."""
        row = self.db.read_blocking(lambda tx: rent.live_rental(tx, self.id, e164, now_us=at_us))
        return row["cost_per_minute"], row["cost_per_inbound_message"]


NOTICE_US, TERM_US = START_US + 23 * DAY_US, START_US + 30 * DAY_US
