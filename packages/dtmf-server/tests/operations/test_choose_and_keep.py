"""A renter can choose a number, its minutes cost at most the monthly cap, and it waits for its last renter."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from dtmf import DTMF, NoNumbersAvailableError
from dtmf_server.core.errors import NoNumbersAvailable, NumberTaken, TooManyCappedRentals
from dtmf_server.core.units import DAY_US, MINUTE_US, SECOND_US
from dtmf_server.operations import account, catalog, close_account, meter, rent, verify
from dtmf_server.storage import messages, numbers, schema
from dtmf_server.storage.db import Database, Row, Tx
from harness import START_US, Group, give_coins, new_token, open_account, stock
from support.webhook_steps import plan_of

COOLDOWN_US = DAY_US
NUMBERS = [f"+1303555{n:04d}" for n in range(8)]


def add(db: Database, group: Group, e164s: list[str] = NUMBERS) -> None:
    db.write_blocking(lambda tx: stock(tx, {group: e164s}))


def rented(db: Database, who: int, group: str, *, now_us: int = START_US, e164: str | None = None) -> Row:
    return db.write_blocking(lambda tx: rent.start(tx, who, group, now_us=now_us, cooldown_us=COOLDOWN_US, e164=e164))


def settled(db: Database, *, now_us: int) -> None:
    while db.write_blocking(partial(meter.sweep, now_us=now_us)):
        pass


@pytest.fixture
def group(db: Database) -> Group:
    chosen = Group("chosen", rental_cost_per_minute=10, monthly_cap=1000, reclaim_days=10)
    add(db, chosen)
    return chosen


def free(db: Database, contains: str = "", *, now_us: int = START_US, limit: int = 100) -> list[str]:
    return db.read_blocking(
        partial(
            catalog.available, group_id="chosen", contains=contains, limit=limit, now_us=now_us, cooldown_us=COOLDOWN_US
        )
    )


# --- choose ---------------------------------------------------------------------------------------------------------


def test_free_numbers_are_found_by_their_digits_and_rented_ones_are_not(db: Database, group: Group) -> None:
    assert free(db) == NUMBERS
    assert free(db, "0003") == ["+13035550003"]
    assert free(db, limit=2) == NUMBERS[:2]
    give_coins(db, who := open_account(db), 1000)
    assert rented(db, who, "chosen", e164=NUMBERS[3])["e164"] == NUMBERS[3]
    assert free(db, "0003") == []


def test_a_chosen_number_that_is_taken_is_refused_and_nothing_is_charged(db: Database, group: Group) -> None:
    first, second = open_account(db, seed=1), open_account(db, seed=2)
    for who in (first, second):
        give_coins(db, who, 1000)
    rented(db, first, "chosen", e164=NUMBERS[0])
    for e164 in (NUMBERS[0], "+12025550100", "+13035559999"):  # rented, of another group, not ours
        with pytest.raises(NumberTaken):
            rented(db, second, "chosen", e164=e164)
    assert db.read_blocking(partial(account.balance, account_id=second, now_us=START_US)) == 1000


def test_of_many_who_choose_the_same_number_one_gets_it(db: Database, group: Group) -> None:
    accounts = [open_account(db, seed=seed) for seed in range(12)]
    for who in accounts:
        give_coins(db, who, 100)

    def choose(who: int) -> bool:
        try:
            rented(db, who, "chosen", e164=NUMBERS[5])
        except NumberTaken:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(choose, accounts)) == 1


def test_a_search_reads_a_bounded_range_of_free_numbers(db: Database) -> None:
    ask = partial(numbers.available, group_id="x", contains="7", limit=10, now_us=1, cooldown_us=0)
    plan = plan_of(db, ask)
    print(plan)
    assert "ix_numbers_free" in plan and "ix_numbers_reserved" in plan
    assert "SCAN numbers" not in plan and "Seq Scan on numbers" not in plan


def test_both_clients_choose(db: Database, url: str, group: Group) -> None:
    give_coins(db, open_account(db), 1000)
    with DTMF(new_token(), base_url=url) as dtmf:
        assert dtmf.available("chosen", "0007") == [{"e164": NUMBERS[7]}]
        assert len(dtmf.available("chosen")) == len(NUMBERS)
        assert dtmf.start_rental("chosen", e164=NUMBERS[7])["e164"] == NUMBERS[7]
        with pytest.raises(NoNumbersAvailableError) as refused:
            dtmf.start_rental("chosen", e164=NUMBERS[7])
        assert (refused.value.code, refused.value.retry_after) == ("number_taken", None)
        details = dtmf.group("chosen")
        assert (details["available"], details["monthly_cap"], details["reclaim_days"]) == (7, 1000, 10)
        assert (details["short_codes"], details["rentals"], details["median_seconds"]) == ("untested", None, None)
        for wrong in ("", "12 3", "+1", "x"):
            with pytest.raises(ValueError, match="contains"):
                dtmf.available("chosen", wrong)


# --- keep -----------------------------------------------------------------------------------------------------------


def test_30_days_of_minutes_cost_the_cap_and_the_run_out_is_exact(db: Database, group: Group) -> None:
    give_coins(db, who := open_account(db), 2500)
    rented(db, who, "chosen")
    usage = db.read_blocking(partial(account.usage, account_id=who, now_us=START_US))
    # Two periods cost 1000 each; the minutes of the third cost 10, so the 51st of them can't be paid.
    runs_out_us = START_US + 60 * DAY_US + 50 * MINUTE_US
    assert (usage.runs_out_at_us, usage.cost_per_minute) == (runs_out_us, 10)
    for days, left in ((1, 1500), (29.9, 1500), (31, 500), (59, 500)):
        now_us = START_US + round(days * DAY_US)
        read = db.read_blocking(partial(account.usage, account_id=who, now_us=now_us))
        assert (read.balance, read.cost_per_minute, read.runs_out_at_us) == (left, 0, runs_out_us)
        settled(db, now_us=now_us)
        assert db.read_blocking(verify.differences) == []
    settled(db, now_us=runs_out_us - 1)
    assert db.read_blocking(partial(rent.live_rentals, account_id=who, now_us=runs_out_us - 1))
    settled(db, now_us=runs_out_us)
    (ended,) = db.read_blocking(lambda tx: tx.all("SELECT ended_at_us, end_reason FROM rentals"))
    assert dict(ended) == {"ended_at_us": runs_out_us, "end_reason": "depleted"}
    assert db.read_blocking(verify.differences) == []


def test_an_account_has_at_most_100_capped_rentals(db: Database) -> None:
    add(db, Group("many", rental_cost_per_minute=1, monthly_cap=50), [f"+1404555{n:04d}" for n in range(101)])
    give_coins(db, who := open_account(db), 10_000)
    for _ in range(100):
        rented(db, who, "many")
    with pytest.raises(TooManyCappedRentals):
        rented(db, who, "many")
    assert db.read_blocking(verify.differences) == []
    settled(db, now_us=START_US + 40 * DAY_US)
    assert db.read_blocking(verify.differences) == []


def test_a_cap_that_no_rental_reaches_costs_no_place_among_the_capped(db: Database) -> None:
    add(db, Group("loose", rental_cost_per_minute=1, monthly_cap=43_200), ["+14045550000"])
    give_coins(db, who := open_account(db), 10)
    assert rented(db, who, "loose")["monthly_cap"] is None


def test_after_a_run_out_only_the_last_renter_gets_the_number(db: Database) -> None:
    add(db, Group("kept", rental_cost_per_minute=10, reclaim_days=10), ["+14045550000"])
    first, second = open_account(db, seed=1), open_account(db, seed=2)
    give_coins(db, first, 10)
    give_coins(db, second, 1000)
    rented(db, first, "kept")
    over_us = START_US + MINUTE_US
    settled(db, now_us=over_us)
    for now_us in (over_us + 2 * DAY_US, over_us + 10 * DAY_US - 1):
        with pytest.raises(NoNumbersAvailable):
            rented(db, second, "kept", now_us=now_us)
        with pytest.raises(NumberTaken):
            rented(db, second, "kept", now_us=now_us, e164="+14045550000")
    give_coins(db, first, 10, now_us=over_us)
    assert rented(db, first, "kept", now_us=over_us + 9 * DAY_US)["e164"] == "+14045550000"
    settled(db, now_us=over_us + 9 * DAY_US + MINUTE_US)
    assert rented(db, second, "kept", now_us=over_us + 19 * DAY_US + MINUTE_US)["e164"] == "+14045550000"


def test_a_rental_that_its_renter_ends_reserves_nothing(db: Database) -> None:
    add(db, Group("kept", rental_cost_per_minute=10, reclaim_days=10), ["+14045550000"])
    first, second = open_account(db, seed=1), open_account(db, seed=2)
    for who in (first, second):
        give_coins(db, who, 1000)
    rented(db, first, "kept")
    db.write_blocking(lambda tx: rent.end(tx, first, "+14045550000", now_us=START_US))
    assert rented(db, second, "kept", now_us=START_US + COOLDOWN_US)["e164"] == "+14045550000"


def test_a_deleted_account_reserves_nothing(db: Database) -> None:
    add(db, Group("kept", rental_cost_per_minute=10, reclaim_days=10), ["+14045550000"])
    first, second = open_account(db, seed=1), open_account(db, seed=2)
    give_coins(db, first, 10)
    give_coins(db, second, 1000)
    rented(db, first, "kept")
    settled(db, now_us=START_US + MINUTE_US)
    db.write_blocking(
        lambda tx: close_account.close_account(tx, first, given_up_max=0, now_us=START_US + MINUTE_US, wall_us=1)
    )
    assert rented(db, second, "kept", now_us=START_US + MINUTE_US + COOLDOWN_US)["e164"] == "+14045550000"


# --- the honest catalog ---------------------------------------------------------------------------------------------


def many(db: Database, count: int, first_sms_s: Callable[[int], int | None], *, sender: str = "+1234") -> None:
    """Rent and end `count` times, a minute apart; each receives its first SMS after so many seconds."""
    add(
        db,
        Group("chosen", rental_cost_per_minute=0, cost_per_inbound_message=0),
        [f"+1404555{n:04d}" for n in range(count)],
    )
    who = open_account(db, seed=99)

    def all_of_them(tx: Tx) -> None:
        for n in range(count):
            row = rent.start(tx, who, "chosen", now_us=START_US + n, cooldown_us=0)
            if (seconds := first_sms_s(n)) is not None:
                at_us = row["started_at_us"] + seconds * SECOND_US
                (id_,) = tx.allocate_ids(schema.messages, 1)
                values = (id_, who, row["id"], True, sender, row["e164"], "x", at_us, "received", 0, 1)
                messages.add(tx, [values])

    db.write_blocking(all_of_them)


def counted(db: Database, *, now_us: int) -> Any:
    while db.write_blocking(partial(catalog.count_outcomes, now_us=now_us)):
        pass
    return db.read_blocking(partial(catalog.outcomes, group_id="chosen", now_us=now_us))


def test_figures_count_each_rental_once_a_day_after_its_start(db: Database) -> None:
    many(db, 25, lambda n: None if n < 5 else n)
    assert counted(db, now_us=START_US + DAY_US - 1) is None
    for _ in range(2):
        found = counted(db, now_us=START_US + DAY_US + 100)
        assert (found.rentals, found.received_share, found.median_seconds) == (25, 0.8, 14)
    assert counted(db, now_us=START_US + 32 * DAY_US) is None


def test_under_20_rentals_there_are_no_figures(db: Database) -> None:
    many(db, 19, lambda n: 1)
    assert counted(db, now_us=START_US + 2 * DAY_US) is None


def test_sms_from_our_own_numbers_do_not_count(db: Database) -> None:
    many(db, 20, lambda n: 1, sender="+14045550003")
    found = counted(db, now_us=START_US + 2 * DAY_US)
    assert (found.rentals, found.received_share, found.median_seconds) == (20, 0.0, None)


def test_figures_are_read_from_sums_by_index(db: Database) -> None:
    plan = plan_of(db, partial(catalog.outcomes, group_id="x", now_us=1))
    print(plan)
    assert "SCAN rental_outcomes" not in plan and "Seq Scan" not in plan
    assert "pk_rental_outcomes" in plan or "sqlite_autoindex_rental_outcomes" in plan
    plan = plan_of(db, partial(catalog.count_outcomes, now_us=1))
    assert "SCAN r" not in plan.replace("SCAN CONSTANT ROW", "") or "SEARCH r" in plan
    assert "Seq Scan on rentals" not in plan
