"""`with dtmf.rental(group_id) as number`: the rental ends however the block ends and whichever response is lost."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from dtmf import AuthenticationError, DTMFError, InsufficientFundsError, ServerError, TimedOutError

from .conftest import FakeTime
from .stub import Stub, cut, problem, reply

NUMBER = {"e164": "+12025550100", "group_id": "us-mobile", "cost_per_minute": 13, "messages": []}
STARTED, ENDED = reply(201, json.dumps(NUMBER).encode()), reply(204)
GONE = problem(404, "number_not_rented")


def within(client: Any, body: Callable[[Any], Any] = lambda number: None) -> Any:
    """Run a body in a rental of this client, and return its result."""
    assert hasattr(getattr(client, "inner", client), "rental"), "there are no rentals"
    if not hasattr(client, "inner"):
        with client.rental("us-mobile") as number:
            return body(number)

    async def awaited() -> Any:
        async with client.inner.rental("us-mobile") as number:
            found = body(number)
            return await found if inspect.isawaitable(found) else found

    return client._runner.run(awaited())


def raising(error: BaseException) -> Callable[[Any], Any]:
    """Return a body that raises this error."""

    def body(_number: Any) -> None:
        raise error

    return body


def asked(stub: Stub) -> list[str]:
    """Return the requests that the stub received, in order."""
    return [f"{request.method} {request.target.removeprefix('/api/v1')}" for request in stub.received]


def keys(stub: Stub, method: str) -> list[str]:
    """Return the idempotency keys of the requests with this method."""
    return [request.headers["idempotency-key"] for request in stub.received if request.method == method]


END = "DELETE /number?e164=%2B12025550100"


@pytest.mark.regression("rentals-always-end")
def test_a_rental_returns_the_number_and_ends_with_its_block(dtmf: Any, stub: Stub) -> None:
    stub.then(STARTED, ENDED)
    assert within(dtmf, dict) == NUMBER
    assert asked(stub) == ["POST /numbers", END]


def test_the_number_is_the_documented_dict_with_its_methods(dtmf: Any, stub: Stub) -> None:
    def body(number: Any) -> Any:
        assert isinstance(number, dict) and number == NUMBER and number.e164 == NUMBER["e164"]
        assert json.loads(json.dumps(number)) == NUMBER
        assert pickle.loads(pickle.dumps(number)) == NUMBER
        assert sorted(number.items()) == sorted(NUMBER.items())
        return number.wait_for_code(match="Bank")

    sms = {"id": 7, "content": "Bank: your code is 482913", "e164": NUMBER["e164"]}
    stub.then(STARTED, reply(200, json.dumps([sms]).encode()), ENDED)
    assert within(dtmf, body) == "482913"
    assert "e164=%2B12025550100" in stub.received[1].target


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()], ids=repr)
def test_the_rental_ends_and_exceptions_of_the_block_propagate(dtmf: Any, stub: Stub, error: BaseException) -> None:
    stub.then(STARTED, ENDED)
    with pytest.raises(type(error)) as caught:
        within(dtmf, raising(error))
    assert caught.value is error
    assert asked(stub) == ["POST /numbers", END]


def test_a_rental_that_has_already_ended_is_fine(dtmf: Any, stub: Stub) -> None:
    stub.then(STARTED, GONE)
    assert within(dtmf, dict) == NUMBER
    assert len(stub.received) == 2


def test_the_end_is_retried_regardless_of_max_retries(connect: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(STARTED, cut, problem(503), cut, problem(500), problem(429), ENDED)
    within(connect(max_retries=0))
    assert asked(stub) == ["POST /numbers", *[END] * 6]
    assert len(set(keys(stub, "DELETE"))) == 1


def test_a_failed_end_names_the_rental_that_may_still_be_charged(dtmf: Any, stub: Stub) -> None:
    stub.then(STARTED, problem(401, "unauthenticated", detail="the token was revoked"))
    with pytest.raises(AuthenticationError, match=r"^the rental of \+12025550100 could not be ended .*was revoked"):
        within(dtmf)


def test_a_failed_end_does_not_replace_the_exception_of_the_block(dtmf: Any, stub: Stub) -> None:
    stub.then(STARTED, problem(401, "unauthenticated", detail="the token was revoked"))
    error = RuntimeError("mine")
    with pytest.raises(RuntimeError) as caught:
        within(dtmf, raising(error))
    assert caught.value is error
    [note] = error.__notes__
    assert note.startswith("the rental of +12025550100 could not be ended")


def test_a_rejected_start_leaves_nothing_to_end(dtmf: Any, stub: Stub) -> None:
    stub.then(problem(402, "insufficient_funds"))
    with pytest.raises(InsufficientFundsError):
        within(dtmf)
    assert asked(stub) == ["POST /numbers"]


def test_a_start_with_a_lost_response_is_retried_with_the_same_key(
    connect: Any, stub: Stub, fake_time: FakeTime
) -> None:
    stub.then(cut, cut, problem(502), STARTED, ENDED)
    assert within(connect(max_retries=0), dict) == NUMBER
    assert asked(stub) == [*["POST /numbers"] * 4, END]
    assert len(set(keys(stub, "POST"))) == 1


def test_a_start_that_stays_unanswered_says_what_may_be_running(connect: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(cut)
    with pytest.raises(DTMFError, match=r"us-mobile may have been rented .* dtmf\.numbers\(\)"):
        within(connect(timeout=5))
    assert len(set(keys(stub, "POST"))) == 1
    assert sum(fake_time.pauses_s) <= 10


def test_a_start_that_never_reached_the_service_fails_at_once(connect: Any, fake_time: FakeTime) -> None:
    with pytest.raises(DTMFError) as caught:
        within(connect(base_url="http://127.0.0.1:1", max_retries=0))
    assert "may have been rented" not in str(caught.value)
    assert fake_time.pauses_s == []


def test_a_response_without_a_number_is_an_error(dtmf: Any, stub: Stub) -> None:
    stub.answers({"group_id": "us-mobile"}, 201)
    with pytest.raises(ServerError, match=r"without a number: dtmf\.numbers\(\)"):
        within(dtmf)


@pytest.mark.parametrize("group_id", ["", None, 5, "x" * 65, "a\n"])
def test_a_malformed_group_is_rejected_before_the_block(dtmf: Any, stub: Stub, group_id: Any) -> None:
    with pytest.raises(ValueError, match="group_id"):
        getattr(dtmf, "inner", dtmf).rental(group_id)
    assert stub.received == []


def test_one_rental_object_rents_a_number_for_each_block(connect: Any, stub: Stub) -> None:
    other = reply(201, json.dumps(NUMBER | {"e164": "+12025550101"}).encode())
    stub.then(STARTED, other, ENDED, ENDED)
    client = connect()
    rental = getattr(client, "inner", client).rental("us-mobile")
    if hasattr(client, "inner"):

        async def nested() -> None:
            async with rental, rental:
                pass

        client._runner.run(nested())
    else:
        with rental, rental:
            pass
    assert asked(stub) == ["POST /numbers"] * 2 + [END.replace("0100", "0101"), END]


class Interrupting:
    """A transport that performs requests, and is interrupted by Ctrl-C before the responses at these positions."""

    def __init__(self, *interrupted: int) -> None:
        self.interrupted = interrupted
        self.sent: list[Any] = []

    def send(self, request: Any) -> Any:
        self.sent.append(request)
        if len(self.sent) in self.interrupted:
            raise KeyboardInterrupt
        from dtmf.transport import Reply

        return Reply(201, {}, json.dumps(NUMBER).encode()) if request.method == "POST" else Reply(204, {}, b"")


@pytest.mark.parametrize(
    ("interrupted", "methods"),
    [
        ((1,), ["POST", "POST", "DELETE"]),
        ((2,), ["POST", "DELETE", "DELETE"]),
    ],
    ids=["start", "end"],
)
def test_ctrl_c_during_the_start_or_the_end_leaves_no_rental(interrupted: Any, methods: list[str]) -> None:
    from dtmf import DTMF

    transport = Interrupting(*interrupted)
    with pytest.raises(KeyboardInterrupt) as caught, DTMF("t", transport=transport).rental("us-mobile"):
        pass
    assert [request.method for request in transport.sent] == methods
    assert len({request.headers["Idempotency-Key"] for request in transport.sent if request.method == "POST"}) == 1
    assert not getattr(caught.value, "__notes__", [])


def test_a_second_ctrl_c_during_the_end_says_what_may_be_running() -> None:
    from dtmf import DTMF

    with pytest.raises(KeyboardInterrupt) as caught, DTMF("t", transport=Interrupting(2, 3)).rental("us-mobile"):
        pass
    assert "+12025550100 may still be running" in str(caught.value.__context__.__notes__)


class Gated:
    """An async transport whose responses wait for the test."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[str] = asyncio.Queue()
        self.go = asyncio.Semaphore(0)
        self.methods: list[str] = []

    async def send(self, request: Any) -> Any:
        from dtmf.transport import Reply

        self.methods.append(request.method)
        self.arrived.put_nowait(request.method)
        await self.go.acquire()
        return Reply(201, {}, json.dumps(NUMBER).encode()) if request.method == "POST" else Reply(204, {}, b"")


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("place", ["start", "block", "end"])
async def test_a_cancelled_task_ends_its_rental_first(place: str, times: int) -> None:
    from dtmf import AsyncDTMF

    transport, inside = Gated(), asyncio.Event()

    async def renting() -> None:
        async with AsyncDTMF("t", transport=transport).rental("us-mobile"):
            inside.set()
            if place == "block":
                await asyncio.Event().wait()

    task = asyncio.create_task(renting())
    assert await transport.arrived.get() == "POST"
    if place != "start":
        transport.go.release()
        await inside.wait()
    if place == "end":
        assert await transport.arrived.get() == "DELETE"
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    for _ in range(2):
        transport.go.release()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert transport.methods == ["POST", "DELETE"]


async def test_a_timeout_around_a_rental_ends_it() -> None:
    from dtmf import AsyncDTMF

    transport = Gated()
    for _ in range(2):
        transport.go.release()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), AsyncDTMF("t", transport=transport).rental("us-mobile"):
            await asyncio.Event().wait()
    assert transport.methods == ["POST", "DELETE"]


def test_a_wait_that_times_out_ends_the_rental(dtmf: Any, stub: Stub, fake_time: FakeTime) -> None:
    stub.then(STARTED, reply(200, b"[]"), reply(200, b"[]"), ENDED)
    fake_time.uniform = 1.0
    with pytest.raises(TimedOutError):
        within(dtmf, lambda number: number.wait_for_code(timeout=0.5))
    assert asked(stub)[-1] == END
