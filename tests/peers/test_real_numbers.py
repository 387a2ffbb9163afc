"""examples/real_numbers runs as its README says: on a simulated phone, the real gammu-smsd, and a simulated Twilio."""

import re
import subprocess
import sys
from pathlib import Path

from support import markdown
from support.paths import ROOT
from support.server_process import environment

FOLDER = ROOT / "examples" / "real_numbers"
COMMAND = ".venv/bin/python examples/real_numbers/run.py"
DURATION = re.compile(r"bound for .*")


def run(**env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, FOLDER / "run.py"],
        capture_output=True,
        text=True,
        timeout=400,
        env=environment(**env),
        check=False,
    )


def documented() -> list[str]:
    """Return the lines that the README shows."""
    (block,) = markdown.blocks(FOLDER / "README.md")
    return block.code.partition(f"$ {COMMAND}\n")[2].splitlines()


def test_it_receives_sends_and_fails_over_as_documented() -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) <= 25
    assert [DURATION.sub("", line) for line in lines] == [DURATION.sub("", line) for line in documented()]


def test_without_gammu_smsd_it_says_how_to_install_it(tmp_path: Path) -> None:
    done = run(PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "apt install gammu gammu-smsd libdbd-sqlite3" in done.stderr
