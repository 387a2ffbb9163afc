"""A persistent fault is logged once a minute, whatever else happens."""

import pytest

from dtmf_server.core.repeats import Repeats, duration


def test_the_first_failure_is_logged_at_once_and_the_same_one_once_a_minute() -> None:
    faults = Repeats()
    lines = {second: line for second in range(0, 200, 2) if (line := faults.failed("refused", now_s=second))}
    assert lines == {
        0: "refused",
        60: "refused (31 failures in 1 min 0 s)",
        120: "refused (61 failures in 2 min 0 s)",
        180: "refused (91 failures in 3 min 0 s)",
    }
    assert faults.worked(now_s=200) == "100 failures in 3 min 20 s"
    assert faults.worked(now_s=201) is None


def test_a_new_reason_is_logged_at_once_and_two_alternating_ones_once_a_minute_each() -> None:
    faults = Repeats()
    lines = [line for second in range(60) if (line := faults.failed("ab"[second % 2], now_s=second))]
    assert lines == ["a", "b (2 failures in 1 s)"]


def test_a_recurring_fault_is_logged_at_once_but_a_flapping_one_is_not() -> None:
    faults = Repeats()
    logged = []
    for second in range(0, 60, 2):
        logged += [faults.failed("closed", now_s=second), faults.worked(now_s=second + 1)]
    assert [line for line in logged if line] == ["closed", "1 failure in 1 s"] * 3
    assert faults.failed("closed", now_s=70) == "closed (28 failures in 1 min 4 s)"
    assert faults.worked(now_s=71) is not None
    assert faults.failed("closed", now_s=1000) == "closed"


def test_success_without_a_previous_failure_logs_nothing() -> None:
    assert Repeats().worked(now_s=5) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0, "0 s"), (59.9, "59 s"), (125, "2 min 5 s"), (3720, "1 h 2 min"), (100_000, "1 d 3 h")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
