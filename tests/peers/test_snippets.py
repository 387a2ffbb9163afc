"""The examples of the documents run unchanged against a sandbox, with bash and this system's jq and curl.

Each document has one bash session and one Python namespace on its own sandbox, on which the story of `make demo` has run.
Its blocks run in order. A block that can't run is marked with the reason (support/markdown.py); all others run, so that a
new block can't be forgotten."""

import asyncio
import contextlib
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from dtmf import DTMF, AsyncDTMF
from dtmf.testing.sandbox import running
from end_to_end.test_docs import after_the_story, differences
from support import markdown
from support.paths import PYTHONPATH
from support.shell import Shell, check_command, commands

__all__ = ["after_the_story"]

ROOT = Path(__file__).parents[2]
# Decision notes and the changelog quote what was; the others are run.
# Those of the carriers run in tests/docs/test_carrier_pages.py, against simulated providers.
PAGES = [
    page
    for page in markdown.pages()
    if page.parent.name not in ("decisions", "carriers") and page.name != "CHANGELOG.md"
]
DOCUMENTS = [page.relative_to(ROOT).as_posix() for page in PAGES]

# Their Python runs in tests/end_to_end/test_docs.py.
IN_TEST_DOCS = ("docs/quickstart.md", "docs/internals/billing.md")
# Python that a document assumes has run before.
GIVEN = {
    "docs/guides/top-up.md": "from dtmf import DTMF; dtmf = DTMF()",
    "docs/guides/sandbox.md": "from dtmf import DTMF; dtmf = DTMF(); e164 = dtmf.start_rental('us-mobile')['e164']",
    "docs/guides/receive-codes.md": """
import asyncio
from dtmf import DTMF
dtmf, position = DTMF(), 0
e164 = dtmf.start_rental("us-mobile")["e164"]
for content in ("482913 is your PayPal code", "You sold something on eBay"):
    dtmf.sandbox.receive(e164, "MyBank", content)
def tell_a_website(number):
    dtmf.sandbox.receive(number, "MyShop", "482913 is your MyShop code")
""",
    "docs/guides/webhooks.md": """
import time
from dtmf import DTMF
from dtmf.webhook import sign
dtmf = DTMF()
secret, now, body = dtmf.webhook_secret(), int(time.time()), b'{"id": 1, "e164": "+1", "sender": "+2", "content": "hello"}'
headers = {"webhook-id": "dlv_17", "webhook-timestamp": str(now)}
headers["webhook-signature"] = sign(secret, id="dlv_17", timestamp=now, body=body)
""",
}
# Placeholders of a document, filled in.
FILLED_IN = {'...  # tell a website number["e164"]': 'tell_a_website(number["e164"])'}
# The expected values of names after the document's Python has run.
AFTERWARDS = {
    ("docs/guides/receive-codes.md", "code"): "482913",
    ("docs/guides/webhooks.md", "message"): {"id": 1, "e164": "+1", "sender": "+2", "content": "hello"},
}

# The command. If PHONE is set, a code is sent to its number as soon as that is known.
PROGRAM = """#!/bin/sh
real() {{ "{python}" -P -m dtmf "$@"; }}
receive() {{ [ -z "$PHONE" ] || real sandbox receive "$1" Bank "Your code is 482913" >/dev/null; }}
case $1 in
wait) receive "$2" ;;
code) real "$@" | {{ read -r number && echo "$number" && receive "$number"; cat; }}; exit ;;
esac
real "$@"
"""


def programs(folder: Path) -> str:
    """A PATH with this tree's commands in .venv/bin of a folder, as after `make run`."""
    assert which("jq") and which("bash") and which("curl"), "tests/peers/install.sh installs them"
    place = folder / ".venv" / "bin"
    place.mkdir(parents=True)
    texts = {"dtmf": PROGRAM.format(python=sys.executable)}
    for name, options in {"dtmf-server": "-P -m dtmf_server", "pytest": "-P -m pytest", "python": ""}.items():
        texts[name] = f'#!/bin/sh\nexec "{sys.executable}" {options} "$@"\n'
    for name, text in texts.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    return f"{place}:/usr/bin:/bin"


@pytest.fixture
def dtmf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DTMF]:
    """A client of its own sandbox, which this tree's command finds too."""
    monkeypatch.setenv("PATH", programs(tmp_path))
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    (tmp_path / "data").mkdir()
    with running(tmp_path / "data") as sandbox, sandbox.client() as client:
        client.sandbox.deposit(client.new_address()["address"], 1_000_000)
        monkeypatch.setenv("DTMF_URL", sandbox.url)
        monkeypatch.setenv("DTMF_TOKEN", sandbox.token)
        yield client


def blocks(document: str) -> list[tuple[str, str]]:
    """Return a document's code blocks in order, with language and text."""
    return [(block.language, block.code) for block in markdown.blocks(ROOT / document)]


def snippets() -> list[str]:
    """Return the shell scripts of the documents that can run here."""
    every = [block for document in DOCUMENTS for block in markdown.blocks(ROOT / document)]
    found = [block.code for block in every if block.language == "sh" and not block.marks]
    assert len(found) >= 2
    return found


def to_run(document: str) -> list[tuple[str, str, str]]:
    """Iterate over the code to run: language, code, and the documented output of a command."""
    found = []
    for block in markdown.blocks(ROOT / document):
        if block.language == "console":
            assert block.code.startswith("$ "), f"{document}: a console block begins with a command: {block.code}"
            pairs = [pair for pair in commands(block.code) if block.reason(pair[0]) is None]
            found += [("console", *pair) for pair in pairs]
        elif block.language == "python" and document not in IN_TEST_DOCS and block.reason(block.code) is None:
            found.append(("python", block.code, ""))
    return found


class Typed(io.StringIO):
    """A standard output that simulates Ctrl-C at the first code."""

    def write(self, text: str) -> int:
        if "482913" in text:
            raise KeyboardInterrupt
        return super().write(text)


def check_python(block: str, names: dict[str, Any]) -> None:
    """Run a block. One that creates a task runs in an event loop with the asyncio client."""
    for left_open, filled_in in FILLED_IN.items():
        block = block.replace(left_open, filled_in)
    if block.startswith(">>>"):
        assert differences([block], names) == []
    elif "create_task" in block:
        asyncio.run(in_a_loop(block, names))
    elif block.startswith("for event in"):  # doesn't end by itself
        with pytest.raises(KeyboardInterrupt), contextlib.redirect_stdout(Typed()):
            exec(block, names)
    else:
        exec(block, names)


async def in_a_loop(block: str, names: dict[str, Any]) -> None:
    """Run a block in a coroutine, and wait for the task it cancels."""
    async with AsyncDTMF() as client:
        inside = names | {"dtmf": client}
        exec(block, inside)
        with pytest.raises(asyncio.CancelledError):
            await inside["reader"]


@pytest.fixture
def folder(tmp_path: Path, after_the_story: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which `make run` was called, with .venv, data and examples; also the session's home."""
    monkeypatch.setenv("PATH", programs(tmp_path))
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / ".curlrc").write_text("silent\nshow-error\n")  # no progress meter, as on a terminal
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    return tmp_path


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if to_run(document)])
def test_the_commands_and_code_of_a_document_work(document: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if document == "docs/guides/command-line.md":
        monkeypatch.setenv("PHONE", "rings")
    names: dict[str, Any] = {}
    exec(GIVEN.get(document, ""), names)
    with Shell(folder) as shell:
        for language, code, shown in in_order(document, folder):
            if language == "console":
                check_command(shell, code, shown)
            else:
                check_python(code, names)
    for (name, variable), value in AFTERWARDS.items():
        assert name != document or names[variable] == value


def in_order(document: str, folder: Path) -> list[tuple[str, str, str]]:
    """Run the blocks of a document. Its tests are written to a file for the documented `pytest` command."""
    tests = [code for _, code, _ in to_run(document) if re.match(r"(async )?def test_", code)]
    (folder / "test_documented.py").write_text("\n\n".join(tests))
    return [each for each in to_run(document) if each[1] not in tests]


def bash(script: str) -> "subprocess.CompletedProcess[str]":
    """Run the script to its end."""
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
