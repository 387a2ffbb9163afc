"""Pauses between restarts double up to a limit, and are reset after a steady run."""

from dtmf_server.core.restart_policy import RestartPolicy

POLICY = RestartPolicy(first_s=0.5, max_s=30.0, steady_s=60.0)


def test_pauses_double_up_to_the_longest() -> None:
    pauses, last_s = [], 0.0
    for _ in range(9):
        last_s = POLICY.pause_s(last_s, ran_s=1.0)
        pauses.append(last_s)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_steady_run_resets_the_pause() -> None:
    assert POLICY.pause_s(30.0, ran_s=60.0) == 30
    assert POLICY.pause_s(30.0, ran_s=60.1) == 0.5


def test_a_lower_bound_applies_at_once() -> None:
    assert POLICY.up_to(2.0).pause_s(16.0, ran_s=0.0) == 2
    assert POLICY.up_to(2.0).first_s == POLICY.first_s
