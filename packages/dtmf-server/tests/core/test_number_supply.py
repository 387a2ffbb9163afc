"""The life of a number bought on demand, and the rules of what may be spent."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf_server.core.number_supply import (
    PAID,
    TABLE,
    Event,
    Spent,
    State,
    SupplyRules,
    Terms,
    WrongMove,
    after,
    may_spend,
    months_begun,
    price_text,
    price_units,
    renewal,
    state_of,
    still_needed,
    to_want,
)
from dtmf_server.core.units import DAY_US, SECOND_US

events = st.lists(st.sampled_from(Event), max_size=40)
instants_us = st.integers(0, 4 * 10**15)


@given(events)
def test_a_number_is_paid_only_after_it_was_reserved_and_gone_only_when_the_provider_does_not_have_it(
    happened: list[Event],
) -> None:
    state, path = State.WANTED, [State.WANTED]
    for event in happened:
        try:
            state = after(state, event)
        except WrongMove:
            assert (state, event) not in TABLE
            continue
        path.append(state)
    for before, then in itertools.pairwise(path):
        if then in PAID and before not in PAID:
            assert before is State.RESERVED
        if before in PAID and then not in PAID:
            assert (before, then) == (State.RELEASING, State.GONE)
        if then is State.RELEASING:
            assert before is State.FREE, "a number is given back only from stock"
        assert before is not State.GONE


def test_every_state_is_reached_and_every_state_but_the_last_can_be_left() -> None:
    assert set(TABLE.values()) | {State.WANTED} == set(State)
    assert {state for state, _ in TABLE} == set(State) - {State.GONE}


def test_a_stored_state_is_completed_by_the_catalog() -> None:
    assert state_of("free", rented=True, cooling=False) is State.RENTED
    assert state_of("free", rented=False, cooling=True) is State.COOLDOWN
    assert state_of("free", rented=False, cooling=False) is State.FREE
    assert state_of("releasing", rented=False, cooling=True) is State.RELEASING


@given(instants_us, st.integers(1, 60))
def test_renewals_are_a_calendar_month_apart_and_never_later_than_the_day_of_the_purchase(at_us: int, nth: int) -> None:
    bought, renewed = (datetime.fromtimestamp(us // SECOND_US, UTC) for us in (at_us, renewal(at_us, nth)))
    assert (renewed.year * 12 + renewed.month) - (bought.year * 12 + bought.month) == nth
    assert renewed.day <= bought.day and renewed.time() == bought.time()
    assert 28 * DAY_US <= renewal(at_us, nth) - renewal(at_us, nth - 1) <= 31 * DAY_US
    assert months_begun(at_us, renewal(at_us, nth)) == nth + 1
    assert months_begun(at_us, renewal(at_us, nth) - 1) == nth


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_no_more_is_wanted_than_the_terms_allow(stock_min: int, free: int, coming: int, owned: int) -> None:
    terms = Terms(stock_min, max(1, stock_min, 10), 0, 0, "USD")
    more = to_want(terms, free=free, coming=coming, owned=owned)
    assert more == 0 or (free + coming + more <= stock_min and owned + coming + more <= terms.stock_max)
    assert still_needed(terms, free=0, coming=0, has_demand=True)


@given(st.lists(st.tuples(st.integers(1, 10), st.booleans()), max_size=60))
def test_what_is_spent_stays_within_the_limits(wishes: list[tuple[int, bool]]) -> None:
    rules, hour, day, untrusted = SupplyRules(per_hour=30, per_day=40), 0, 0, 0
    for price, is_trusted in wishes:
        if may_spend(price, Spent(hour, day, untrusted), rules, is_trusted=is_trusted):
            hour, day, untrusted = hour + price, day + price, untrusted + (0 if is_trusted else price)
    assert hour <= 30 and day <= 40 and untrusted <= 20


@pytest.mark.parametrize(
    ("text", "units", "shown"),
    [("1.15", 1_150_000, "1.15"), ("0", 0, "0.00"), ("2", 2_000_000, "2.00"), ("0.0000001", 1, "0.000001")],
)
def test_prices_are_rounded_up_to_a_millionth(text: str, units: int, shown: str) -> None:
    assert price_units(text) == units
    assert price_text(units) == shown
