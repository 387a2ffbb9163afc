"""examples/receive_code.sh: a shell rents, waits and ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtmf import DTMF

SCRIPT = Path(__file__).parents[2] / "examples" / "receive_code.sh"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `dtmf` is this tree's."""
    program = tmp_path / "bin" / "dtmf"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m dtmf "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def run(path: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The script, to its end."""
    command = ["sh", str(SCRIPT), *arguments]
    return subprocess.run(
        command, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_script_prints_number_message_and_code_and_ends_the_rental(dtmf: DTMF, path: str) -> None:
    done = run(path, "--sandbox")
    assert done.returncode == 0, done.stderr
    number, *message, code = done.stdout.splitlines()
    assert json.loads("".join(message))["e164"] == number
    assert code == "482913"
    assert dtmf.numbers() == []


def test_without_money_the_script_ends_as_the_command_does(dtmf: DTMF, path: str) -> None:
    dtmf.start_rental("us-mobile")
    dtmf.sandbox.advance(100_000 // 13 * 60 + 60)
    done = run(path)
    assert (done.returncode, done.stdout) == (5, "")
    assert ": dtmf topup" in done.stderr
    assert dtmf.numbers() == []
