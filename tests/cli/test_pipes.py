"""Where stdout goes: a pipe that closes, a full disk, nothing at all, other encodings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtmf import DTMF
from support.cli_process import process


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["groups"], ["messages", "--json"], ["rent", "--help"]], ids=str
)
def test_a_pipe_that_is_closed_ends_it_quietly(dtmf: DTMF, words: list[str]) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    dtmf.sandbox.receive(number, "+1234", "hello")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = process(*words, stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("words", [["--help"], ["groups"], ["groups", "--json"]], ids=str)
def test_a_full_disk_is_told(dtmf: DTMF, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = process(*words, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "dtmf: No space left on device\n"


def test_without_any_streams_it_still_does_what_it_should(dtmf: DTMF) -> None:
    command = f"exec {sys.executable} -P -m dtmf rent us-mobile <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=60, check=False).returncode == 0
    assert len(dtmf.numbers()) == 1
    command = f"exec {sys.executable} -P -m dtmf rent nope <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=60, check=False).returncode == 4


def test_an_encoding_without_the_letters_loses_nothing_in_json(dtmf: DTMF, monkeypatch: pytest.MonkeyPatch) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    dtmf.sandbox.receive(number, "Bäckerei", "grün 漢字 👍")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = process("show", number, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == dtmf.number(number)
    done = process("show", number)
    assert (done.returncode, done.stderr) == (0, "")
    assert "gr?n" in done.stdout


def test_a_pipe_gets_whole_lines_however_long(dtmf: DTMF, monkeypatch: pytest.MonkeyPatch) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    dtmf.set_sms_action(number, "webhook", f"https://example.org/{'x' * 300}")
    dtmf.sandbox.receive(number, "+1234", "long " * 200)
    monkeypatch.delenv("COLUMNS")
    assert len(process("numbers").stdout.splitlines()) == 2
    assert max(map(len, process("messages").stdout.splitlines())) > 900
