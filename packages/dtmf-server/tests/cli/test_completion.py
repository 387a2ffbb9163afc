"""Completion of `dtmf-server`: scripts for three shells, and real completion in bash."""

import subprocess
from pathlib import Path

import pytest

from dtmf_server.cli.main import _parser, main


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    assert main(["completion", "bash"]) == 0
    path = tmp_path / "completion.bash"
    path.write_text(capsys.readouterr().out)
    return path


def completed(script: Path, line: str) -> set[str]:
    """Return what bash offers at the end of this line."""
    program = (
        'source "$1"; COMP_WORDS=($2); [[ $2 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]}-1));'
        ' _dtmf_server; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program, "bash", str(script), line],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_commands_actions_and_options(script: Path) -> None:
    assert completed(script, "dtmf-server carr") == {"carriers"}
    assert {"check", "trace", "add-phone", "--json"} <= completed(script, "dtmf-server carriers ")
    assert completed(script, "dtmf-server carriers --json tr") == {"trace"}
    assert {"--receive", "--from", "--through", "--timeout"} <= completed(
        script, "dtmf-server carriers check london --"
    )
    assert completed(script, "dtmf-server carriers trace london --sec") == {"--seconds"}
    assert completed(script, "dtmf-server completion z") == {"zsh"}
    assert completed(script, "dtmf-server numbers ") >= {"import"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_has_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    (commands,) = (action.choices for action in _parser()._actions if action.metavar == "COMMAND")
    assert commands is not None
    for name in [*commands, "carriers check", "carriers trace", "carriers add-phone"]:
        assert name in said
