"""examples/lightning runs as its README says, in a sandbox."""

import re
import subprocess
import sys

from support import markdown
from support.paths import ROOT
from support.server_process import environment

FOLDER = ROOT / "examples" / "lightning"
COMMAND = ".venv/bin/python examples/lightning/run.py"
VARIES = re.compile(r"lnbcrt\w+…|[0-9]+\.[0-9]{2} s")


def run(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, FOLDER / "run.py", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        env=environment(**env),
        check=False,
    )


def test_it_tops_up_and_rents_as_documented() -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    shown = next(block.code for block in markdown.blocks(FOLDER / "README.md") if COMMAND in block.code)
    documented = shown.partition(f"$ {COMMAND}\n")[2]
    assert VARIES.sub("…", done.stdout).splitlines() == VARIES.sub("…", documented).splitlines()


def test_without_the_programs_of_the_nodes_it_says_what_to_run() -> None:
    done = run("--nodes")
    assert (done.returncode, done.stdout) == (2, "")
    assert "make test-lightning" in done.stderr
