"""The state machine's exchange rate: prices of a pegged group follow it, and its rentals follow after a notice of minutes."""

from decimal import Decimal
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import rule

from dtmf_server.core import pegged as pegged_prices
from dtmf_server.core.pegged import Peg
from dtmf_server.operations import pegged
from dtmf_server.storage import group_prices, numbers
from dtmf_server.storage.db import Tx
from money.oracle import prices
from money.oracle.minutes import MINUTE_US
from money.state_machine.chain_and_clock import CoinsAndClocks, moments_us, who

NOTICE_US = 5 * MINUTE_US
RATE = 50_000
MICROS: dict[str, dict[str, int | None]] = {
    "pegged": {"setup_micros": 500, "minute_micros": 10_000, "sms_micros": 1_500, "cap_micros": None},
    "capped and pegged": {"setup_micros": 0, "minute_micros": 10_000, "sms_micros": 1_000, "cap_micros": 65_000},
}


class Prices(CoinsAndClocks):
    """A rate that changes, and prices that are announced."""

    def __init__(self) -> None:
        super().__init__()
        self.notices = (pegged.NOTICE_US, pegged_prices.NOTICE_US)
        pegged.NOTICE_US = pegged_prices.NOTICE_US = NOTICE_US
        self.rate_is(RATE, is_new=True)

    def teardown(self) -> None:
        pegged.NOTICE_US, pegged_prices.NOTICE_US = self.notices
        super().teardown()

    @rule(rate=st.sampled_from([RATE, RATE, RATE // 2, RATE * 2, RATE // 7, RATE * 30]))
    def the_rate_changes(self, rate: int) -> None:
        self.rate_is(rate)

    def rate_is(self, rate: int, *, is_new: bool = False) -> None:
        for group_id, micros in MICROS.items():
            if is_new:
                self._write(partial(_peg, group_id=group_id, micros=micros))
            self.plain.groups[group_id] = prices.at_rate(self.plain.groups[group_id], micros, rate)
        self._write(partial(pegged.refresh, peg=Peg("EUR", Decimal(rate), 0)))

    @rule(who=who, nth=st.integers(0, 3), in_us=moments_us, seen=st.booleans())
    def a_price_ends_soon(self, who: int, nth: int, in_us: int, seen: bool) -> None:
        """Let the term of a price end within minutes, although it lasts for weeks."""
        account = self.plain.accounts[self.ids[who]]
        ending = [r for r in account.live if r.until_us is not None and r.change_us(account.settled_us) is None]
        if ending:
            rental = ending[nth % len(ending)]
            rental.until_us = self.now_us + in_us
            self._write(partial(_end_term, rental_id=rental.id, until_us=rental.until_us))
        if seen:
            self.prices_are_announced()

    @rule()
    def prices_are_announced(self) -> None:
        due = prices.announce(self.plain, self.now_us, notice_us=NOTICE_US)
        assert self._write(lambda tx: pegged.announce(tx, now_us=self.now_us, wall_us=0)) == due

    @rule(who=who, off_us=st.integers(-1, 1), swept=st.booleans())
    def until_a_price_changes(self, who: int, off_us: int, swept: bool) -> None:
        account = self.plain.accounts[self.ids[who]]
        found = [at_us for r in account.live if (at_us := r.change_us(account.settled_us)) is not None]
        if found:
            self.now_us = min(found) + off_us
        if swept:
            self.the_meter_sweeps(0)


def _peg(tx: Tx, group_id: str, micros: dict[str, int | None]) -> None:
    numbers.set_terms(tx, group_id, monthly_cap=None, reclaim_days=0, line_type=None)
    group_prices.peg(tx, group_id, micros, Peg("EUR", Decimal(RATE), 0))


def _end_term(tx: Tx, rental_id: int, until_us: int) -> None:
    tx.run("UPDATE rentals SET price_until_us = :until_us WHERE id = :id", id=rental_id, until_us=until_us)
