"""What is posted from a process of its own is what this one would post, and nothing is lost with that process."""

import asyncio
import errno
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from dtmf.webhook import verify
from dtmf_server.carriers.simulator import SimulatedCarrier
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.restart_policy import RestartPolicy
from dtmf_server.runtime.context import Runtime
from dtmf_server.server import process
from dtmf_server.storage.db import Database
from dtmf_server.webhooks import subprocess_dispatcher
from dtmf_server.webhooks.client import Outcome, WebhookClient
from dtmf_server.webhooks.dispatcher import InProcessDispatcher
from dtmf_server.webhooks.subprocess_dispatcher import (
    ABORTED,
    DispatcherUnavailable,
    DispatchRequest,
    SubprocessDispatcher,
)
from dtmf_server.workers.carrier_router import CarrierRouter
from dtmf_server.workers.delivery_worker import Outbox
from harness import FakeWall
from support.webhook_receiver import OK, Receiver, receiving_raw, refused_port
from support.webhook_steps import attempts, deliveries, receive, rent_now, settled, states

SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
ANSWERS = [
    OK,
    b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 410 Gone\r\nContent-Length: 6\r\n\r\n\x00\xff\xc3\xa9\xf0\x9f",
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
]
STARTS_ONE = """
import asyncio
from dtmf_server.webhooks.subprocess_dispatcher import SubprocessDispatcher

async def main():
    async with SubprocessDispatcher(sandbox=True) as webhooks:
        print(webhooks.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def asked(url: str, *, text: str = "Grüße 👋\x00", id_: int = 7) -> DispatchRequest:
    return DispatchRequest(0, id_, "webhook", 42, "+12025550100", "Bank", text, url, (), 0)


def without_duration(outcome: Outcome) -> tuple[object, ...]:
    return outcome.status, outcome.reason, outcome.reply, outcome.retry_after_s


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def until_restarted(webhooks: SubprocessDispatcher, before: int) -> None:
    async with asyncio.timeout(30):
        while webhooks.pid == before:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        await webhooks._is_there.wait()


@pytest.mark.parametrize("answer", ANSWERS)
async def test_it_posts_the_same_and_tells_the_same(answer: bytes) -> None:
    now_s = int(time.time())
    async with (
        receiving_raw(answer) as receiver,
        WebhookClient(sandbox=True) as poster,
        SubprocessDispatcher(sandbox=True) as webhooks,
    ):
        sms = asked(f"http://127.0.0.1:{receiver.port}/hook")
        outcomes = [
            await each.post(sms, secrets=SECRETS, timestamp_s=now_s)
            for each in (InProcessDispatcher(poster, sandbox=True), webhooks)
        ]
    assert without_duration(outcomes[0]) == without_duration(outcomes[1])
    here, there = receiver.requests
    assert (here.line, sorted(here.headers.items()), here.body) == (
        there.line,
        sorted(there.headers.items()),
        there.body,
    )
    assert verify(there.body, there.headers, SECRETS[1])["content"] == sms.text


async def test_what_can_not_be_reached_or_is_not_allowed_is_said_in_the_same_words() -> None:
    port = refused_port()
    async with SubprocessDispatcher(sandbox=False) as live, SubprocessDispatcher(sandbox=True) as sandbox:
        sms = asked(f"http://127.0.0.1:{port}/")
        refused = await sandbox.post(sms, secrets=SECRETS, timestamp_s=0)
        inside = await live.post(sms, secrets=SECRETS, timestamp_s=0)
    assert (refused.status, refused.reason) == (None, f"connection refused by 127.0.0.1:{port}")
    assert inside.status is None
    assert inside.reason != refused.reason, "what a sandbox may reach, a service may not"


async def test_an_error_of_ours_there_is_an_error_here() -> None:
    async with SubprocessDispatcher(sandbox=True) as webhooks:
        with pytest.raises(RuntimeError, match="whsec_"):  # which no secret of ours is without
            await webhooks.post(asked("http://127.0.0.1:8099/"), secrets=["no secret"], timestamp_s=0)
        with pytest.raises(UnicodeEncodeError):  # what can't be sent there fails alone
            await webhooks.post(asked("http://127.0.0.1:8099/", text="\ud800"), secrets=SECRETS, timestamp_s=0)
        assert (await webhooks.post(asked("http://127.0.0.1:8099/"), secrets=SECRETS, timestamp_s=0)).status is None


async def test_hundreds_at_once_each_get_their_own_answer() -> None:
    async def echo(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async with receiving_raw(echo) as receiver, SubprocessDispatcher(sandbox=True) as webhooks:
        url = f"http://127.0.0.1:{receiver.port}/"
        posts = [webhooks.post(asked(url, id_=n, text=str(n)), secrets=SECRETS, timestamp_s=0) for n in range(300)]
        outcomes = await asyncio.gather(*posts)
    assert [outcome.status for outcome in outcomes] == [200] * 300
    assert sorted(int(json.loads(request.body)["content"]) for request in receiver.requests) == [*range(300)]


async def test_a_process_that_is_killed_takes_no_sms_with_it(
    account: int, db: Database, runtime: Runtime, receiver: Receiver, wall: FakeWall
) -> None:
    number = rent_now(runtime, account, receiver.url)
    async with SubprocessDispatcher(sandbox=True) as webhooks:
        outbox = Outbox(runtime, webhooks, CarrierRouter([]))
        worker = asyncio.create_task(outbox.run())
        os.kill(webhooks.pid, signal.SIGSTOP)  # so that it has the post, and has not made it
        await receive(runtime, (number, "under way"))
        async with asyncio.timeout(30):
            while not outbox._posting:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        before = webhooks.pid
        os.kill(before, signal.SIGKILL)
        await until_restarted(webhooks, before)
        async with asyncio.timeout(30):
            while states(db) != ["delivered"]:
                wall.advance(seconds=1)
                await asyncio.sleep(0.05)
        await settled(runtime)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    assert receiver.contents == ["under way"]
    assert [row["attempts"] for row in deliveries(db)] == [2]
    assert [row["reason"] for row in attempts(db)] == ["the attempt was broken off", "the receiver answered 200"]


async def test_while_there_is_no_process_nothing_is_attempted(
    account: int,
    db: Database,
    runtime: Runtime,
    receiver: Receiver,
    wall: FakeWall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subprocess_dispatcher, "AWAITED_S", 0.01)
    number = rent_now(runtime, account, receiver.url)
    async with SubprocessDispatcher(sandbox=True) as webhooks:
        worker = asyncio.create_task(Outbox(runtime, webhooks, CarrierRouter([])).run())
        before = webhooks.pid
        monkeypatch.setattr(
            subprocess_dispatcher, "RESTARTS", RestartPolicy(first_s=3600.0, max_s=3600.0, steady_s=60.0)
        )
        webhooks._is_there.clear()  # as between its end and the next one's start
        with pytest.raises(DispatcherUnavailable):
            await webhooks.post(asked(receiver.url), secrets=SECRETS, timestamp_s=0)
        await receive(runtime, (number, "meanwhile"))
        async with asyncio.timeout(30):
            while deliveries(db)[0]["leased_until_us"] is not None:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        assert [(row["state"], row["attempts"]) for row in deliveries(db)] == [("waiting", 0)]
        webhooks._is_there.set()
        async with asyncio.timeout(30):
            while states(db) != ["delivered"]:
                wall.advance(seconds=1)
                await asyncio.sleep(0.05)
        assert webhooks.pid == before
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    assert receiver.contents == ["meanwhile"]
    assert [row["attempts"] for row in deliveries(db)] == [1]


async def test_a_process_that_says_nothing_any_more_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess_dispatcher, "POLL_INTERVAL_S", 0.05)
    monkeypatch.setattr(subprocess_dispatcher, "AWAITED_S", 60.0)  # however slowly the next one starts
    async with receiving_raw(OK) as receiver, SubprocessDispatcher(sandbox=True) as webhooks:
        before, sms = webhooks.pid, asked(f"http://127.0.0.1:{receiver.port}/")
        os.kill(before, signal.SIGSTOP)
        assert await webhooks.post(sms, secrets=SECRETS, timestamp_s=0) == ABORTED
        assert (await webhooks.post(sms, secrets=SECRETS, timestamp_s=0)).status == 200, "it waits for the next one"
        assert webhooks.pid != before
    assert has_ended(before)
    assert has_ended(webhooks.pid), "it ends with the block"


async def test_one_that_waits_for_slow_receivers_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess_dispatcher, "POLL_INTERVAL_S", 0.05)

    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2.0)
        writer.write(OK)

    async with (
        receiving_raw(slow) as receiving_slowly,
        receiving_raw(OK) as receiver,
        SubprocessDispatcher(sandbox=True) as webhooks,
    ):
        before = webhooks.pid
        waits = asyncio.create_task(
            webhooks.post(asked(f"http://127.0.0.1:{receiving_slowly.port}/"), secrets=SECRETS, timestamp_s=0)
        )
        while not waits.done():
            await webhooks.post(asked(f"http://127.0.0.1:{receiver.port}/"), secrets=SECRETS, timestamp_s=0)
            await asyncio.sleep(0.05)
        assert (await waits).status == 200
        assert webhooks.pid == before


@pytest.mark.parametrize(
    "error", [OSError(errno.EMFILE, "too many open files"), RuntimeError("no thread"), MemoryError()]
)
async def test_one_that_can_not_be_started_again_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(subprocess_dispatcher, "RESTARTS", RestartPolicy(first_s=0.05, max_s=30.0, steady_s=60.0))
    async with receiving_raw(OK) as receiver, SubprocessDispatcher(sandbox=True) as webhooks:
        before, failed, start = webhooks.pid, asyncio.Event(), subprocess.Popen

        def fails_once(*command: Any, **options: Any) -> Any:
            if not failed.is_set():
                failed.set()
                raise error
            return start(*command, **options)

        monkeypatch.setattr(subprocess, "Popen", fails_once)
        os.kill(before, signal.SIGKILL)
        await until_restarted(webhooks, before)
        sms = asked(f"http://127.0.0.1:{receiver.port}/")
        assert (await webhooks.post(sms, secrets=SECRETS, timestamp_s=0)).status == 200
        assert failed.is_set()


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "import time; time.sleep(60)"])
async def test_a_service_whose_second_process_does_not_come_up_does_not_start(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(subprocess_dispatcher, "_START", program)
    monkeypatch.setattr(subprocess_dispatcher, "START_S", 1.0)
    webhooks = SubprocessDispatcher(sandbox=True)
    with pytest.raises(CannotStart, match="posts webhooks"):
        await webhooks.__aenter__()
    webhooks._process.kill()
    webhooks._process.wait()


def test_it_ends_with_who_started_it_however_that_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_ONE], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) > 0
        parent.kill()
        parent.wait()
        # The pipe is open as long as anybody has it who can write to it, and it was inherited.
        assert select.select([parent.stdout], [], [], 30)[0], "it outlives whoever started it"
        assert parent.stdout.read() == b""


async def test_signals_meant_for_all_of_a_terminal_end_what_started_it_first() -> None:
    async with receiving_raw(OK) as receiver, SubprocessDispatcher(sandbox=True) as webhooks:
        sms = asked(f"http://127.0.0.1:{receiver.port}/")
        assert (await webhooks.post(sms, secrets=SECRETS, timestamp_s=0)).status == 200
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(webhooks.pid, number)
        assert (await webhooks.post(sms, secrets=SECRETS, timestamp_s=0)).status == 200


@pytest.mark.parametrize(("processors", "kind"), [(2, SubprocessDispatcher), (1, InProcessDispatcher)])
async def test_a_service_with_carriers_posts_from_another_process_where_there_is_a_processor_for_it(
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    processors: int,
    kind: type[InProcessDispatcher | SubprocessDispatcher],
) -> None:
    async def is_ours(_: str) -> bool:
        return False

    monkeypatch.setattr(process, "processors", lambda: processors)
    async with process._webhooks(runtime, [SimulatedCarrier(is_ours=is_ours)]) as webhooks:
        assert isinstance(webhooks, kind)
    async with process._webhooks(runtime, []) as webhooks:
        assert isinstance(webhooks, InProcessDispatcher)
