"""The receivers in examples/webhook_receivers, each as the program it is, with deliveries of the real service."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

import pytest

from dtmf import DTMF
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage.db import Database
from harness import FakeWall
from support.webhook_receiver import refused_port
from support.webhook_steps import ON_SQLITE, rent, settle, states

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "webhook_receivers").glob("with_*.py"))
LINES = 40


@pytest.fixture
def wall() -> FakeWall:
    """The receivers judge a webhook's age by the real time."""
    return FakeWall(wall_us())


@contextmanager
def running(example: Path, secret: str) -> Iterator[tuple[int, IO[str]]]:
    """The example as a process: its port, once it listens, and what it prints."""
    port = refused_port()
    process = subprocess.Popen(
        [sys.executable, str(example)],
        env=os.environ | {"DTMF_WEBHOOK_SECRET": secret, "PORT": str(port), "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    try:
        wait_for_port(port, process)
        assert process.stdout is not None
        yield port, process.stdout
    finally:
        process.kill()
        process.communicate()


def wait_for_port(port: int, process: "subprocess.Popen[str]") -> None:
    """Returns once somebody listens there."""
    for _ in range(600):
        assert process.poll() is None, "the example has ended"
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("the example does not listen")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
@ON_SQLITE
def test_an_example_takes_what_is_signed_and_prints_it_and_refuses_what_is_not(
    dtmf: DTMF, db: Database, example: Path
) -> None:
    with running(example, dtmf.webhook_secret()) as (port, printed):
        number = rent(dtmf, "webhook", f"http://127.0.0.1:{port}/sms")
        dtmf.test_webhook(number)
        dtmf.sandbox.receive(number, "MyBank", "Your code is \u20ac 428613")
        settle(dtmf)
        assert [[a["status"] for a in d["attempts"]] for d in dtmf.deliveries("delivered")] == [[204], [204]]
        wrote = (line.strip() for line in iter(printed.readline, "") if "wrote to" in line)  # frameworks talk too
        assert sorted(islice(wrote, 2))[1] == f"MyBank wrote to {number}: Your code is \u20ac 428613"
        forged = urllib.request.Request(f"http://127.0.0.1:{port}/sms", data=b'{"id": 1}', method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(forged, timeout=10)
        assert refused.value.code == 400
        refused.value.close()
        dtmf.rotate_webhook_secret()
        dtmf.sandbox.receive(number, "MyBank", "still signed with the old one too")
        settle(dtmf)
        assert states(db) == ["delivered"] * 3


def test_every_example_is_there_and_short() -> None:
    assert [example.stem for example in EXAMPLES] == ["with_fastapi", "with_flask", "with_stdlib"]
    assert max(len(example.read_text().splitlines()) for example in EXAMPLES) <= LINES
