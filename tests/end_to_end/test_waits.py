"""A renter waits for a code: no failure of the service loses it or returns it twice."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dtmf import DTMF, AsyncDTMF, NotFoundError, TimedOutError
from end_to_end.clients import BOTH, client_of
from harness import FakeWall, new_token
from support.inspect import ON_SQLITE
from support.server_process import Service

EXAMPLE = Path(__file__).parents[2] / "examples" / "receive_code.py"
MESSAGES, KILLS = 40, 2


@pytest.fixture(params=BOTH)
def waiting(request: pytest.FixtureRequest, account: int, url: str) -> Iterator[Any]:
    """Either client, for the account of `dtmf`."""
    with client_of(request.param, new_token(), url) as client:
        yield client


@pytest.fixture
def e164(dtmf: DTMF) -> str:
    """A number that the account rents."""
    return dtmf.start_rental("us-mobile")["e164"]


def soon(do: Callable[[], object]) -> Callable[..., Any]:
    """Run a wait, and an action shortly after its start."""

    def run(wait: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        timer = threading.Timer(0.1, do)
        timer.start()
        try:
            return wait(*arguments, **named)
        finally:
            timer.join()

    return run


def test_a_wait_returns_the_message_as_soon_as_it_comes(dtmf: DTMF, waiting: Any, e164: str) -> None:
    arrives = soon(lambda: dtmf.sandbox.receive(e164, "+1234", "Your code is 482 913"))
    assert arrives(waiting.wait_for_code, e164) == "482913"
    arrives = soon(lambda: dtmf.sandbox.receive(e164, "+1234", "hello"))
    message = arrives(waiting.wait_for_message, e164)
    assert message == list(dtmf.messages(e164))[-1]
    assert message["content"] == "hello"


def test_a_code_that_arrived_before_the_call_is_returned_once(dtmf: DTMF, waiting: Any, e164: str) -> None:
    for content in ("Welcome", "code 1111", "code 2222"):
        dtmf.sandbox.receive(e164, "+1234", content)
    assert [waiting.wait_for_code(e164), waiting.wait_for_code(e164)] == ["1111", "2222"]
    with pytest.raises(TimedOutError):
        waiting.wait_for_message(e164, timeout=0.2)
    assert waiting.wait_for_message(e164, after=0)["content"] == "Welcome"


def test_sent_messages_do_not_end_a_wait(dtmf: DTMF, waiting: Any, e164: str) -> None:
    dtmf.send_message(e164, "+13105550123", "code 1111")
    dtmf.sandbox.receive(e164, "+1234", "code 2222")
    assert waiting.wait_for_code(e164) == "2222"


def test_a_wait_on_a_number_rented_again_starts_with_its_new_rental(dtmf: DTMF, waiting: Any) -> None:
    e164 = dtmf.start_rental("tiny")["e164"]
    dtmf.sandbox.receive(e164, "+1234", "code 1111")
    assert waiting.wait_for_code(e164) == "1111"
    dtmf.sandbox.receive(e164, "+1234", "code 2222")
    dtmf.end_rental(e164)
    assert dtmf.start_rental("tiny")["e164"] == e164
    dtmf.sandbox.receive(e164, "+1234", "code 3333")
    assert waiting.wait_for_code(e164) == "3333"
    assert waiting.wait_for_code(e164, after=0) == "3333"


def test_the_end_of_a_rental_ends_the_wait(dtmf: DTMF, waiting: Any, e164: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        soon(lambda: dtmf.end_rental(e164))(waiting.wait_for_code, e164)
    assert caught.value.code == "number_not_rented"
    with pytest.raises(NotFoundError):
        waiting.wait_for_code(e164)


def test_events_report_everything_in_order(dtmf: DTMF, account: int, url: str, e164: str) -> None:
    events = dtmf.events()
    message = dtmf.sandbox.receive(e164, "+1234", "code 1111")
    seen = next(event for event in events if event["kind"] == "message" and event["message"]["id"] == message["id"])
    assert (seen["e164"], seen["message"]) == (e164, message)
    dtmf.end_rental(e164)
    assert next(event["e164"] for event in events if event["kind"] == "rental.ended") == e164


def test_a_killed_and_restarted_service_loses_no_event_for_a_client_that_was_waiting(tmp_path: Path) -> None:
    service = Service(tmp_path).wait_ready()
    url, token = service.url, service.token
    with DTMF(token, base_url=url, timeout=120, max_retries=1_000) as phone, ThreadPoolExecutor(5) as pool:
        phone.sandbox.deposit(phone.new_address()["address"], 1_000_000)
        e164 = phone.start_rental("us-mobile")["e164"]
        told = [pool.submit(ids_told, kind, token, url) for kind in BOTH]
        codes = [pool.submit(first_code, kind, token, url, e164) for kind in BOTH]
        sent: list[int] = []
        sending = pool.submit(send, phone, e164, sent)
        for kill in range(1, KILLS + 1):
            while len(sent) < kill * MESSAGES // (KILLS + 1) and not sending.done():
                threading.Event().wait(0.005)
            assert not sending.done()
            service.kill()
            service = Service(tmp_path, port=int(url.rpartition(":")[2])).wait_ready()
        with service:
            sending.result(60)
            phone.sandbox.receive(e164, "+1234", "code 4829")
            assert [code.result(60) for code in codes] == ["4829", "4829"]
            assert [ids.result(60) for ids in told] == [sent, sent]


def send(phone: DTMF, e164: str, sent: list[int]) -> None:
    """Simulate SMS to the number, and record the id of each acknowledged one."""
    for number in range(MESSAGES):
        sent.append(phone.sandbox.receive(e164, "+1234", f"hello {number}")["id"])


def ids_told(kind: Any, token: str, url: str) -> list[int]:
    """Return the ids of the first messages in the event stream, as many as are sent."""
    if kind is DTMF:
        with DTMF(token, base_url=url) as dtmf:
            found = (event["message"]["id"] for event in dtmf.events() if event["kind"] == "message")
            return [next(found) for _ in range(MESSAGES)]
    return asyncio.run(ids_told_async(token, url))


async def ids_told_async(token: str, url: str) -> list[int]:
    ids: list[int] = []
    async with AsyncDTMF(token, base_url=url) as dtmf:
        async for event in dtmf.events():
            if event["kind"] == "message":
                ids.append(event["message"]["id"])
            if len(ids) == MESSAGES:
                break
    return ids


def first_code(kind: Any, token: str, url: str, e164: str) -> str:
    """Return the first code that arrives, despite any failure."""
    with client_of(kind, token, url, max_retries=0) as dtmf:
        return str(dtmf.wait_for_code(e164, timeout=120))


@ON_SQLITE
def test_the_example_rents_waits_for_a_code_and_ends_the_rental(dtmf: DTMF, url: str, wall: FakeWall) -> None:
    environment = os.environ | {"DTMF_URL": url, "DTMF_TOKEN": new_token()}
    command = [sys.executable, str(EXAMPLE), "--sandbox"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    e164, code = run.stdout.split()
    assert code == "482913"
    assert [message["content"][:8] for message in dtmf.messages(e164)] == ["Welcome!", "482-913 "]
    assert dtmf.numbers() == []
