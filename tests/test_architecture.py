"""The rules of the tree: allowed imports, sizes, docstrings, and forbidden content.

    cli ─▶ server ─▶ asgi ─▶ api  web  callbacks ─▶ http ─▶ runtime ─▶ operations ─▶ storage ─▶ core ─▶ dtmf.{codes,e164,webhook}
                └─▶ workers ─▶ carriers  payments  webhooks ─▶ core

Imports point right, siblings never import each other, and neither `dtmf` nor `dtmf_mcp` imports `dtmf_server`.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES = 400
FUNCTION_LINES = 50

CLIENT = {"dtmf.codes", "dtmf.e164", "dtmf.webhook"}
BELOW_CORE = CLIENT | {"dtmf_server"}  # every module may import its version
CORE = BELOW_CORE | {"core"}
STORAGE = CORE | {"storage"}
OPERATIONS = STORAGE | {"operations"}
PROCESS = {"config", "runtime"}  # the parts of a process, for its outer layers
EDGES = {"carriers", "payments", "webhooks"}
HTTP = OPERATIONS | PROCESS | {"http"}
SITES = {"api", "web"}
SERVER = HTTP | EDGES | SITES | {"asgi", "callbacks", "event_loop", "workers"}
MAY_IMPORT = {
    "dtmf": CLIENT | {"dtmf"},
    "dtmf_server": set[str](),
    "event_loop": set[str](),
    "core": BELOW_CORE,
    "storage": CORE,
    "operations": STORAGE,
    **dict.fromkeys(EDGES, CORE),
    "carriers": CORE | {"config"},  # each kind of carrier has settings
    "payments": CORE | {"config"},  # and each kind of Lightning node
    "webhooks": CORE | {"event_loop", "runtime"},
    "config": CORE,
    "runtime": OPERATIONS,
    "http": OPERATIONS | PROCESS,
    **dict.fromkeys(SITES, HTTP),
    "callbacks": OPERATIONS | {"carriers", "http", "runtime"},  # of carriers only base, the capabilities
    "asgi": HTTP | SITES | {"callbacks"},
    "workers": OPERATIONS | PROCESS | EDGES,
    "server": SERVER,
    "cli": SERVER | {"server"},
    "__main__": {"cli"},
}
# The inner layers get time, ids and randomness as arguments, and use only the database.
IMPURE = {"time", "random", "secrets", "uuid", "os", "subprocess", "tempfile", "threading", "asyncio"}
IMPURE |= {"socket", "ssl", "select", "http", "urllib.request", "aiohttp", "httpx2", "httpcore2"}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
TEXTS = {".py", ".md", ".toml", ".txt", ".sql", ".html", ".css", ".js", ".yml", ""}


@dataclass(frozen=True)
class File:
    """A file of the tree, with its path from the root and its text."""

    path: str
    text: str

    @property
    def module(self) -> str:
        parts = Path(self.path).with_suffix("").parts
        return ".".join(parts[parts.index("src") + 1 :]).removesuffix(".__init__")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def at(self, line: int, complaint: str) -> str:
        return f"{self.path}:{line}: {complaint}"


def files(*places: str, suffixes: Iterable[str] = (".py",)) -> list[File]:
    found = [path for place in places for path in [ROOT / place, *sorted((ROOT / place).rglob("*"))]]
    others = {"vendor", "node_modules"}
    kept = [path for path in found if path.is_file() and path.suffix in suffixes and not others & set(path.parts)]
    return [File(str(path.relative_to(ROOT)), path.read_text()) for path in kept]


def imports(file: File, nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Iterate over the imports with line and full name: package.module or package.module.name."""
    package = file.module.split(".") if file.path.endswith("__init__.py") else file.module.split(".")[:-1]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def unit(name: str) -> str:
    """Return the part of the project that a module belongs to."""
    top, _, rest = name.partition(".")
    below = rest.split(".")[0]
    if top == "dtmf":
        return f"dtmf.{below}" if f"dtmf.{below}" in CLIENT else "dtmf"
    return below if below and not below.startswith("__v") else top


def arrows(file: File) -> Iterator[str]:
    own = unit(file.module).split(".")[0]
    if file.module.split(".")[0] == "dtmf_mcp":  # another user of the client
        own = "dtmf"
    if own not in MAY_IMPORT:
        yield file.at(
            1, f"`{own}` is new: give it a line in MAY_IMPORT of tests/test_architecture.py, or move it into a package"
        )
        return
    for line, name in imports(file, ast.walk(file.tree)):
        if own == "callbacks" and unit(name) == "carriers" and not name.startswith("dtmf_server.carriers.base."):
            yield file.at(line, f"`{own}` may not import {name}: it knows what carriers can do, not which there are")
        if name.split(".")[0] in ("dtmf", "dtmf_server") and unit(name) not in MAY_IMPORT[own] | {own}:
            yield file.at(
                line, f"`{own}` may not import {name}: imports point right. Pass it in, or move what is shared"
            )


def purity(file: File) -> Iterator[str]:
    if unit(file.module) not in ("core", "operations"):
        return
    for line, name in imports(file, ast.walk(file.tree)):
        if any(name == impure or name.startswith(f"{impure}.") for impure in IMPURE):
            yield file.at(line, f"imports {name}: time, ids, randomness and I/O come from the server or a worker")
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today"):
            of = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if of in ("datetime", "date"):
                yield file.at(node.lineno, f"{of}.{node.attr}: the time comes as an argument")


def length(file: File) -> Iterator[str]:
    count = len(file.text.splitlines())
    if count > FILE_LINES:
        yield file.at(FILE_LINES + 1, f"{count} lines, at most {FILE_LINES}: cut it where its parts have names")
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES:
                yield file.at(node.lineno, f"{node.name} has {count} lines, at most {FUNCTION_LINES}: name its steps")


def docstrings(file: File) -> Iterator[str]:
    """Require docstrings for public functions, classes, and methods of classes that don't inherit descriptions."""
    for holder in [file.tree, *(node for node in file.tree.body if isinstance(node, ast.ClassDef) and not node.bases)]:
        if isinstance(holder, ast.ClassDef) and holder.name.startswith("_"):
            continue
        for node in holder.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            repeats = any(re.search(r"\b(overload|setter)$", ast.unparse(mark)) for mark in node.decorator_list)
            if not node.name.startswith("_") and not repeats and not ast.get_docstring(node):
                yield file.at(node.lineno, f"{node.name} is public and has no docstring: describe what it does")


def prints(file: File) -> Iterator[str]:
    if {"cli", "__main__"} & set(file.module.split(".")):
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield file.at(node.lineno, "print: log it, or let the command line say it")


def unfinished(file: File) -> Iterator[str]:
    for line, text in enumerate(file.text.splitlines(), 1):
        if found := UNFINISHED.search(text):
            yield file.at(line, f"{found[0]}: finish it, or open an issue")


IGNORES = (
    (r"type:\s*ignore", r"type: ignore\[[a-z-]+(, ?[a-z-]+)*\]\s+# \S.{2}", "type: ignore[code]  # reason"),
    (r"noqa", r"noqa: ?[A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*\s+[#-] \S.{2}", "noqa: CODE  # reason"),
)


def ignores(file: File) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        for mark, whole, form in IGNORES if token.type == tokenize.COMMENT else ():
            if re.match(rf"#\s*(ruff:\s*)?{mark}", token.string) and not re.search(whole, token.string):
                yield file.at(token.start[0], f"an ignore without code or reason: write `# {form}`")


def skips(file: File) -> Iterator[str]:
    for node in ast.walk(file.tree):
        name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if re.fullmatch(r"(pytest|unittest|pytest\.mark)\.(skip\w*|xfail|importorskip|Skip\w*|expectedFailure)", name):
            yield file.at(node.lineno, f"{name}: make it pass, or take it out")


def hosts(file: File) -> Iterator[str]:
    for line, text in enumerate(file.text.splitlines(), 1):
        if "://" in text or re.match(r"\s*-(?!-hash=)", text):  # an option: only hashes are allowed
            yield file.at(line, "a requirement file says what, not from where: take the address out")


PACKAGES = [f"packages/{name}" for name in ("dtmf-io", "dtmf-mcp", "dtmf-server")]
SRC = files(*(f"{package}/src" for package in PACKAGES))
TESTS = files("conftest.py", "tests", *(f"{package}/tests" for package in PACKAGES))
CODE = [*SRC, *TESTS, *files("proofs", "benchmarks", "examples")]
EVERYTHING = [
    *files("packages", "tests", "proofs", "benchmarks", "examples", "docs", "requirements", ".ci", suffixes=TEXTS)
]
EVERYTHING += files("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml", suffixes=TEXTS)
Check = Callable[[File], Iterator[str]]
CHECKS: dict[Check, list[File]] = {
    arrows: SRC,
    purity: SRC,
    length: CODE,
    docstrings: SRC,
    prints: SRC,
    unfinished: EVERYTHING,
    ignores: CODE,
    skips: TESTS,
    hosts: files("requirements", suffixes={".txt"}),
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_tree_is_tidy(check):
    assert CHECKS[check], "nothing to check: the folders have moved"
    complaints = [complaint for file in CHECKS[check] for complaint in check(file)]
    assert not complaints, "\n" + "\n".join(complaints)


def cycle(among: list[File]) -> list[str]:
    """Return the modules of an import cycle, or nothing."""
    modules = {file.module: file for file in among}
    needs: dict[str, set[str]] = {}
    for file in among:
        names = [name for _, name in imports(file, file.tree.body)]
        found = (name if name in modules else name.rpartition(".")[0] for name in names)
        needs[file.module] = {name for name in found if name in modules and name != file.module}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_there_are_no_import_cycles():
    assert cycle(SRC) == [], "move the code that two of these share into its own module"


def test_the_allowed_imports_have_no_cycle():
    TopologicalSorter({name: right - {name} for name, right in MAY_IMPORT.items()}).prepare()


@pytest.mark.parametrize(
    ("check", "path", "text", "complaint"),
    [
        (arrows, "src/dtmf/x.py", "\nimport dtmf_server", ":2: `dtmf` may not import dtmf_server"),
        (arrows, "src/dtmf/x.py", "def f():\n from dtmf_server import core", ":2:"),
        (arrows, "src/dtmf_server/core/x.py", "from dtmf_server.storage import db", ":1:"),
        (
            arrows,
            "src/dtmf_server/core/x.py",
            "from ..storage.db import Tx",
            "dtmf_server.storage.db.Tx",
        ),
        (
            arrows,
            "src/dtmf_server/core/__init__.py",
            "from .. import storage",
            "dtmf_server.storage",
        ),
        (arrows, "src/dtmf_server/core/x.py", "from dtmf import DTMF", "dtmf.DTMF"),
        (
            arrows,
            "src/dtmf_server/operations/x.py",
            "import dtmf_server.config",
            "dtmf_server.config",
        ),
        (
            arrows,
            "src/dtmf_server/storage/x.py",
            "import dtmf_server.operations.rent",
            "`storage` may not",
        ),
        (arrows, "src/dtmf_server/web/x.py", "from dtmf_server.api import app", "`web` may not"),
        (
            arrows,
            "src/dtmf_server/carriers/smpp/x.py",
            "import dtmf_server.storage.db",
            "`carriers` may not",
        ),
        (
            arrows,
            "src/dtmf_server/workers/x.py",
            "from dtmf_server.server import process",
            "`workers` may not",
        ),
        (arrows, "src/dtmf_server/callbacks/x.py", "from dtmf_server.carriers import registry", "`callbacks` may not"),
        (arrows, "src/dtmf_server/callbacks/x.py", "from dtmf_server.api import problems", "`callbacks` may not"),
        (arrows, "src/dtmf_server/odds.py", "", "`odds` is new"),
        (purity, "src/dtmf_server/core/x.py", "from time import time", "imports time.time"),
        (
            purity,
            "src/dtmf_server/operations/x.py",
            "def f():\n import os.path",
            ":2: imports os.path",
        ),
        (
            purity,
            "src/dtmf_server/core/x.py",
            "import datetime\ndatetime.datetime.now()",
            ":2: datetime.now",
        ),
        (
            purity,
            "src/dtmf_server/core/x.py",
            "from datetime import date\ndate.today()",
            ":2: date.today",
        ),
        (length, "src/dtmf/x.py", "\n" * 401, ":401: 401 lines"),
        (length, "src/dtmf/x.py", "async def f():\n" + " x\n" * 50, ":1: f has 51 lines"),
        (docstrings, "src/dtmf/x.py", "\ndef f(): pass", ":2: f is public"),
        (docstrings, "src/dtmf/x.py", "class C:\n 'doc'\n def m(self): pass", ":3: m is public"),
        (prints, "src/dtmf/x.py", "def f():\n print(1)", ":2: print"),
        (unfinished, "docs/x.md", "a\nTO" + "DO: b", ":2: TO" + "DO"),
        (ignores, "src/dtmf/x.py", "a = 1  # type: " + "ignore", ":1: an ignore without code"),
        (ignores, "src/dtmf/x.py", "a = 1  # type: " + "ignore[misc]", ":1:"),
        (ignores, "src/dtmf/x.py", "a = 1  # no" + "qa: S101", ":1:"),
        (ignores, "src/dtmf/x.py", "# ruff: no" + "qa", ":1:"),
        (skips, "tests/x.py", "import pytest\npytest.sk" + "ip('x')", ":2: pytest.sk" + "ip"),
        (skips, "tests/x.py", "@pytest.mark.xf" + "ail\ndef test(): pass", ":1: pytest.mark.xf" + "ail"),
        (hosts, "requirements/x.txt", "a==1\n--index" + "-url x", ":2:"),
        (hosts, "requirements/x.txt", "a @ https://example.org/a.whl", ":1:"),
    ],
)
def test_each_check_detects_its_violation(check, path, text, complaint):
    assert any(complaint in found and found.startswith(f"{path}:") for found in check(File(path, text)))


def test_an_import_cycle_is_detected():
    ring = [
        File("src/dtmf/a.py", "from . import b"),
        File("src/dtmf/b.py", "from dtmf.a import x"),
    ]
    assert set(cycle(ring)) == {"dtmf.a", "dtmf.b"}
    assert cycle([ring[0], File("src/dtmf/b.py", "def f():\n from dtmf.a import x")]) == []


def test_a_tidy_file_passes_every_check():
    text = (
        '"""M."""\nfrom dtmf_server.core import money\n\n\ndef f():\n    """F."""\n    g()  # type: '
        + "ignore[misc]  # why\n"
    )
    tidy = File("src/dtmf_server/storage/x.py", text)
    assert [complaint for check in CHECKS for complaint in check(tidy)] == []
