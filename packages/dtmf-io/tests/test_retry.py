"""Failures are retried within one deadline and with one idempotency key, unless a retry can't help."""

from __future__ import annotations

from typing import Any

import pytest

from dtmf import (
    ConnectionFailedError,
    DTMFError,
    InvalidRequestError,
    RateLimitedError,
    ServerError,
    TimedOutError,
)

from .conftest import FakeTime
from .stub import Stub, cut, problem, raw, reply

GOOD = reply(200, b'{"e164": "+1234567890"}')
HALF = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")


def keys(stub: Stub) -> list[str | None]:
    return [request.headers.get("idempotency-key") for request in stub.received]


@pytest.mark.parametrize(
    "failure",
    [cut, HALF, raw(b"garbage"), *(problem(status) for status in (408, 429, 500, 502, 503, 504, 507, 599))],
)
def test_a_rental_is_retried_with_the_same_key_and_body(
    *, connect: Any, stub: Stub, fake_time: FakeTime, failure: Any
) -> None:
    stub.then(failure, failure, GOOD)
    assert connect().start_rental("us-mobile") == {"e164": "+1234567890"}
    assert len(keys(stub)) == 3
    assert len(set(keys(stub))) == 1
    assert {request.body for request in stub.received} == {b'{"group_id":"us-mobile"}'}
    assert fake_time.pauses_s == [0.5, 1.0]


@pytest.mark.parametrize(
    ("name", "arguments", "keyed"),
    [
        ("account", (), False),
        ("new_address", (), True),
        ("end_rental", ("+1234567890",), True),
        ("set_sms_action", ("+1234567890", None, None), False),
        ("send_message", ("+1234567890", "+1234", "abc"), True),
    ],
)
def test_every_call_survives_a_broken_connection(
    *, connect: Any, stub: Stub, fake_time: FakeTime, name: str, arguments: tuple[Any, ...], keyed: bool
) -> None:
    stub.then(cut, GOOD)
    getattr(connect(), name)(*arguments)
    first, second = keys(stub)
    assert first == second
    assert (first is not None) is keyed


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 413, 422])
def test_a_client_error_is_not_retried(connect: Any, stub: Stub, fake_time: FakeTime, status: int) -> None:
    stub.then(problem(status))
    with pytest.raises(DTMFError):
        connect().start_rental("us-mobile")
    assert len(stub.received) == 1
    assert fake_time.pauses_s == []


@pytest.mark.parametrize(("status", "code"), [(429, "daily_limit_reached"), (503, "deposits_unavailable")])
def test_a_lasting_rate_limit_or_outage_is_not_retried(
    *, connect: Any, stub: Stub, fake_time: FakeTime, status: int, code: str
) -> None:
    stub.then(problem(status, code))
    with pytest.raises(DTMFError):
        connect().new_address()
    assert len(stub.received) == 1
    assert fake_time.pauses_s == []


@pytest.mark.parametrize("max_retries", [0, 1, 5])
def test_max_retries_bounds_the_attempts(connect: Any, stub: Stub, fake_time: FakeTime, max_retries: int) -> None:
    stub.then(problem(503, "overloaded", request_id="last"))
    with pytest.raises(ServerError) as caught:
        connect(max_retries=max_retries).account()
    assert caught.value.request_id == "last"
    assert len(stub.received) == max_retries + 1
    assert fake_time.pauses_s == [0.5, 1.0, 2.0, 4.0, 8.0][:max_retries]


def test_pauses_are_a_random_part_of_a_doubling_bounded_span(connect: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(problem(503))
    fake_time.uniform = 0.25
    with pytest.raises(ServerError):
        connect(max_retries=6, timeout=1_000).account()
    assert fake_time.pauses_s == [0.125, 0.25, 0.5, 1.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("header", "pause_s"),
    [
        ("7", 7.0),
        ("0", 0.5),
        (" 3 ", 3.0),
        ("Sun, 13 Sep 2020 12:26:45 GMT", 5.0),
        ("Sun, 13 Sep 2020 12:26:35 GMT", 0.5),
        ("soon", 0.5),
        ("-7", 0.5),
        ("", 0.5),
        ("Sun, 99 Sep 9999 99:99:99 GMT", 0.5),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(
    *, connect: Any, stub: Stub, fake_time: FakeTime, status: int, header: str, pause_s: float
) -> None:
    stub.then(reply(status, Retry_After=header), GOOD)
    connect().account()
    assert fake_time.pauses_s == [pause_s]


def test_a_retry_after_beyond_the_deadline_fails_at_once(connect: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(reply(429, Retry_After="30"))
    with pytest.raises(RateLimitedError) as caught:
        connect(timeout=30).account()
    assert caught.value.retry_after == 30.0
    assert fake_time.pauses_s == []


def test_a_rate_limit_without_retry_after_has_none(connect: Any, stub: Stub) -> None:
    stub.then(problem(429))
    with pytest.raises(RateLimitedError) as caught:
        connect(max_retries=0).account()
    assert caught.value.retry_after is None


@pytest.mark.parametrize("digits", ["9" * 20, "9" * 5_000])
def test_an_absurd_retry_after_does_not_crash(connect: Any, stub: Stub, digits: str) -> None:
    stub.then(reply(429, Retry_After=digits))
    with pytest.raises(RateLimitedError) as caught:
        connect().account()
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 1e9


def test_all_attempts_and_pauses_share_one_deadline(connect: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(problem(500))
    with pytest.raises(ServerError):
        connect(timeout=10, max_retries=50).account()
    assert fake_time.pauses_s == [0.5, 1.0, 2.0, 4.0]  # the next one would end at 15.5 s


def test_an_attempt_gets_only_the_time_left(connect: Any, fake_time: FakeTime) -> None:
    transport = Scripted(fake_time, took_s=4.0)
    with pytest.raises(ConnectionFailedError):
        connect(timeout=10, max_retries=50, transport=transport.for_client(connect)).account()
    assert transport.timeouts_s == [10.0, 5.5, 0.5]


def test_a_deadline_that_ends_during_an_attempt_is_a_timeout(connect: Any, stub: Stub) -> None:
    stub.then(stub.hang)
    with pytest.raises(TimedOutError, match=r"no response from http://127\.0\.0\.1") as caught:
        connect(timeout=0.2).start_rental("us-mobile")
    assert caught.value.__cause__ is not None
    assert len(stub.received) == 1


def test_a_slow_response_does_not_extend_the_deadline(connect: Any, stub: Stub) -> None:
    stub.then(stub.drip)
    with pytest.raises(TimedOutError):
        connect(timeout=0.3).account()


def test_the_client_still_works_after_a_timeout(connect: Any, stub: Stub) -> None:
    stub.then(stub.hang, reply(200, b'{"balance": 1}'))
    client = connect(timeout=0.2)
    with pytest.raises(TimedOutError):
        client.account()
    assert client.account() == {"balance": 1}


def test_repeated_server_timeouts_raise_a_timeout(connect: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(problem(408))
    with pytest.raises(TimedOutError) as caught:
        connect().account()
    assert caught.value.status == 408
    assert len(stub.received) == 3


def test_an_invalid_request_raises_value_error_and_is_sent_once(connect: Any, stub: Stub) -> None:
    stub.then(problem(422, "invalid_request"))
    with pytest.raises(InvalidRequestError):
        connect().groups("mobile")
    assert len(stub.received) == 1


class Scripted:
    """A transport whose connections always break after a number of seconds of fake time."""

    def __init__(self, fake_time: FakeTime, took_s: float) -> None:
        self._fake_time = fake_time
        self._took_s = took_s
        self.timeouts_s: list[float] = []

    def for_client(self, connect: Any) -> Any:
        return AsyncScripted(self) if connect.kind == "AsyncDTMF" else self

    def send(self, request: Any) -> Any:
        self.timeouts_s.append(request.timeout_s)
        self._fake_time.now_s += self._took_s
        raise ConnectionResetError("cut")


class AsyncScripted:
    def __init__(self, inner: Scripted) -> None:
        self._inner = inner

    async def send(self, request: Any) -> Any:
        return self._inner.send(request)
