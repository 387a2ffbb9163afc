"""The output of commands at 80 columns: looks.txt has each command and its exact output.

After an intended change, LOOKS=write rewrites the file. Review every line of the difference."""

import os
import re
from pathlib import Path

import pytest

from dtmf import DTMF
from harness import FakeWall
from support.cli_process import Run

LOOKS = Path(__file__).with_name("looks.txt")
WRITES = os.environ.get("LOOKS") == "write"
COMMANDS = [
    "groups",
    "groups local",
    "rent us-mobile",
    "numbers",
    "show +12025550100",
    "messages",
    "account",
    "transactions",
    "deliveries",
    "topup",
    "sandbox sent",
    "rent --help",
    "wait --help",
    "deliveries --help",
    "sandbox",
    "completion --help",
]


@pytest.fixture
def lived(dtmf: DTMF, wall: FakeWall) -> None:
    """An account with some of everything."""
    number = dtmf.start_rental("us-mobile")["e164"]
    dtmf.set_sms_action(number, "forward", "+13105550123")
    wall.advance(seconds=75)
    dtmf.sandbox.receive(number, "MyShop", "482-913 is your MyShop code. It expires in 10 minutes.")
    dtmf.sandbox.advance(0)
    dtmf.set_sms_action(number, None, None)
    wall.advance(seconds=3_600)
    dtmf.send_message(number, "+15005550001", "Unreachable")
    dtmf.sandbox.advance(0)
    dtmf.sandbox.receive(
        number, "+447700900123", "漢字 👍 und ein langer Text, der über den Rand geht und umbrochen wird."
    )
    tiny = dtmf.start_rental("tiny")["e164"]
    dtmf.set_sms_action(tiny, "webhook", "https://hooks.example.org/incoming/sms/of/the/shop")
    dtmf.sandbox.deposit(dtmf.new_address()["address"], 1_234_567)


def test_the_tables_match_the_expected_output(run: Run, lived: None) -> None:
    parts = []
    for line in COMMANDS:
        said = run(*line.split())
        assert (said.code, said.err) == (0, ""), line
        out = said.out.replace(os.environ["DTMF_URL"], "http://127.0.0.1:8000")
        parts.append(f"$ dtmf {line}\n{re.sub('test:[0-9]+ *', 'test:0', out)}")
    found = "\n".join(parts)
    if WRITES:
        LOOKS.write_text(found, encoding="utf-8")
    assert found.split("$ dtmf ") == LOOKS.read_text(encoding="utf-8").split("$ dtmf ")
    assert all(len(line) <= 80 and line == line.rstrip() for line in found.splitlines())
