"""The days of the service, for the console's charts: they add up to the current position."""

import pytest

from dtmf_server.core.money import SUSPENSE
from dtmf_server.core.number_supply import DEFAULT_RULES
from dtmf_server.core.units import DAY_US
from dtmf_server.operations import daily_sums, money, rent
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.storage import ledger_days
from dtmf_server.storage.db import Database, Tx
from harness import START_US, give_coins, open_account

DAY = START_US // DAY_US


def days_of(db: Database, *, from_day: int = DAY - 1, before_day: int = DAY + 3) -> list[money.Day]:
    return db.read_blocking(lambda tx: money.days(tx, from_day=from_day, before_day=before_day, rules=DEFAULT_RULES))


@pytest.fixture
def lived(db: Database) -> Database:
    """Deposits on two days, one of them in suspense, and a rental that cost 50 at its start and 7 for its minute."""
    account_id = open_account(db)
    give_coins(db, account_id, 1000)

    def later(tx: Tx) -> None:
        with open_ledger(tx, [SUSPENSE], now_us=START_US + DAY_US) as ledger:
            ledger.deposit(SUSPENSE, 300, unique_ref="lost", reference="lost")
        rent.start(tx, account_id, "tiny", now_us=START_US + DAY_US, cooldown_us=0)
        rent.end(tx, account_id, "+12025550200", now_us=START_US + DAY_US + 1)

    db.write_blocking(later)
    return db


@pytest.mark.parametrize("is_summed", [False, True])
def test_days_add_up_to_the_position(lived: Database, *, is_summed: bool) -> None:
    if is_summed:
        newest = lived.read_blocking(ledger_days.newest_id)
        while lived.write_blocking(lambda tx: daily_sums.add(tx, through=newest)):
            pass
    found = days_of(lived)
    assert [(day.day - DAY, day.revenue_sats, day.owed_sats, day.held_sats) for day in found] == [
        (-1, 0, 0, 0),
        (0, 0, 1000, 1000),
        (1, 57, 1243, 1300),
        (2, 0, 1243, 1300),
    ]
    position = lived.read_blocking(money.position)
    assert (found[-1].owed_sats, found[-1].held_sats) == (position.owed_sats, position.booked_sats)
    assert sum(day.revenue_sats for day in found) == position.revenue_sats
    (last,) = days_of(lived, from_day=DAY + 2)
    assert last == found[-1], "what was before counts"


def test_a_cost_without_a_rate_leaves_the_margin_open(lived: Database) -> None:
    def buy(tx: Tx, nth: int, sats: int | None) -> None:
        tx.run(
            "INSERT INTO supply_numbers (group_id, carrier, state, wanted_at_us, gone_at_us)"
            " VALUES ('tiny', 'x', 'gone', 0, 0)"
        )
        tx.run(
            "INSERT INTO supply_costs (supply_number_id, kind, nth, at_us, amount, currency, sats)"
            " SELECT max(id), 'month', :nth, :at_us, 1500000, 'USD', :sats FROM supply_numbers",
            nth=nth,
            at_us=START_US + DAY_US,
            sats=sats,
        )

    lived.write_blocking(lambda tx: buy(tx, 1, 40))
    found = days_of(lived)
    assert [(day.cost_sats, day.margin_sats) for day in found] == [(0, 0), (0, 0), (40, 17), (0, 0)]
    lived.write_blocking(lambda tx: buy(tx, 2, None))
    assert [day.cost_sats for day in days_of(lived)] == [0, 0, None, 0]
    assert days_of(lived)[2].margin_sats is None


def test_too_many_days_are_refused(db: Database) -> None:
    with pytest.raises(ValueError, match="367 days are more than 366"):
        days_of(db, from_day=DAY, before_day=DAY + 367)
