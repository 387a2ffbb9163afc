"""How many deliveries a host gets at once: more while it answers, one at a time while it is dead, never too many."""

import pytest

from dtmf_server.workers.adaptive_concurrency import (
    HELD_BY_HOST,
    HOST_MAX,
    HOSTS,
    LIMIT_MAX,
    QUEUED,
    START,
    Admission,
    ConcurrencyLimiter,
)

URL = "https://a.example.org/hook"
ACCOUNT, OTHER = 1, 2


def bring(pace: ConcurrencyLimiter[int], count: int, url: str = URL, *, account_id: int = ACCOUNT) -> list[Admission]:
    return [pace.begin(account_id, url, number) for number in range(count)]


def fail(pace: ConcurrencyLimiter[int], url: str = URL, *, in_vain: bool = True) -> tuple[list[int], list[int]]:
    return pace.end(ACCOUNT, url, answered=False, in_vain=in_vain)


def test_a_new_host_gets_a_few_and_the_others_are_held() -> None:
    assert bring(ConcurrencyLimiter(), START + 3) == [Admission.ADMITTED] * START + [Admission.QUEUED] * 3


def test_each_answer_lets_one_more_through_in_the_order_they_came() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    bring(pace, START + 6)
    assert pace.end(ACCOUNT, URL, answered=True) == ([START, START + 1], [])
    assert pace.end(ACCOUNT, URL, answered=True) == ([START + 2, START + 3], [])


def test_what_comes_later_does_not_overtake_what_is_held() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    bring(pace, START + 1)
    assert pace.end(ACCOUNT, URL, answered=None) == ([START], [])
    assert pace.begin(ACCOUNT, URL, 99) is Admission.QUEUED
    assert pace.end(ACCOUNT, URL, answered=None) == ([99], [])


def test_a_fast_host_defers_nothing_until_its_queue_is_full() -> None:
    assert Admission.REJECTED not in bring(ConcurrencyLimiter(), START + HELD_BY_HOST)
    assert bring(ConcurrencyLimiter(), START + HELD_BY_HOST + 1)[-1] is Admission.REJECTED


def test_a_host_that_answers_gets_as_many_as_are_good_for_it_and_no_more() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    for _ in range(3 * LIMIT_MAX):
        pace.begin(ACCOUNT, URL, 0)
        pace.end(ACCOUNT, URL, answered=True)
    assert bring(pace, LIMIT_MAX + 1) == [Admission.ADMITTED] * LIMIT_MAX + [Admission.QUEUED]


def test_a_hosts_limit_is_remembered_while_it_is_idle() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    bring(pace, START)
    for _ in range(START):
        pace.end(ACCOUNT, URL, answered=True)
    assert bring(pace, 2 * START) == [Admission.ADMITTED] * 2 * START


def test_each_failure_halves_what_a_host_gets_down_to_one() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    for _ in range(62):
        pace.begin(ACCOUNT, URL, 0)
        pace.end(ACCOUNT, URL, answered=True)
    for allowed in (32, 16, 8, 4, 2, 1, 1):
        pace.begin(ACCOUNT, URL, 0)
        fail(pace, in_vain=False)
        turns = bring(pace, allowed + 1)
        assert turns == [Admission.ADMITTED] * allowed + [Admission.QUEUED]
        pace.release()
        for _ in range(allowed):
            pace.end(ACCOUNT, URL, answered=None)


def test_a_host_that_lets_us_wait_in_vain_gives_back_what_was_held_and_holds_nothing() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    bring(pace, START + 2)
    assert fail(pace) == ([], [START, START + 1])
    assert fail(pace) == ([], [])
    assert bring(pace, 3) == [Admission.ADMITTED, Admission.REJECTED, Admission.REJECTED]
    assert pace.saturated() == [(ACCOUNT, URL)]
    assert fail(pace) == ([], [])
    assert pace.saturated() == []


def test_a_host_that_says_no_at_once_goes_through_what_is_held_one_by_one() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    bring(pace, START + 3)
    assert fail(pace, in_vain=False) == ([], [])
    assert [fail(pace, in_vain=False) for _ in range(3)] == [([START + n], []) for n in range(3)]


def test_a_dead_host_that_answers_again_is_held_for_again() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    pace.begin(ACCOUNT, URL, 0)
    fail(pace)
    pace.begin(ACCOUNT, URL, 0)
    pace.end(ACCOUNT, URL, answered=True)
    assert bring(pace, 3) == [Admission.ADMITTED, Admission.ADMITTED, Admission.QUEUED]


def test_hosts_are_told_apart_by_name_and_port_and_not_by_path() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    assert bring(pace, START) == [Admission.ADMITTED] * START
    for same in (f"{URL}?x=1", "https://a.example.org", "https://A.Example.org?x", "https://a.example.org/b/../c"):
        assert pace.begin(ACCOUNT, same, 0) is Admission.QUEUED
    assert pace.begin(ACCOUNT, "https://a.example.org:8443/hook", 0) is Admission.ADMITTED
    assert pace.begin(ACCOUNT, "https://b.example.org/hook", 0) is Admission.ADMITTED


def test_what_one_account_has_at_a_host_does_not_slow_what_another_has_there() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    bring(pace, START + 1)
    fail(pace)
    assert pace.begin(ACCOUNT, URL, 0) is Admission.REJECTED
    assert pace.saturated() == [(ACCOUNT, URL)]
    assert bring(pace, START + 1, account_id=OTHER) == [Admission.ADMITTED] * START + [Admission.QUEUED]
    assert pace.end(OTHER, URL, answered=True) == ([START], [])


def test_a_hosts_limit_over_all_accounts_never_leaves_a_delivery_stuck() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    for account_id in range(HOST_MAX // START):
        assert bring(pace, START, account_id=account_id + 10) == [Admission.ADMITTED] * START
    assert bring(pace, 2) == [Admission.REJECTED] * 2
    assert pace.begin(10, URL, 77) is Admission.QUEUED
    assert pace.end(11, URL, answered=True) == ([], [])
    assert pace.begin(ACCOUNT, URL, 0) is Admission.ADMITTED
    assert pace.end(10, URL, answered=True) == ([77], [])
    assert pace.begin(ACCOUNT, "https://b.example.org", 0) is Admission.ADMITTED


@pytest.mark.parametrize("destination", ["", "https://[", "://", "//", "https://[::1", "\0", "a" * 5000, "https://?"])
def test_an_invalid_url_has_a_limit_too(destination: str) -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    assert pace.begin(ACCOUNT, destination, 0) is Admission.ADMITTED


def test_every_url_of_a_full_host_is_said_to_be_full_until_half_of_what_is_held_has_gone() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    bring(pace, START + HELD_BY_HOST)
    assert pace.saturated() == []
    assert [pace.begin(ACCOUNT, f"{URL}/{n}", 0) for n in range(2)] == [Admission.REJECTED] * 2
    assert sorted(pace.saturated()) == [(ACCOUNT, f"{URL}/0"), (ACCOUNT, f"{URL}/1")]
    ended = 0
    while pace.saturated():
        pace.end(ACCOUNT, URL, answered=True)
        ended += 1
    assert HELD_BY_HOST // 4 <= ended <= HELD_BY_HOST // 2 + 1


def test_what_is_held_is_bounded_over_all_hosts() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    hosts = QUEUED // HELD_BY_HOST
    for n in range(hosts):
        assert Admission.REJECTED not in bring(pace, START + HELD_BY_HOST, f"https://h{n}.example.org/")
    assert bring(pace, START + 1, "https://one-more.example.org/") == [Admission.ADMITTED] * START + [
        Admission.REJECTED
    ]
    assert len(pace.release()) == QUEUED
    assert bring(pace, 1, "https://one-more.example.org/") == [Admission.QUEUED]


def test_hosts_are_forgotten_when_there_are_too_many_but_never_one_that_is_busy() -> None:
    pace: ConcurrencyLimiter[int] = ConcurrencyLimiter()
    bring(pace, START)  # busy for good
    for n in range(HOSTS + 10):
        url = f"https://h{n}.example.org/"
        pace.begin(ACCOUNT, url, 0)
        fail(pace, url)
    assert len(pace._hosts) <= HOSTS
    assert pace.begin(ACCOUNT, URL, 0) is Admission.QUEUED
