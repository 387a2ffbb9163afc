"""examples/receive_code.sh: a shell rents, waits and ends."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dtmf import DTMF
from support.paths import ROOT

SCRIPT = ROOT / "examples" / "receive_code.sh"


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


@pytest.mark.regression("documented-scripts-end-rentals")
def test_no_documented_jq_program_reads_a_key_as_a_number() -> None:
    """Up to version 1.6 jq takes `.e164` for the number 0. tests/peers/test_snippets.py runs the scripts with jq."""
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.sh")]
    programs = [
        found for path in documents for found in re.findall(r"jq (?:-\w+ )*'?([^' )`]+)", path.read_text("utf-8"))
    ]
    assert programs
    assert [program for program in programs if re.search(r"(^|[^\w\]])\.[eE]?[0-9]", program)] == []


@pytest.mark.regression("documented-scripts-end-rentals")
def test_a_documented_script_without_jq_leaves_no_rental(dtmf: DTMF, path: str) -> None:
    scripts = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "cli.md").read_text("utf-8"), re.DOTALL | re.M)
    alone = [script for script in scripts if "jq" not in script]
    assert alone, "every script of docs/cli.md needs jq"
    for script in alone:
        command = ["sh", "-c", script.replace("us-mobile", "us-mobile --timeout 0.3")]
        environment = os.environ | {"PATH": path}
        said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert "send the code to +1202" in said.stderr
        assert dtmf.numbers() == []
