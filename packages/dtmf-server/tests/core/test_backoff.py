"""A failed webhook is retried on the published schedule for 72 h, and each kind of answer has one meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf_server.core.backoff import Verdict, is_down, next_due_us, verdict

S = 1_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
FIRST = 1_700_000_000 * S

uniforms = st.floats(min_value=0, max_value=1, exclude_max=True)


def programme(uniform: float, attempt_takes_us: int = 0) -> list[int]:
    """Return the time of every attempt of a delivery that never succeeds, relative to the first."""
    times, now = [], FIRST
    while (due := next_due_us(len(times), first_attempt_us=FIRST, now_us=now, uniform=uniform)) is not None:
        times.append(due - FIRST)
        now = due + attempt_takes_us
    return times


def test_attempts_follow_the_published_schedule():
    delays = [5 * S, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR] + [10 * HOUR] * 6
    assert programme(0.0) == [*(sum(delays[:count]) for count in range(len(delays) + 1)), 72 * HOUR]


@given(uniforms, st.integers(min_value=0, max_value=15 * S))
def test_the_last_attempt_comes_at_72_hours_whatever_the_jitter(uniform, attempt_takes_us):
    times = programme(uniform, attempt_takes_us)
    assert times[0] == 0
    assert times == sorted(times)
    assert times[-1] == 72 * HOUR
    assert 10 <= len(times) <= 14


@given(st.integers(min_value=1, max_value=40), uniforms)
def test_jitter_only_adds_at_most_a_tenth(attempts, uniform):
    plain = next_due_us(attempts, first_attempt_us=FIRST, now_us=FIRST, uniform=0.0)
    due = next_due_us(attempts, first_attempt_us=FIRST, now_us=FIRST, uniform=uniform)
    assert plain <= due <= plain + (plain - FIRST) // 10


def test_jitter_spreads_attempts():
    dues = {next_due_us(3, first_attempt_us=FIRST, now_us=FIRST, uniform=n / 100) for n in range(100)}
    assert len(dues) == 100


def test_the_first_attempt_is_due_now():
    assert next_due_us(0, first_attempt_us=FIRST, now_us=FIRST + 7, uniform=0.9) == FIRST + 7


@pytest.mark.parametrize(
    ("attempts", "retry_after_s", "delay_us"),
    [
        (1, None, 5 * S),
        (1, 0, 5 * S),  # never earlier than the schedule
        (1, -5, 5 * S),
        (1, 4, 5 * S),
        (1, 6, 6 * S),
        (2, 30, MINUTE),
        (2, 90, 90 * S),
        (4, 3600, HOUR),
        (1, 36_000, 10 * HOUR),
        (1, 36_001, 10 * HOUR),  # and never later than the longest step
        (1, 10**30, 10 * HOUR),
        (9, 60, 10 * HOUR),
    ],
)
def test_retry_after_is_honoured_within_bounds(attempts, retry_after_s, delay_us):
    due = next_due_us(attempts, first_attempt_us=FIRST, now_us=FIRST, uniform=0.0, retry_after_s=retry_after_s)
    assert due == FIRST + delay_us


@given(st.integers(min_value=0, max_value=10**9), uniforms)
def test_jitter_never_undercuts_a_retry_after(retry_after_s, uniform):
    due = next_due_us(1, first_attempt_us=FIRST, now_us=FIRST, uniform=uniform, retry_after_s=retry_after_s)
    assert due >= FIRST + min(retry_after_s, 36_000) * S


def test_a_retry_after_past_the_72_hours_parks():
    late = FIRST + 70 * HOUR
    assert next_due_us(1, first_attempt_us=FIRST, now_us=late, uniform=0.0) == late + 5 * S
    assert next_due_us(1, first_attempt_us=FIRST, now_us=late, uniform=0.0, retry_after_s=7201) is None


def test_a_delivery_that_fails_at_72_hours_is_parked():
    end = FIRST + 72 * HOUR
    assert next_due_us(1, first_attempt_us=FIRST, now_us=end - 1, uniform=0.0) == end
    assert next_due_us(1, first_attempt_us=FIRST, now_us=end, uniform=0.0) is None
    assert next_due_us(1, first_attempt_us=FIRST, now_us=end + DAY, uniform=0.0) is None


def test_a_clock_that_stepped_back_still_gives_a_due_time():
    earlier = FIRST - HOUR
    assert next_due_us(1, first_attempt_us=FIRST, now_us=earlier, uniform=0.0) == earlier + 5 * S


def test_any_2xx_is_delivered():
    assert {verdict(status, attempts=n) for status in range(200, 300) for n in (1, 9)} == {Verdict.DELIVERED}


@pytest.mark.parametrize("attempts", [1, 4, 5, 6, 100])
def test_a_temporary_failure_is_retried_regardless_of_the_attempts_made(attempts):
    statuses = [None, 0, 100, 101, 199, *range(300, 309), 399, 408, 425, 429, 500, 502, 503, 504, 599, 999]
    assert [status for status in statuses if verdict(status, attempts=attempts) is not Verdict.RETRY] == []


@pytest.mark.parametrize("attempts", [1, 5, 6])
def test_410_parks_at_once(attempts):
    assert verdict(410, attempts=attempts) is Verdict.GONE


def test_any_other_4xx_parks_after_five_attempts():
    for status in set(range(400, 500)) - {408, 410, 425, 429}:
        verdicts = [verdict(status, attempts=n) for n in range(1, 7)]
        assert (status, verdicts) == (status, [Verdict.RETRY] * 4 + [Verdict.PARKED] * 2)


@pytest.mark.parametrize("status", [None, 302, 408, 425, 429, 500, 502, 503, 504])
def test_a_receiver_that_does_not_answer_or_is_unavailable_is_down(status):
    assert is_down(status, retry_after_s=None)


@pytest.mark.parametrize(("status", "retry_after_s"), [(400, None), (404, None), (410, None), (429, 60), (503, 0)])
def test_a_receiver_that_refuses_or_sends_retry_after_is_not_down(status, retry_after_s):
    assert not is_down(status, retry_after_s=retry_after_s)
