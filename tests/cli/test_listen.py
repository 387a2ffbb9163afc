"""`dtmf listen`: events posted to a program on this machine, signed, retried, and continued after a restart."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dtmf import DTMF
from dtmf.webhook import verify
from support.cli_process import Run
from support.webhook_receiver import Posted, Receiver, Reply, receiving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def program() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@contextmanager
def listening(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `dtmf listen` until the block ends, then press Ctrl-C."""
    command = [sys.executable, "-P", "-m", "dtmf", "listen", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    assert process.returncode == 130


def lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def test_each_event_is_posted_signed_and_shown_with_its_answer(dtmf: DTMF, program: Receiver) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    sms = dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
    paid = dtmf.sandbox.deposit(dtmf.new_address()["address"], 5_000)
    kinds = "message,deposit.credited"
    with listening("--forward-to", program.url, "--after", "0", "--events", kinds, "--json") as process:
        seen = [json.loads(line) for line in lines(process, 2)]
    assert [(each["event"]["kind"], each["status"]) for each in seen] == [("message", 200), ("deposit.credited", 200)]
    posted = program.wait_for(2)
    assert [each.headers["webhook-id"] for each in posted] == [f"evt_{each['event']['id']}" for each in seen]
    message, credited = (verify(each.body, each.headers, dtmf.webhook_secret()) for each in posted)
    assert message == {"id": sms["id"], "e164": number, "sender": "BANK", "content": "Your code is 428613"}
    assert (credited["type"], credited["data"]["txid"]) == ("deposit.credited", paid["txid"])


def test_a_run_starts_with_new_events_and_the_next_run_where_it_ended(dtmf: DTMF, program: Receiver) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    dtmf.sandbox.receive(number, "+1", "before")
    arguments = ("--forward-to", program.url, "--events", "message", "--secret", SECRET)
    with listening(*arguments) as process:
        while not program.posted:  # the first run starts at an unknown time, so send until it listens
            dtmf.sandbox.receive(number, "+1", "during")
        first = lines(process, 1)[0]
    assert "message" in first
    assert "200" in first
    assert verify(program.posted[0].body, program.posted[0].headers, SECRET)["content"] == "during"
    dtmf.sandbox.receive(number, "+1", "between")
    with listening(*arguments):
        while "between" not in program.contents:
            program.wait_for(len(program.posted) + 1)
    assert "before" not in program.contents
    assert len({posted.headers["webhook-id"] for posted in program.posted}) == len(set(ids(program.posted)))


def ids(posted: list[Posted]) -> list[int]:
    return [each.json["id"] for each in posted]


def test_an_event_is_repeated_until_the_program_answers_2xx(dtmf: DTMF, program: Receiver) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    dtmf.sandbox.receive(number, "+1", "hello")
    answers = iter([500, 200])
    program.answer = lambda _posted: Reply(next(answers, 200))
    with listening("--forward-to", program.url, "--after", "0", "--events", "message") as process:
        (line,) = lines(process, 1)
    assert "200" in line
    first, second = program.wait_for(2)[:2]
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_a_malformed_url_or_secret_is_refused_before_anything_is_sent(run: Run, home: Path) -> None:
    assert run("listen", "--forward-to", "http://user@host/").code == 2
    assert run("listen", "--forward-to", "localhost:3000", "--secret", "nonsense").code == 2
