"""The shell of docs/cli.md as it stands, by bash and the jq of this system, against the sandbox."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from dtmf import DTMF
from dtmf.testing.sandbox import running

ROOT = Path(__file__).parents[2]
# The command; with PHONE set, a code is sent to its number once that is known.
PROGRAM = """#!/bin/sh
real() {{ "{python}" -P -m dtmf "$@"; }}
receive() {{ [ -z "$PHONE" ] || real sandbox receive "$1" Bank "Your code is 482913" >/dev/null; }}
case $1 in
wait) receive "$2" ;;
code) real "$@" | {{ read -r number && echo "$number" && receive "$number"; cat; }}; exit ;;
esac
real "$@"
"""


@pytest.fixture
def dtmf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DTMF]:
    """A client of a sandbox of its own; the command finds it, and is this tree's."""
    assert which("jq") and which("bash"), "tests/peers/install.sh installs them"
    program = tmp_path / "bin" / "dtmf"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    (tmp_path / "data").mkdir()
    with running(tmp_path / "data") as sandbox, sandbox.client() as client:
        client.sandbox.deposit(client.new_address()["address"], 1_000_000)
        monkeypatch.setenv("DTMF_URL", sandbox.url)
        monkeypatch.setenv("DTMF_TOKEN", sandbox.token)
        yield client


def snippets() -> list[str]:
    """The scripts of docs/cli.md."""
    found = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "cli.md").read_text("utf-8"), re.DOTALL | re.M)
    assert len(found) >= 2
    return found


def bash(script: str) -> "subprocess.CompletedProcess[str]":
    """The script, to its end."""
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("script", snippets())
def test_a_documented_script_finds_the_code_and_leaves_no_rental(
    dtmf: DTMF, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONE", "rings")
    said = bash(f'{script}\n[ -z "${{code:-}}" ] || echo "$code"')
    assert dtmf.numbers() == []
    assert (said.returncode, said.stdout.splitlines()[:1]) == (0, ["482913"]), said


@pytest.mark.parametrize("script", snippets())
def test_a_documented_script_that_gets_no_code_leaves_no_rental(dtmf: DTMF, script: str) -> None:
    impatient = re.sub(r"(dtmf code us-mobile|--code)", r"\1 --timeout 0.3", script)
    said = bash(impatient)
    assert dtmf.numbers() == []
    assert "482913" not in said.stdout


def test_the_documented_jq_program_reads_the_number() -> None:
    found = subprocess.run(
        ["jq", "-r", '.["e164"]'], input='{"e164": "+12025550100"}', capture_output=True, text=True, check=True
    )
    assert found.stdout == "+12025550100\n"
