"""Every file and identifier named in a document, docstring or comment exists."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache

import pytest

from support.paths import ROOT

# Decisions and the changelog are history: names in them may be gone.
PAGES = [path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "decisions"]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES])
FOLDERS = ["packages", "tests", "benchmarks", "proofs", "examples", "tools", "requirements"]
CODE = {".py", ".sql", ".html", ".js", ".mjs", ".css", ".toml", ".txt", ".sh", ".yml", ".cfg", ""}
FILE = re.compile(r"(?<![\w/.~-])((?:[\w.-]+/)*[\w-]+\.(?:py|md|sql|html))(?![\w/])")
IDENTIFIER = re.compile(r"`([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)(?:\(\))?`")
# External files: of a reader's project, of Python, of an SMSC, of Bitcoin Core.
ELSEWHERE = {"rpcauth.py", "MAP.md", "receiver.py"}
# From HTTP and Android, and settings' names in the environment.
NOT_OURS = {
    *("HttpOnly", "SameSite", "RESULT_ERROR_LIMIT_EXCEEDED"),
    *("DTMF_DATABASE__URL_FILE", "DTMF_CARRIER__0__SIGNING_KEY"),
    *("DTMF_LIGHTNING__PASSWORD", "DTMF_LIGHTNING__RUNE", "DTMF_LIGHTNING__RUNE_FILE"),
    *("DTMF_LIGHTNING__INVOICE_KEY", "DTMF_LIGHTNING__INVOICE_KEY_FILE"),
}


@cache
def paths() -> tuple[str, ...]:
    """Return every file of the project, relative to the root."""
    found = [path for folder in [*FOLDERS, "docs"] for path in (ROOT / folder).rglob("*") if path.is_file()]
    found += [path for path in ROOT.iterdir() if path.is_file()]
    return tuple("/" + path.relative_to(ROOT).as_posix() for path in found if "node_modules" not in path.parts)


@cache
def words() -> frozenset[str]:
    """Return every word in the code."""
    found = set[str]()
    for path in paths():
        file = ROOT / path[1:]
        if file.suffix in CODE and not path.startswith("/docs/") and path != "/tests/test_names.py":
            found |= set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", file.read_text("utf-8", errors="replace")))
    return frozenset(found)


def prose(path: str) -> Iterator[tuple[int, str]]:
    """Iterate over the docstrings and comments of a module, with their first lines."""
    text = (ROOT / path[1:]).read_text("utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            described = ast.get_docstring(node)
            if described:
                yield getattr(node, "lineno", 1), described
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def unknown(text: str) -> Iterator[str]:
    """Iterate over names in a text that don't exist in the project."""
    for name in FILE.findall(text):
        tail = "/" + name.replace("../", "")
        if name.rpartition("/")[2] not in ELSEWHERE and not any(path.endswith(tail) for path in paths()):
            yield name
    for name in IDENTIFIER.findall(text):
        if FILE.fullmatch(name):
            continue
        for part in name.split("."):
            if ("_" in part.strip("_") or re.search(r"[a-z][A-Z]", part)) and part not in words() | NOT_OURS:
                yield name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_names_in_documents_exist(document):
    lines = enumerate(document.read_text("utf-8").splitlines(), 1)
    assert [f"{document.name}:{line}: {name}" for line, text in lines for name in unknown(text)] == []


def test_names_in_docstrings_and_comments_exist():
    modules = [path for path in paths() if path.endswith(".py") and not path.startswith("/docs/")]
    found = [f"{path}:{line}: {name}" for path in modules for line, text in prose(path) for name in unknown(text)]
    assert found == []


def test_missing_names_are_detected():
    assert [*unknown("see no_such_file.py and `no_such_name` and storage/wakeups.py and `wakeups.no_such_thing`")] == [
        "no_such_file.py",
        "no_such_name",
        "wakeups.no_such_thing",
    ]
