"""A carrier that fails repeatedly, or asks for a pause, is skipped for a while."""

from dtmf_server.core.circuit_breaker import FAILURES_MAX, PAUSE_MAX_S, CircuitBreaker


def test_repeated_failures_open_it_for_longer_and_longer_pauses() -> None:
    breaker, now_s, pauses = CircuitBreaker(), 0.0, []
    for _ in range(FAILURES_MAX - 1):
        breaker.failed(now_s=now_s)
        assert not breaker.is_open(now_s=now_s)
    for _ in range(8):
        breaker.failed(now_s=now_s)
        started_s = now_s
        while breaker.is_open(now_s=now_s):
            now_s += 0.5
        pauses.append(now_s - started_s)
    assert pauses == sorted(pauses) and pauses[0] < pauses[-1] == PAUSE_MAX_S
    breaker.worked()
    breaker.failed(now_s=now_s)
    assert not breaker.is_open(now_s=now_s)


def test_a_success_of_an_earlier_request_does_not_shorten_the_pause_that_the_carrier_asked_for() -> None:
    breaker = CircuitBreaker()
    breaker.hold(30.0, now_s=0.0)
    breaker.worked()
    assert breaker.is_open(now_s=29.9)
    assert not breaker.is_open(now_s=30.0)
