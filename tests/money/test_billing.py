"""The meter's arithmetic, compared with paying one minute at a time."""

from itertools import pairwise

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dtmf_server.core import billing
from dtmf_server.core.billing import NEVER_US, LiveRental, NextPrice
from dtmf_server.core.monthly_cap import PERIOD_MINUTES, PERIOD_US
from dtmf_server.core.units import MINUTE_US
from effort import MONEY_EXAMPLES, MONEY_PROFILE, MONEY_SEED
from money.oracle.minutes import PlainRental, pay_minutes, run_out_us

NOW_US = 1_514_768_461_000_000
DAY_MINUTES = 24 * 60
YEAR_US = 365 * DAY_MINUTES * MINUTE_US

# Only a few distinct offsets within the minute, so that ticks often coincide.
offsets_us = st.sampled_from([0, 1, 30_000_000, MINUTE_US - 1]) | st.integers(0, MINUTE_US - 1)
costs = st.sampled_from([0, 1, 2, 3, 13, 269]) | st.integers(0, 1000)


@st.composite
def booked_rentals(draw: st.DrawFn, *, with_caps: bool = True) -> list[LiveRental]:
    """Draw live rentals of one account, in any order, as a settlement at NOW_US leaves them."""
    rentals = []
    for rental_id in range(1, draw(st.integers(0, 6)) + 1):
        age_us = draw(st.integers(0, 5)) * MINUTE_US + draw(offsets_us)
        cap, cost = None, draw(costs)
        if cost and with_caps and draw(st.booleans()):
            cap = draw(st.integers(cost, 40 * cost))
            age_us += draw(st.sampled_from([0, PERIOD_US - 7 * MINUTE_US, 2 * PERIOD_US - MINUTE_US]))
        rentals.append(LiveRental(rental_id, NOW_US - age_us, cost, age_us // MINUTE_US + 1, monthly_cap=cap))
    return draw(st.permutations(rentals))


def plain(rentals: list[LiveRental]) -> list[PlainRental]:
    return [
        PlainRental(
            r.rental_id,
            r.started_at_us,
            r.cost_per_minute,
            r.booked_minutes,
            cap=r.monthly_cap,
            later=[] if r.change is None else [_later(r, r.change)],
        )
        for r in rentals
    ]


def _later(rental: LiveRental, change: NextPrice) -> tuple[int, int, int, int | None]:
    first = (change.at_us - rental.started_at_us) // MINUTE_US
    return first, change.cost_per_minute, 0, change.monthly_cap


@st.composite
def changing_rentals(draw: st.DrawFn) -> list[LiveRental]:
    """Draw live rentals, some of which change their price."""
    rentals = []
    for rental in draw(booked_rentals()):
        step = 1 if rental.monthly_cap is None else PERIOD_MINUTES
        if draw(st.booleans()) or rental.booked_minutes > step > 1:
            rentals.append(rental)
            continue
        first = step if step > 1 else rental.booked_minutes + draw(st.integers(0, 30))
        cost = draw(costs)
        cap = draw(st.none() | st.integers(cost, 40 * cost)) if cost else None
        at_us = rental.started_at_us + first * MINUTE_US
        rentals.append(replace(rental, change=NextPrice(at_us, cost, None, cap)))
    return rentals


balances = st.integers(0, 50) | st.integers(0, 20_000)
later_us = st.integers(0, 400).map(lambda minutes: minutes * MINUTE_US) | st.integers(0, 400 * MINUTE_US)
thorough = settings(MONEY_PROFILE, max_examples=MONEY_EXAMPLES)


@seed(MONEY_SEED)
@thorough
@given(balances, booked_rentals(), later_us)
def test_settle_pays_what_counting_minutes_pays(balance: int, rentals: list[LiveRental], later_us: int) -> None:
    now_us = NOW_US + later_us
    settled = billing.settle(balance, rentals, now_us)
    expected = plain(rentals)
    assert settled.balance == pay_minutes(balance, expected, now_us)
    live = [(r.rental_id, r.booked_minutes) for r in settled.running]
    oldest_first = sorted(expected, key=lambda r: (r.started_us, r.id))
    assert live == [(r.id, r.paid_minutes) for r in oldest_first if r.ended_us is None]
    ended = [(at_us, r.rental_id, r.booked_minutes) for r, at_us in settled.ended]
    in_order_of_end = sorted(
        (r for r in expected if r.ended_us is not None), key=lambda r: (r.ended_us, r.started_us, r.id)
    )
    assert ended == [(r.ended_us, r.id, r.paid_minutes) for r in in_order_of_end]
    assert settled.cost_per_minute == sum(r.cost for r in expected if r.ended_us is None)
    assert settled.depletes_at_us == run_out_us(settled.balance, expected)


@seed(MONEY_SEED)
@thorough
@given(balances, changing_rentals(), later_us)
def test_settle_pays_each_minute_at_its_price(balance: int, rentals: list[LiveRental], later_us: int) -> None:
    now_us = NOW_US + later_us
    settled = billing.settle(balance, rentals, now_us)
    expected = plain(rentals)
    assert settled.balance == pay_minutes(balance, expected, now_us)
    running = {r.rental_id: r for r in settled.running}
    live = {r.id: r for r in expected if r.ended_us is None}
    assert running.keys() == live.keys()
    assert {(r.rental_id, at_us) for r, at_us in settled.ended} == {
        (r.id, r.ended_us) for r in expected if r.ended_us is not None
    }
    for id_, rental in running.items():
        assert rental.cost_of(rental.booked_minutes) == live[id_].paid()
        assert rental.cost_at(now_us) == live[id_].price(live[id_].paid_minutes - 1)
    assert settled.depletes_at_us == run_out_us(settled.balance, [*live.values()])


@seed(MONEY_SEED)
@thorough
@given(balances, changing_rentals(), st.lists(later_us, min_size=1, max_size=8))
def test_settling_in_steps_equals_settling_once(balance: int, rentals: list[LiveRental], steps_us: list[int]) -> None:
    once = billing.settle(balance, rentals, NOW_US + max(steps_us))
    left, running, ended = balance, tuple(rentals), []
    for step_us in sorted(steps_us):
        settled = billing.settle(left, running, NOW_US + step_us)
        left, running = settled.balance, settled.running
        ended += settled.ended
    assert (left, running, tuple(ended)) == (once.balance, once.running, once.ended)
    assert settled.depletes_at_us == once.depletes_at_us


@seed(MONEY_SEED)
@thorough
@given(balances, booked_rentals())
def test_depletes_at_is_exact_to_the_microsecond(balance: int, rentals: list[LiveRental]) -> None:
    at_us = billing.depletes_at(balance, rentals)
    assert at_us == run_out_us(balance, plain(rentals))
    if at_us is None:
        assert billing.settle(balance, rentals, NOW_US + 400 * MINUTE_US).ended == ()
        return
    before, then = billing.settle(balance, rentals, at_us - 1), billing.settle(balance, rentals, at_us)
    assert before.ended == () and before.depletes_at_us == at_us
    assert then.ended and {ended_us for _, ended_us in then.ended} == {at_us}
    assert then.depletes_at_us is None or then.depletes_at_us > at_us


@seed(MONEY_SEED)
@thorough
@given(balances, booked_rentals(with_caps=False), st.integers(0, 10**9))
def test_each_further_round_of_money_lasts_one_more_minute(
    balance: int, rentals: list[LiveRental], rounds: int
) -> None:
    """Cover balances too large to count minute by minute, by relating them to smaller ones."""
    at_us = billing.depletes_at(balance, rentals)
    richer = balance + rounds * sum(rental.cost_per_minute for rental in rentals)
    assert billing.depletes_at(richer, rentals) == (
        None if at_us is None else min(NEVER_US, at_us + rounds * MINUTE_US)
    )


@seed(MONEY_SEED)
@thorough
@given(balances, booked_rentals(), st.integers(1, 50))
def test_the_money_for_a_period_lasts_one_more_period(balance: int, rentals: list[LiveRental], periods: int) -> None:
    at_us = billing.depletes_at(balance, rentals)
    period = sum(r.cost_per_minute * PERIOD_MINUTES if r.monthly_cap is None else r.monthly_cap for r in rentals)
    richer = billing.depletes_at(balance + periods * period, rentals)
    assert richer == (None if at_us is None else at_us + periods * PERIOD_US)


@seed(MONEY_SEED)
@thorough
@given(st.integers(1, 1000), st.integers(0, 3 * PERIOD_MINUTES), st.integers(1, 10**6))
def test_any_30_days_of_a_rental_cost_its_cap(cost: int, since: int, more: int) -> None:
    cap = min(cost - 1 + more, cost * PERIOD_MINUTES - 1)
    rental = LiveRental(1, NOW_US, cost, 1, monthly_cap=cap)
    assert rental.cost_of(since + PERIOD_MINUTES) - rental.cost_of(since) == cap
    nth = rental.cost_of(since + 1) - rental.cost_of(since)
    assert nth == PlainRental(1, NOW_US, cost, 1, cap=cap).price(since) == rental.cost_at(NOW_US + since * MINUTE_US)


@seed(MONEY_SEED)
@thorough
@given(balances, booked_rentals(), later_us)
def test_settling_twice_at_the_same_instant_pays_once(balance: int, rentals: list[LiveRental], later_us: int) -> None:
    once = billing.settle(balance, rentals, NOW_US + later_us)
    twice = billing.settle(once.balance, once.running, NOW_US + later_us)
    assert (twice.balance, twice.running, twice.ended) == (once.balance, once.running, ())


@seed(MONEY_SEED)
@thorough
@given(balances, booked_rentals(), st.integers(0, 400 * MINUTE_US))
def test_going_back_in_time_pays_nothing(balance: int, rentals: list[LiveRental], earlier_us: int) -> None:
    settled = billing.settle(balance, rentals, NOW_US - earlier_us)
    assert settled.balance == balance and settled.ended == ()
    assert sorted(settled.running, key=lambda r: r.rental_id) == sorted(rentals, key=lambda r: r.rental_id)


def running(rental_id: int, cost: int, *, age_us: int = 0) -> LiveRental:
    return LiveRental(rental_id, NOW_US - age_us, cost, age_us // MINUTE_US + 1)


def test_at_equal_instants_the_oldest_rental_is_paid_first() -> None:
    old, young = running(9, 10, age_us=5 * MINUTE_US), running(2, 10)
    settled = billing.settle(10, [young, old], NOW_US + MINUTE_US)
    assert [r.rental_id for r in settled.running] == [9]
    assert [(r.rental_id, at_us) for r, at_us in settled.ended] == [(2, NOW_US + MINUTE_US)]
    assert settled.balance == 0


def test_rentals_of_one_instant_are_paid_in_the_order_of_their_ids() -> None:
    settled = billing.settle(10, [running(8, 10), running(3, 10)], NOW_US + MINUTE_US)
    assert [r.rental_id for r in settled.running] == [3]


def test_a_minute_that_cannot_be_paid_ends_only_its_own_rental() -> None:
    dear, cheap = running(1, 100), running(2, 1)
    settled = billing.settle(60, [dear, cheap], NOW_US + 10 * MINUTE_US)
    assert [(r.rental_id, at_us) for r, at_us in settled.ended] == [(1, NOW_US + MINUTE_US)]
    assert settled.balance == 50 and [r.booked_minutes for r in settled.running] == [11]


def test_a_free_rental_never_ends_and_its_minutes_are_counted() -> None:
    settled = billing.settle(0, [running(1, 0)], NOW_US + YEAR_US)
    assert settled.depletes_at_us is None and settled.balance == 0
    assert settled.running[0].booked_minutes == 365 * DAY_MINUTES + 1


def test_a_free_rental_outlives_those_that_cost() -> None:
    settled = billing.settle(5, [running(1, 0), running(2, 6)], NOW_US + MINUTE_US)
    assert [r.rental_id for r in settled.running] == [1] and settled.balance == 5


def test_a_year_of_downtime_is_billed_by_the_minute() -> None:
    rentals = [running(1, 2, age_us=17), running(2, 3, age_us=MINUTE_US - 1)]
    expected = plain(rentals)
    settled = billing.settle(10**9, rentals, NOW_US + YEAR_US // 4)
    assert settled.balance == pay_minutes(10**9, expected, NOW_US + YEAR_US // 4)
    assert [r.booked_minutes for r in sorted(settled.running, key=lambda r: r.rental_id)] == [
        r.paid_minutes for r in expected
    ]


def test_downtime_beyond_the_run_out_is_billed_up_to_the_run_out() -> None:
    settled = billing.settle(100_000, [running(1, 1)], NOW_US + YEAR_US)
    assert settled.balance == 0
    assert [at_us for _, at_us in settled.ended] == [NOW_US + 100_001 * MINUTE_US]


@pytest.mark.parametrize("balance", [21 * 10**14, 2**63 - 1])
def test_the_run_out_of_any_balance_is_at_most_the_year_9999(balance: int) -> None:
    assert billing.depletes_at(balance, [running(1, 1)]) == NEVER_US
    settled = billing.settle(balance, [running(1, 1)], NOW_US + YEAR_US)
    assert settled.balance == balance - 365 * DAY_MINUTES and settled.ended == ()


def test_minutes_started_counts_the_minute_that_begins_now() -> None:
    for at_us in [0, 1, MINUTE_US - 1, MINUTE_US, MINUTE_US + 1, 10 * MINUTE_US - 1, 10 * MINUTE_US]:
        accrued = sum(1 for start_us in range(0, 20 * MINUTE_US, MINUTE_US) if start_us <= at_us)
        assert billing.minutes_started(NOW_US, NOW_US + at_us) == accrued


def test_minutes_started_refuses_a_time_before_the_start() -> None:
    with pytest.raises(AssertionError):
        billing.minutes_started(NOW_US, NOW_US - 1)


def test_more_money_never_makes_the_run_out_earlier() -> None:
    rentals = [running(1, 13, age_us=5), running(2, 7, age_us=11), running(3, 0)]
    instants = [billing.depletes_at(balance, rentals) for balance in range(500)]
    assert all(before <= after for before, after in pairwise(at_us for at_us in instants if at_us is not None))
    assert None not in instants


# --- sums instead of rentals


def costs_of(rentals: list[LiveRental]) -> billing.KnownCosts:
    by_phase: dict[int, int] = {}
    for rental in rentals:
        if rental.cost_per_minute and rental.monthly_cap is None:
            by_phase[rental.phase_us] = by_phase.get(rental.phase_us, 0) + rental.cost_per_minute
    return billing.KnownCosts(by_phase, [rental for rental in rentals if rental.monthly_cap is not None])


@seed(MONEY_SEED)
@thorough
@given(balances, booked_rentals())
def test_sums_give_the_same_run_out_as_rentals(balance: int, rentals: list[LiveRental]) -> None:
    assert billing.runs_out_at(balance, NOW_US, costs_of(rentals)) == billing.depletes_at(balance, rentals)


@seed(MONEY_SEED)
@thorough
@given(booked_rentals(), later_us)
def test_sums_give_the_same_cost_as_the_minutes_of_all_rentals(rentals: list[LiveRental], later_us: int) -> None:
    settled = billing.settle(10**9, rentals, NOW_US + later_us)
    assert billing.cost_between(costs_of(rentals), NOW_US, NOW_US + later_us) == 10**9 - settled.balance


@seed(MONEY_SEED)
@thorough
@given(balances, booked_rentals(), later_us, st.integers(1, 3))
def test_a_run_out_in_batches_equals_one_in_a_single_step(
    balance: int, rentals: list[LiveRental], later_us: int, at_most: int
) -> None:
    now_us, at_us = NOW_US + later_us, NOW_US
    once = billing.settle(balance, rentals, now_us)
    live, ended = [rental for rental in rentals if rental.cost_per_minute], []
    while (from_us := billing.runs_out_at(balance, at_us, costs_of(live))) is not None and from_us <= now_us:
        balance -= billing.cost_between(costs_of(live), at_us, from_us - 1)
        out = billing.run_out(balance, billing.in_order(live, from_us), from_us, now_us, at_most=at_most)
        assert 0 < len(out.ended) <= at_most
        balance, at_us = balance - out.cost, out.through_us
        over = {rental.rental_id for rental, _ in out.ended}
        live = [rental for rental in live if rental.rental_id not in over]
        ended += [(rental.rental_id, ended_us) for rental, ended_us in out.ended]
    balance -= billing.cost_between(costs_of(live), at_us, now_us)
    assert balance == once.balance
    assert ended == [(rental.rental_id, ended_us) for rental, ended_us in once.ended]
    assert billing.runs_out_at(balance, now_us, costs_of(live)) == once.depletes_at_us
