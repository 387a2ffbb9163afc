"""The `>>>` examples of the documents produce the printed results, unchanged, on a sandbox after `make run`.

Times differ between runs and are masked; everything else is compared as Python prints it."""

import ast
import doctest
import io
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, redirect_stdout, suppress
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from support import markdown
from support.server_process import environment

ROOT = Path(__file__).parents[2]
TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}")
PORT_IN_THE_DOCS = "9000"


@pytest.fixture
def after_the_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`make run` on an empty folder, after its story, with its last lines executed."""
    story = [sys.executable, ROOT / "examples" / "story.py", "--stay", "--data", tmp_path / "data", "--port", "0"]
    with subprocess.Popen(story, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            told = iter(process.stdout or ())
            for name in ("DTMF_URL", "DTMF_TOKEN"):
                monkeypatch.setenv(name, next(line for line in told if f"export {name}=" in line).strip().split("=")[1])
            yield
        finally:
            process.terminate()
            process.communicate()


def blocks(document: str, language: str) -> list[str]:
    """Return a document's code blocks in a language, unchanged."""
    text = (ROOT / document).read_text("utf-8")
    return [code for found, code in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.M) if found == language]


def examples_of(document: str) -> list[str]:
    """Return a document's blocks of `>>>` lines."""
    found = [block for block in blocks(document, "python") if block.startswith(">>>")]
    assert found, f"{document} has no examples"
    return found


def differences(examples: list[str], names: dict[str, Any] | None = None) -> list[str]:
    """Describe where the output differs from the document. `names` are shared with earlier blocks."""
    names = {} if names is None else names
    found = []
    for block in examples:
        for example in doctest.DocTestParser().get_examples(block):
            printed, want = _printed(example.source, names), example.exc_msg or example.want
            if _masked(printed) != _masked(want):
                found.append(f"{example.source}prints {printed!r}, not {want!r}")
    return found


def _printed(source: str, names: dict[str, Any]) -> str:
    """Return the output of a line as the interactive prompt prints it, or the last line of a traceback."""
    out = io.StringIO()
    try:
        with redirect_stdout(out):
            exec(compile(source, "<docs>", "single"), names)
    except Exception as error:
        return f"{type(error).__name__}: {error}\n"
    return out.getvalue()


def _masked(printed: str) -> str:
    with suppress(SyntaxError, ValueError):
        printed = repr(ast.literal_eval(printed))  # on one line, where the document has one line per key
    return TIME.sub("TIME", printed).strip()


@pytest.mark.usefixtures("after_the_story")
def test_the_readme_is_correct() -> None:
    assert differences(examples_of("README.md")) == []


@pytest.mark.usefixtures("after_the_story")
def test_the_quickstart_is_correct(tmp_path: Path) -> None:
    """With the receiver started by the documented command, on a free port instead of the documented one."""
    (receiver,) = (block for block in blocks("docs/quickstart.md", "python") if not block.startswith(">>>"))
    (received,) = blocks("docs/quickstart.md", "text")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = str(free.getsockname()[1])
    (tmp_path / "receiver.py").write_text(receiver.replace(PORT_IN_THE_DOCS, port))
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    page = ROOT / "docs/quickstart.md"
    (typed,) = (
        block.code for block in markdown.blocks(page) if "tests/end_to_end/test_docs.py" in block.run_by.values()
    )
    printed = {name: os.environ[name] for name in ("DTMF_URL", "DTMF_TOKEN")}
    command = ["bash", "-c", "exec env " + typed.removeprefix("$ ")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment(**printed), **pipes) as process:
        try:
            _wait_for(int(port))
            assert (
                differences([block.replace(PORT_IN_THE_DOCS, port) for block in examples_of("docs/quickstart.md")])
                == []
            )
        finally:
            process.terminate()
            lines = process.communicate()[0].splitlines()
    assert lines[0] + "\n" == received


def _wait_for(port: int) -> None:
    for _ in range(2_000):
        with closing(socket.socket()) as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.01)
    raise AssertionError("the receiver does not listen")


def test_the_billing_examples_are_correct() -> None:
    assert differences(examples_of("docs/internals/billing.md")) == []
