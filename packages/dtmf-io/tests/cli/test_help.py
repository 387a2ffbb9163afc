"""Help for every command without loading the parser, and the error when the extra is not installed."""

import re

import pytest

from dtmf import __version__
from dtmf.cli import commands
from support.cli_process import Run, process

BELOW = {"sandbox": ["receive", "deposit", "advance", "sent"], "deliveries": ["retry", "test"]}
LINES = list(commands.NAMES) + [f"{name} {below}" for name, several in BELOW.items() for below in several]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]], ids=str)
def test_help_names_every_command(run: Run, words: list[str]) -> None:
    said = run(*words)
    assert (said.code, said.err) == (0, "")
    for name in commands.NAMES:
        assert re.search(rf"^  {name} +\S", said.out, re.MULTILINE)
    assert "Exit codes: 0 success" in said.out
    assert "\x1b" not in said.out
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize("line", LINES)
def test_each_command_has_help(run: Run, line: str) -> None:
    said = run(*line.split(), "--help")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"  dtmf {line}")
    assert "object at 0x" not in said.out
    assert all(text == text.rstrip() and len(text) <= 80 for text in said.out.splitlines())


@pytest.mark.parametrize(
    "name", [name for name in commands.NAMES if name not in {"login", "logout", "mcp", "completion"}]
)
def test_every_command_that_shows_something_takes_json(run: Run, name: str) -> None:
    for line in [f"{name} {below}" for below in BELOW.get(name, [])] or [name]:
        assert re.search(r"^  --json +Print the result", run(*line.split(), "--help").out, re.MULTILINE), line


def test_a_command_group_lists_its_commands(run: Run) -> None:
    said = run("sandbox")
    assert said.code == 0
    assert all(f"\n  {below} " in said.out for below in BELOW["sandbox"])


def test_version_is_printed(run: Run) -> None:
    assert run("--version").out == f"dtmf {__version__}\n"


def test_help_needs_neither_parser_nor_network_code(home: object) -> None:
    code = (
        "import sys\nfrom dtmf.cli import main\nstatus = main(sys.argv[1:])\n"
        "print(status, sorted({'cyclopts', 'rich', 'httpcore2', 'typing', 're', 'json'} & set(sys.modules)))"
    )
    for words in (["--help"], ["--version"]):
        done = process(*words, code=code)
        assert done.stdout.splitlines()[-1] == "0 []", done.stderr


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_the_extra_one_line_says_what_to_install(home: object, missing: str) -> None:
    code = f"import sys\nsys.modules[{missing!r}] = None\nfrom dtmf.cli import main\nsys.exit(main(sys.argv[1:]))"
    done = process("account", "--help", code=code)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("pip install 'dtmf-io[cli]'\n")
    assert done.stderr.count("\n") == 1
    assert process("--help", code=code).returncode == 0


def test_a_broken_internal_module_is_not_reported_as_a_missing_extra(home: object) -> None:
    code = "import sys\nsys.modules['dtmf.cli.exit_codes'] = None\nfrom dtmf.cli import main\nmain(['account'])"
    assert "ModuleNotFoundError" in process(code=code).stderr
