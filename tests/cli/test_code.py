"""`dtmf code GROUP` rents, prints the number, waits, prints the code; however it ends, its rental ends with it."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dtmf import DTMF
from support.cli_process import Refused, Run, process

TEXT = "Your code is 482913"


@contextmanager
def running(*arguments: str, **options: object) -> "Iterator[subprocess.Popen[str]]":
    """`dtmf code us-mobile`, and its end."""
    command = [sys.executable, "-P", "-m", "dtmf", "code", "us-mobile", *arguments]
    streams: dict[str, object] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **(streams | options)) as started:  # type: ignore[call-overload]  # what the caller passes
        try:
            yield started
        finally:
            started.kill()


def first_line(started: "subprocess.Popen[str]") -> str:
    """What it prints first."""
    return (started.stdout.readline() if started.stdout else "").strip()


@pytest.mark.regression("dtmf-code-ends-its-rental")
def test_number_and_code_are_the_two_lines(dtmf: DTMF) -> None:
    with running() as started:
        number = first_line(started)
        assert number.startswith("+1202"), (number, started.communicate()[1])
        assert [rented["e164"] for rented in dtmf.numbers()] == [number]
        dtmf.sandbox.receive(number, "Bank", TEXT)
        assert started.communicate(timeout=60) == ("482913\n", "")
    assert started.returncode == 0
    assert dtmf.numbers() == []


def test_with_json_each_line_is_what_the_client_returns(dtmf: DTMF) -> None:
    with running("--json", "--match", "482") as started:
        number = json.loads(first_line(started))
        dtmf.sandbox.receive(number["e164"], "Bank", "Your code is 111111")
        dtmf.sandbox.receive(number["e164"], "Bank", TEXT)
        assert json.loads(started.communicate(timeout=60)[0]) == "482913"
    assert (number["group_id"], number["messages"]) == ("us-mobile", [])
    assert dtmf.numbers() == []


@pytest.mark.regression("dtmf-code-ends-its-rental")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_rental_and_is_the_exit_status(dtmf: DTMF, number: str) -> None:
    with running() as started:
        assert first_line(started).startswith("+1202")
        for _ in range(3):
            started.send_signal(getattr(signal, number))
        assert started.communicate(timeout=60) == ("", "")
    assert started.returncode == 128 + getattr(signal, number)
    assert dtmf.numbers() == []


def test_a_signal_at_any_moment_leaves_no_rental(dtmf: DTMF) -> None:
    program = """
import os, signal, sys, threading
from dtmf import cli, sender
place, seen, perform = int(sys.argv.pop(1)), [0], sender._answer
def answer(attempts, read, transport):
    seen[0] += 1
    if seen[0] == place:
        threading.Timer(0.002, os.kill, (os.getpid(), signal.SIGTERM)).start()
    found = perform(attempts, read, transport)
    if seen[0] == place:
        os.kill(os.getpid(), signal.SIGTERM)
    return found
sender._answer = answer
raise SystemExit(cli.main(["code", "us-mobile", "--timeout", "1"]))
"""
    for place in (1, 2, 3):
        ended = process(place, code=program)
        assert ended.returncode in {143, 8}, ended
        assert "Traceback" not in ended.stderr
        assert dtmf.numbers() == [], place


def test_nohup_is_heeded(dtmf: DTMF) -> None:
    with running(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as started:
        number = first_line(started)
        started.send_signal(signal.SIGHUP)
        dtmf.sandbox.receive(number, "Bank", TEXT)
        assert started.communicate(timeout=60)[0] == "482913\n"
    assert started.returncode == 0


def test_nothing_in_time_ends_with_8_and_ends_the_rental(run: Run, dtmf: DTMF) -> None:
    said = run("code", "us-mobile", "--timeout", "0.2")
    assert (said.code, said.err.count("\n")) == (8, 1)
    assert "no message with a code came to +1202" in said.err
    assert dtmf.numbers() == []


def test_a_pipe_that_is_closed_ends_the_rental(dtmf: DTMF) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with running(stdout=writing) as started:
        os.close(writing)
        assert started.communicate(timeout=60)[1] == ""
    assert started.returncode == 141
    assert dtmf.numbers() == []


def test_an_output_that_cannot_be_written_ends_the_rental(dtmf: DTMF) -> None:
    with Path(os.devnull).open(encoding="ascii") as unwritable, running(stdout=unwritable) as started:
        said = started.communicate(timeout=60)[1]
    assert (started.returncode, said) == (1, "dtmf: Bad file descriptor\n")
    assert dtmf.numbers() == []


def test_a_terminal_that_is_closed_ends_the_rental(dtmf: DTMF) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm"}
    with running(stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environment) as started:
        os.close(theirs)
        said = b""
        while b"waiting for" not in said:
            said += os.read(ours, 4096)
        os.close(ours)  # what is written fails from now on
        dtmf.sandbox.receive(dtmf.numbers()[0]["e164"], "Bank", TEXT)
        assert started.wait(60) in {1, 129}
    assert dtmf.numbers() == []


@pytest.mark.parametrize("words", [["--match", "("], ["--timeout", "0"], ["--timeout", "soon"]])
def test_what_cannot_be_waited_for_is_refused_before_anything_is_paid(
    refused: Refused, dtmf: DTMF, words: list[str]
) -> None:
    before = dtmf.account()
    assert refused("code", "us-mobile", *words)[0] == 2
    assert dtmf.account() == before


def test_a_group_that_is_none_is_4_and_no_money_5(refused: Refused, dtmf: DTMF) -> None:
    assert refused("code", "xx-mobile")[0] == 4
    dtmf.start_rental("us-mobile")
    dtmf.sandbox.advance(100_000 // 13 * 60 + 60)
    assert refused("code", "us-mobile")[0] == 5


def test_a_rental_that_was_ended_meanwhile_is_4(dtmf: DTMF) -> None:
    with running() as started:
        dtmf.end_rental(first_line(started))
        said = started.communicate(timeout=60)[1]
    assert (started.returncode, said.count("\n")) == (4, 1)


@pytest.mark.regression("dtmf-code-ends-its-rental")
@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_a_rent_that_cannot_be_printed_says_which_number_is_charged(dtmf: DTMF, json_: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = process("rent", "us-mobile", *json_, stdout=writing)
    os.close(writing)
    [rented] = dtmf.numbers()
    assert ended.returncode == 141
    assert f"dtmf end {rented['e164']}" in ended.stderr
