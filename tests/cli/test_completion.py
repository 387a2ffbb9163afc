"""Completion: scripts for three shells, and bash completing for real."""

import os
import subprocess
from pathlib import Path

import pytest

from dtmf import DTMF
from dtmf.cli import commands
from support.cli_process import SOURCE, Run, process


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_every_command(run: Run, shell: str) -> None:
    said = run("completion", shell)
    assert (said.code, said.err) == (0, "")
    for name in commands.NAMES:
        assert name in said.out


@pytest.fixture
def bash(run: Run, tmp_path: Path) -> "Completed":
    """Bash with the completion loaded."""
    (tmp_path / "completion.bash").write_text(run("completion", "bash").out)
    program = tmp_path / "bin" / "dtmf"
    program.parent.mkdir()
    import sys

    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m dtmf "$@"\n')
    program.chmod(0o755)
    return Completed(tmp_path)


class Completed:
    """What bash would offer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, line: str) -> list[str]:
        script = (
            'source "$1"; COMP_WORDS=($2); [[ $2 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]}-1));'
            'COMP_LINE=$2; COMP_POINT=${#2}; _name=$(complete -p dtmf | sed "s/.*-F \\([^ ]*\\).*/\\1/"); $_name dtmf;'
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        given = os.environ | {"PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": SOURCE}
        done = subprocess.run(
            ["bash", "--norc", "-c", script, "bash", str(self._folder / "completion.bash"), line],
            capture_output=True,
            text=True,
            env=given,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        return [word.strip() for word in done.stdout.split("\n") if word.strip()]


def test_bash_completes_commands_options_and_choices(bash: Completed) -> None:
    assert bash("dtmf tra") == ["transactions"]
    assert bash("dtmf sandbox re") == ["receive"]
    assert "--json" in bash("dtmf numbers --")
    assert {"mobile", "local"} <= set(bash("dtmf groups "))


def test_bash_completes_the_numbers_that_are_rented(bash: Completed, dtmf: DTMF) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    assert bash("dtmf show ") == [number]
    assert "us-mobile" in bash("dtmf rent ")


def test_a_service_that_is_away_completes_nothing_and_says_nothing(
    home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token in ("", "dtmf_x"):
        monkeypatch.setenv("DTMF_TOKEN", token)
        monkeypatch.setenv("DTMF_URL", "http://127.0.0.1:1")
        done = process("__complete", "show", "")
        assert (done.returncode, done.stderr) == (0, "")
        assert "+" not in done.stdout
