"""wait_for_message and wait_for_code: the message selected, the cursor, failures and deadlines."""

from __future__ import annotations

import json
import pickle
import random
import re
import socket
from typing import Any

import pytest

from dtmf import (
    AuthenticationError,
    ConnectionFailedError,
    DTMFError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    TimedOutError,
)
from dtmf.cursors import Cursors
from dtmf.transport import Reply

from .conftest import FakeTime
from .stub import Stub, cut, problem, raw, reply

N = "+1234567890"
M = "+1234567891"


def sms(message_id: int, content: str | None = "text") -> dict[str, Any]:
    return {"from": "+1234", "to": N, "content": content, "id": message_id, "e164": N, "inbound": True}


def asked(stub: Stub) -> list[dict[str, str]]:
    return [dict(pair.split("=") for pair in request.target.split("?")[1].split("&")) for request in stub.received]


def asked_after(stub: Stub) -> list[str]:
    return [query["after"] for query in asked(stub)]


def test_a_wait_returns_the_first_message_of_the_current_rental(dtmf: Any, stub: Stub) -> None:
    stub.answers([sms(7, "first"), sms(9, "second")])
    assert dtmf.wait_for_message(N) == sms(7, "first")
    assert [request.target for request in stub.received] == [
        "/api/v1/messages?e164=%2B1234567890&inbound=true&current=true&after=0&limit=100&wait=25.000"
    ]
    assert stub.received[0].headers["accept"] == "application/json"


def test_the_next_wait_starts_after_the_last_returned_message(dtmf: Any, stub: Stub) -> None:
    stub.answers([sms(7), sms(9)])
    stub.answers([sms(9)])
    assert [dtmf.wait_for_message(N)["id"], dtmf.wait_for_message(N)["id"]] == [7, 9]
    assert asked_after(stub) == ["0", "7"]


def test_each_number_and_each_client_has_its_own_cursor(connect: Any, stub: Stub) -> None:
    for message_id in (7, 7, 7, 8):
        stub.answers([sms(message_id, "code 1234")])
    one, other = connect(), connect()
    one.wait_for_message(N)
    one.wait_for_message(M)
    other.wait_for_message(N)
    one.wait_for_code(N)  # both kinds of wait share a number's cursor
    assert asked_after(stub) == ["0", "0", "0", "7"]


def test_a_wait_may_start_anywhere_and_never_moves_the_cursor_back(dtmf: Any, stub: Stub) -> None:
    stub.answers([sms(9)])
    stub.answers([sms(4)])
    stub.answers([sms(12)])
    dtmf.wait_for_message(N, after=8)
    dtmf.wait_for_message(N, after=3)
    dtmf.wait_for_message(N)
    assert asked_after(stub) == ["8", "3", "9"]


def test_a_wait_that_times_out_does_not_move_the_cursor(dtmf: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.answers([sms(5, "unwanted")])
    stub.answers([])
    with pytest.raises(TimedOutError):
        dtmf.wait_for_message(N, match="wanted!", timeout=3)
    stub.received.clear()
    stub.answers([sms(5)])
    assert dtmf.wait_for_message(N)["id"] == 5
    assert set(asked_after(stub)) == {"0"}


@pytest.mark.parametrize(
    "match",
    [
        "Goo.le",
        re.compile("google", re.IGNORECASE),
        lambda message: message["content"] == "Google 2",
        lambda message: "yes" if message["id"] == 12 else "",
    ],
)
def test_match_selects_the_message(dtmf: Any, stub: Stub, match: Any) -> None:
    stub.answers([sms(10, "Goggle 1"), sms(11, None)])
    stub.answers([sms(12, "Google 2"), sms(13, "Google 3")])
    assert dtmf.wait_for_message(N, match=match)["id"] == 12
    assert asked_after(stub) == ["0", "11"]


def test_exceptions_of_the_match_function_reach_the_caller(dtmf: Any, stub: Stub) -> None:
    stub.answers([sms(1)])
    with pytest.raises(ZeroDivisionError):
        dtmf.wait_for_message(N, match=lambda message: message["id"] / 0)
    assert dtmf.wait_for_message(N)["id"] == 1
    assert asked_after(stub) == ["0", "0"]
    assert stub.connections == 1


def test_wait_for_code_skips_messages_without_a_code(dtmf: Any, stub: Stub) -> None:
    stub.answers([sms(1, "Welcome!"), sms(2, None), sms(3, "Your order 48213 has shipped")])
    stub.answers([sms(4, "Your code is 123 456"), sms(5, "Your code is 999999")])
    stub.answers([sms(5, "Your code is 999999")])
    assert [dtmf.wait_for_code(N), dtmf.wait_for_code(N)] == ["123456", "999999"]
    assert asked_after(stub) == ["0", "3", "4"]


@pytest.mark.regression("wait-for-code-at-gap")
def test_wait_for_code_skips_a_code_that_touches_a_gap(dtmf: Any, stub: Stub) -> None:
    stub.answers([sms(1, "Bank: your code 5520[…]"), sms(2, "[…]5520 is your code")])
    stub.answers([sms(3, "Your code is 552077")])
    assert dtmf.wait_for_code(N) == "552077"
    assert asked_after(stub) == ["0", "2"]


def test_wait_for_code_returns_the_code_of_the_matching_message(dtmf: Any, stub: Stub) -> None:
    stub.answers([sms(1, "Your Uber code is 1111"), sms(2, "Your Lyft code is 2222")])
    assert dtmf.wait_for_code(N, match="Lyft") == "2222"


@pytest.mark.parametrize("failure", [cut, raw(b"garbage"), *(problem(status) for status in (408, 429, 500, 502, 503))])
def test_any_number_of_failures_only_costs_time(*, connect: Any, stub: Stub, fake_time: FakeTime, failure: Any) -> None:
    stub.then(*[failure] * 6)
    stub.answers([sms(3)])
    assert connect(max_retries=0, timeout=1).wait_for_message(N)["id"] == 3
    assert fake_time.pauses_s == [0.5, 1.0, 2.0, 2.0, 2.0, 2.0]
    assert set(asked_after(stub)) == {"0"}


def test_a_wait_continues_while_the_service_is_down_and_then_reports_why(connect: Any, fake_time: FakeTime) -> None:
    with socket.socket() as closed:  # bound but not listening, so that no other process can answer
        closed.bind(("127.0.0.1", 0))
        client = connect(base_url=f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(TimedOutError, match=r"no message arrived at \+1234567890 within 20 s; .*refused") as caught:
            client.wait_for_message(N, timeout=20)
    assert isinstance(caught.value.__cause__, ConnectionFailedError)
    assert sum(fake_time.pauses_s) == 20


def test_retry_after_is_honoured(dtmf: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(reply(429, Retry_After="7"))
    stub.answers([sms(1)])
    dtmf.wait_for_message(N, timeout=10)
    assert fake_time.pauses_s == [7.0]


def test_a_retry_after_beyond_the_deadline_ends_the_wait_at_once(dtmf: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(reply(429, Retry_After="10"))
    with pytest.raises(TimedOutError) as caught:
        dtmf.wait_for_message(N, timeout=10)
    assert isinstance(caught.value.__cause__, RateLimitedError)
    assert fake_time.pauses_s == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (403, DTMFError), (404, NotFoundError), (422, ValueError), (302, DTMFError)],
)
def test_permanent_failures_are_raised_at_once(dtmf: Any, stub: Stub, status: int, kind: type[Exception]) -> None:
    stub.then(problem(status))
    with pytest.raises(kind):
        dtmf.wait_for_message(N)
    assert len(stub.received) == 1


@pytest.mark.parametrize(
    ("name", "match", "words"),
    [
        ("wait_for_message", None, r"^no message arrived at \+1234567890 within 30 s$"),
        ("wait_for_message", "x", r"^no message that matches arrived at \+1234567890 within 30 s$"),
        ("wait_for_code", None, r"^no message with a code arrived at \+1234567890 within 30 s$"),
        ("wait_for_code", "x", r"^no message with a code that matches arrived at \+1234567890 within 30 s$"),
    ],
)
def test_the_timeout_error_says_what_was_awaited_and_for_how_long(
    *, dtmf: Any, stub: Stub, fake_time: FakeTime, name: str, match: Any, words: str
) -> None:
    stub.answers([])
    with pytest.raises(TimedOutError, match=words) as caught:
        getattr(dtmf, name)(N, timeout=30, match=match)
    assert caught.value.__cause__ is None


def test_early_empty_responses_slow_down_the_polls(dtmf: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.answers([])
    with pytest.raises(TimedOutError):
        dtmf.wait_for_message(N, timeout=10)
    assert fake_time.pauses_s == [0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 0.5, 0.0]
    assert [each["wait"] for each in asked(stub)][-2:] == ["0.500", "0.000"]


def test_polls_last_25_s_and_the_last_one_until_the_deadline(connect: Any, fake_time: FakeTime) -> None:
    transport = Patient(fake_time)
    with pytest.raises(TimedOutError):
        connect(timeout=30, transport=transport.for_client(connect)).wait_for_message(N, timeout=60)
    assert transport.waits_s == [25.0, 25.0, 10.0]
    assert transport.timeouts_s == [55.0, 36.0, 11.0]
    assert sum(fake_time.pauses_s) == 0


def test_a_short_wait_lasts_until_its_deadline_too(connect: Any, fake_time: FakeTime) -> None:
    transport = Patient(fake_time)
    with pytest.raises(TimedOutError, match=r"within 0\.5 s"):
        connect(transport=transport.for_client(connect)).wait_for_message(N, timeout=0.5)
    assert transport.waits_s == [0.5]
    assert transport.timeouts_s == [1.5]


@pytest.mark.regression("waits-use-their-whole-timeout")
@pytest.mark.parametrize(
    ("timeout", "arrives_s"), [(3, 2.75), (3, 2.999), (0.5, 0.49), (20, 19.6), (60, 59.7), (180, 179.9), (26, 25.9)]
)
@pytest.mark.parametrize("round_trip_s", [0.001, 0.4])
def test_a_message_that_arrives_at_the_last_moment_is_returned(
    *, connect: Any, fake_time: FakeTime, timeout: float, arrives_s: float, round_trip_s: float
) -> None:
    transport = Patient(fake_time, arrives_s=arrives_s, round_trip_s=round_trip_s)
    assert waited(connect, transport, timeout) == sms(1)


@pytest.mark.regression("waits-use-their-whole-timeout")
@pytest.mark.parametrize("failing_s", [2.9, 1.3, 0.2])
def test_a_message_that_arrives_in_a_pause_before_the_deadline_is_returned(
    connect: Any, fake_time: FakeTime, failing_s: float
) -> None:
    transport = Patient(fake_time, arrives_s=2.95, away_until_s=failing_s)
    assert waited(connect, transport, 3) == sms(1)


@pytest.mark.parametrize("timeout", [0.01, 0.5, 3, 25, 26, 60])
@pytest.mark.parametrize("round_trip_s", [0.001, 0.4])
def test_a_wait_ends_no_later_than_one_round_trip_after_its_timeout(
    *, connect: Any, fake_time: FakeTime, timeout: float, round_trip_s: float
) -> None:
    began_s = fake_time.now_s
    transport = Patient(fake_time, arrives_s=timeout + 0.5, round_trip_s=round_trip_s)
    assert isinstance(waited(connect, transport, timeout), TimedOutError)
    assert timeout <= fake_time.now_s - began_s <= timeout + round_trip_s + 1e-6


def test_every_wait_polls_until_its_deadline_whatever_the_service_does(connect: Any, fake_time: FakeTime) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    uniform = random.Random(seed)
    for _ in range(200):
        timeout = uniform.choice([0.2, 1, 3, 24, 25, 26, 51, 100])
        transport = Patient(
            fake_time,
            arrives_s=timeout * uniform.uniform(0, 0.9999),
            round_trip_s=uniform.uniform(0.001, 0.1),
            away_until_s=timeout * uniform.choice([0, 0, uniform.uniform(0, 0.99)]),
        )
        fake_time.uniform = uniform.random()
        assert waited(connect, transport, timeout) == sms(1)


def waited(connect: Any, transport: Patient, timeout: float) -> Any:
    """Return the result or the exception of a wait."""
    try:
        return connect(transport=transport.for_client(connect)).wait_for_message(N, timeout=timeout)
    except TimedOutError as error:
        return error


def test_an_unresponsive_service_does_not_extend_the_deadline(dtmf: Any, stub: Stub) -> None:
    stub.then(stub.hang)
    with pytest.raises(
        TimedOutError, match=r"no message arrived at \+1234567890 within 0\.3 s; the last attempt failed"
    ):
        dtmf.wait_for_message(N, timeout=0.3)


@pytest.mark.parametrize("page", [[sms(5)], [{"id": "7"}], [{}], [7]])
def test_message_ids_that_do_not_ascend_are_an_error_not_an_endless_loop(dtmf: Any, stub: Stub, page: Any) -> None:
    stub.answers(page)
    with pytest.raises(ServerError, match="do not ascend"):
        dtmf.wait_for_message(N, after=5)
    assert len(stub.received) == 1


def test_a_response_that_is_not_a_page_is_an_error(dtmf: Any, stub: Stub) -> None:
    stub.answers({"messages": []})
    with pytest.raises(ServerError, match="not a JSON array"):
        dtmf.wait_for_message(N)


def test_a_copy_of_a_client_does_not_return_the_last_code_again(connect: Any, stub: Stub) -> None:
    stub.answers([sms(7)])
    client = connect()
    client.wait_for_message(N)
    inner = getattr(client, "inner", client)
    assert pickle.loads(pickle.dumps(inner))._cursors.after(N) == 7


def test_the_number_of_cursors_is_bounded() -> None:
    cursors = Cursors()
    for number in range(10_001):
        cursors.move(f"+{number}", number + 1)
        cursors.move("+1", 1)  # moves often, so it stays
    assert len(cursors.all()) == 10_000
    assert (cursors.after("+0"), cursors.after("+1"), cursors.after("+10000")) == (0, 2, 10_001)


class Patient:
    """A transport that responds like the service, in fake time: as soon as the message has arrived, else with nothing
    at the end of the requested wait. It refuses connections until `away_until_s`."""

    def __init__(
        self,
        fake_time: FakeTime,
        *,
        arrives_s: float = float("inf"),
        round_trip_s: float = 0.0,
        away_until_s: float = 0.0,
    ) -> None:
        self._fake_time = fake_time
        self._arrives_s, self._away_until_s = (fake_time.now_s + after_s for after_s in (arrives_s, away_until_s))
        self._round_trip_s = round_trip_s
        self.waits_s: list[float] = []
        self.timeouts_s: list[float] = []

    def for_client(self, connect: Any) -> Any:
        return AsyncPatient(self) if connect.kind == "AsyncDTMF" else self

    def send(self, request: Any) -> Reply:
        wait_s = float(request.path.rpartition("wait=")[2])
        self.waits_s.append(wait_s)
        self.timeouts_s.append(request.timeout_s)
        sent_s = self._fake_time.now_s
        if sent_s < self._away_until_s:
            raise ConnectionRefusedError("away")
        asked_s = sent_s + self._round_trip_s / 2
        answered_s = max(asked_s, min(asked_s + wait_s, self._arrives_s))
        back_s = answered_s + self._round_trip_s / 2
        self._fake_time.now_s = min(back_s, sent_s + request.timeout_s)
        if back_s > sent_s + request.timeout_s:
            raise TimeoutError("late")
        found = [sms(1)] if self._arrives_s <= answered_s else []
        return Reply(status=200, headers={}, body=json.dumps(found).encode())


class AsyncPatient:
    def __init__(self, inner: Patient) -> None:
        self._inner = inner

    async def send(self, request: Any) -> Reply:
        return self._inner.send(request)
