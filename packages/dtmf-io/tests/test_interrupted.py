"""Concurrent, cancelled and interrupted waits: each gets only its own messages, and no connection is left broken. And
events: an endless stream that its reader ends."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any

import pytest

from dtmf import DTMF, AsyncDTMF, AuthenticationError, ConnectionFailedError, ServerError
from param_ids import shown
from support.invalid_arguments import NOT_A_WHOLE_NUMBER, NOT_E164

from .conftest import TOKEN, FakeTime
from .stub import Stub, cut, problem, reply
from .test_waiters import N, asked, asked_after, sms

BALANCE = reply(200, b'{"balance": 1}')
REFUSED_TIMEOUTS = [0, -1, float("nan"), float("inf"), 2**31, True, "180", None, [1]]
REFUSED_MATCHES = ["(", "[a", b"code", 5, 1.5, [], {}, object()]


async def unwanted(message: object) -> bool:
    return True


class AlsoUnwanted:
    async def __call__(self, message: object) -> bool:
        return True


def happened(first: int, length: int = 1) -> list[dict[str, Any]]:
    return [{"id": first + offset, "timestamp": "", "kind": "message", "e164": N} for offset in range(length)]


@pytest.mark.parametrize("name", ["wait_for_message", "wait_for_code"])
@pytest.mark.parametrize(
    ("bad", "values"),
    [
        ("timeout", REFUSED_TIMEOUTS),
        ("match", [*REFUSED_MATCHES, unwanted, AlsoUnwanted(), partial(unwanted)]),
        ("after", [value for value in NOT_A_WHOLE_NUMBER if value is not None]),
    ],
)
def test_a_wait_rejects_invalid_arguments_before_sending_anything(
    *, dtmf: Any, stub: Stub, name: str, bad: str, values: list[Any]
) -> None:
    for value in values:
        with pytest.raises(ValueError) as caught:  # the message is checked below
            getattr(dtmf, name)(N, **{bad: value})
        assert type(caught.value) is ValueError
        assert bad in str(caught.value)
        assert repr(value)[:60] in str(caught.value)
    assert stub.connections == 0


@pytest.mark.parametrize("value", NOT_E164, ids=shown)
def test_a_wait_rejects_values_that_are_not_e164(dtmf: Any, stub: Stub, value: object) -> None:
    for wait in (dtmf.wait_for_message, dtmf.wait_for_code):
        with pytest.raises(ValueError, match=r"not an E\.164 phone number"):
            wait(value)
    assert stub.connections == 0


@pytest.mark.parametrize("value", NOT_A_WHOLE_NUMBER, ids=shown)
@pytest.mark.parametrize("kind", [DTMF, AsyncDTMF])
def test_events_rejects_an_invalid_cursor_when_called(stub: Stub, kind: Any, value: object) -> None:
    with pytest.raises(ValueError, match="after must be a whole number"):
        kind(TOKEN, base_url=stub.url).events(value)
    assert stub.connections == 0


def test_two_threads_waiting_for_one_number_both_get_the_message(stub: Stub) -> None:
    both_wait = threading.Barrier(2, timeout=20)

    def answer_both(connection: Any) -> bool:
        both_wait.wait()
        return reply(200, b'[{"id": 5, "content": "code 1234"}]')(connection)

    stub.then(answer_both, answer_both, reply(200, b'[{"id": 6, "content": "code 5678"}]'))
    with DTMF(TOKEN, base_url=stub.url) as dtmf, ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: dtmf.wait_for_code(N), range(2))) == ["1234", "1234"]
        assert dtmf.wait_for_code(N) == "5678"
    assert asked_after(stub) == ["0", "0", "5"]


async def test_tasks_wait_concurrently(stub: Stub) -> None:
    stub.answers([sms(5, "code 1234")])
    async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:
        codes = await asyncio.gather(*(dtmf.wait_for_code(f"+12345{number}") for number in range(50)))
    assert codes == ["1234"] * 50


async def test_hundreds_of_waits_do_not_block_a_call(stub: Stub) -> None:
    stub.then(*[stub.hang] * 300, BALANCE)
    async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:
        waits = [asyncio.create_task(dtmf.wait_for_code(N)) for _ in range(300)]
        for _ in waits:
            assert await asyncio.to_thread(stub.arrived.acquire, timeout=10)
        assert await dtmf.account() == {"balance": 1}
        for wait in waits:
            wait.cancel()
        assert await asyncio.gather(*waits, return_exceptions=True)


async def test_a_cancelled_wait_leaves_the_client_usable_and_its_cursor_unchanged(stub: Stub) -> None:
    stub.then(stub.hang, BALANCE)
    async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:
        wait = asyncio.create_task(dtmf.wait_for_message(N))
        assert await asyncio.to_thread(stub.arrived.acquire, timeout=10)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert await dtmf.account() == {"balance": 1}
        stub.answers([sms(3)])
        assert await dtmf.account() == {"balance": 1}
        assert (await dtmf.wait_for_message(N))["id"] == 3
    assert stub.received[-1].target == stub.received[0].target


async def test_asyncio_timeout_ends_a_wait(stub: Stub) -> None:
    stub.then(stub.hang, BALANCE)
    async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await dtmf.wait_for_message(N)
        assert await dtmf.account() == {"balance": 1}


@pytest.mark.parametrize("waiting", ["dtmf.wait_for_code('+1234567890')", "next(dtmf.events())"])
def test_ctrl_c_ends_a_wait_and_leaves_the_client_usable(stub: Stub, waiting: str) -> None:
    stub.then(stub.hang, BALANCE)
    script = f"""
from dtmf import DTMF
with DTMF({TOKEN!r}, base_url={stub.url!r}) as dtmf:
    try:
        {waiting}
    except KeyboardInterrupt:
        print(dtmf.account())
"""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert stub.arrived.acquire(timeout=20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (out, err) == (b"{'balance': 1}\n", b"")


def test_events_arrive_in_order_and_once_across_pages_and_disconnects(
    connect: Any, stub: Stub, fake_time: FakeTime
) -> None:
    stub.answers(happened(4, 100))
    stub.then(cut, problem(503), cut, cut, cut, cut)
    stub.answers([])
    stub.answers(happened(104, 2))
    stub.then(cut)
    stub.answers(happened(106))
    events = connect(max_retries=0).events(after=3)
    assert [event["id"] for event in islice(events, 103)] == list(range(4, 107))
    assert [query["wait"] for query in asked(stub)] == ["0.000", *["25.000"] * 10]
    assert set(asked_after(stub)[1:9]) == {"103"}
    assert asked_after(stub)[9:] == ["105", "105"]
    assert stub.received[0].target == "/api/v1/events?after=3&limit=100&wait=0.000"


def test_events_report_a_wrong_address_or_token_like_any_call(connect: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(cut, cut, cut, problem(401))
    with pytest.raises(ConnectionFailedError):
        next(connect(max_retries=2).events())
    with pytest.raises(AuthenticationError):
        next(connect().events())
    assert len(stub.received) == 4


def test_events_survive_any_outage_after_the_first_response(connect: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.answers([])
    stub.then(*[cut] * 500)
    stub.answers(happened(1))
    assert next(iter(connect().events()))["id"] == 1
    assert len(stub.received) == 502
    assert max(fake_time.pauses_s) == 2.0
    assert sum(fake_time.pauses_s) > 900


def test_events_end_when_the_token_is_revoked(dtmf: Any, stub: Stub) -> None:
    stub.answers(happened(1))
    stub.then(problem(401))
    events = dtmf.events()
    assert next(events)["id"] == 1
    with pytest.raises(AuthenticationError):
        next(events)


def test_events_with_ids_that_do_not_ascend_are_an_error(dtmf: Any, stub: Stub) -> None:
    stub.answers(happened(1))
    events = dtmf.events()
    next(events)
    with pytest.raises(ServerError, match="do not ascend"):
        next(events)


def test_a_reader_can_leave_the_stream_and_resume(stub: Stub) -> None:
    stub.answers(happened(1, 3))
    stub.answers(happened(3, 1))
    with DTMF(TOKEN, base_url=stub.url) as dtmf:
        for event in dtmf.events():
            if event["id"] == 2:
                break
        assert next(dtmf.events(after=2))["id"] == 3
    assert asked_after(stub) == ["0", "2"]
    assert stub.connections == 1


async def test_a_reader_can_leave_the_stream_at_any_time(stub: Stub) -> None:
    stub.answers(happened(1, 2))
    stub.then(stub.hang, BALANCE)
    seen: list[int] = []
    async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:

        async def read() -> None:
            async for event in dtmf.events():
                seen.append(event["id"])

        reader = asyncio.create_task(read())
        for _ in range(2):
            assert await asyncio.to_thread(stub.arrived.acquire, timeout=10)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert await dtmf.account() == {"balance": 1}
    assert seen == [1, 2]
