"""Statements are written in PostgreSQL's SQL: PostgreSQL prepares them as written, and four rules translate for SQLite."""

import ast
import importlib
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import psycopg
import pytest

import dtmf_server
from dtmf_server.storage import schema
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.postgresql.dialect import PostgreSQL
from dtmf_server.storage.sqlite.dialect import SQLite

ROOT = Path(dtmf_server.__file__).parent
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
# Excluded: the SQL that each engine's module writes for itself.
SOURCES = [
    path
    for place in ("storage", "operations")
    for path in sorted((ROOT / place).rglob("*.py"))
    if not {"migrations", "migrate.py", "sqlite", "postgresql"} & set(path.relative_to(ROOT).parts)
]
# Values for the arguments that statements are built from; values that functions compute from them are computed here.
ARGUMENTS: dict[str, Any] = {
    "before": 1,
    "compared": "<",
    "counts": "1 = 1",
    "for_carriers": False,
    "hooked": True,
    "ids": [1],
    "inbound": True,
    "may_be_taken": "state = 'in_doubt'",
    "mined": True,
    "newest_first": True,
    "rental_ids": [1],
    "state": "waiting",
    "table": schema.messages,
    "time": "at_us",
    "unit_us": 1000,
    "wall_us": 1,
    "warnings": 3,
    "after": {"id": 1},
    "where": " WHERE (id) > (:id)",
    "order": "id",
}


def code(node: ast.expr) -> CodeType:
    """Compile the expression."""
    return compile(ast.fix_missing_locations(ast.Expression(node)), "statement", "eval")


def texts(nodes: list[ast.AST]) -> Iterator[ast.expr]:
    """Yield every string at or below these nodes that starts like a statement, except for parts of f-strings."""
    for node in nodes:
        first = node.values[0] if isinstance(node, ast.JoinedStr) else node
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and STATEMENT.match(first.value):
            assert isinstance(node, ast.expr)
            yield node
        elif not isinstance(node, ast.JoinedStr):
            yield from texts(list(ast.iter_child_nodes(node)))


def statements(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the location and text of each statement in a file."""
    module = importlib.import_module(".".join(("dtmf_server", *path.relative_to(ROOT).with_suffix("").parts)))
    for top in ast.parse(path.read_text(encoding="utf-8")).body:
        names = ARGUMENTS | vars(module)
        for node in ast.walk(top):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                with suppress(Exception):  # values read from the database, or not part of a statement
                    names.setdefault(node.targets[0].id, eval(code(node.value), names))
        for node in texts([top]):
            yield f"{path.relative_to(ROOT)}:{node.lineno}", eval(code(node), names)


@cache
def found() -> dict[str, str]:
    """Return the statements of all files by their location."""
    return {place: text for path in SOURCES for place, text in statements(path)}


def prepare(tx: Tx, statement: str) -> None:
    """Let the engine parse a statement without running it. Raises the driver's error."""
    rendered = tx._dialect.render(statement)
    names = dict.fromkeys(re.findall(r"(?<!:):([a-z_][a-z0-9_]*)", SQLite().render(statement)))
    if tx._dialect.name == "sqlite":
        tx._cursor.execute(f"EXPLAIN {rendered}", names)
        return
    for number, name in enumerate(names, 1):
        rendered = rendered.replace(f"%({name})s", f"${number}")
    tx._cursor.execute(f"PREPARE one AS {rendered.replace('%%', '%')}")
    tx._cursor.execute("DEALLOCATE one")


def test_each_engine_prepares_every_statement(db: Database) -> None:
    wrong = {}
    for place, statement in found().items():
        try:
            db.write_blocking(lambda tx, statement=statement: prepare(tx, statement))
        except Exception as error:  # either driver's
            wrong[place] = f"{error}: {statement}"
    assert not wrong, "\n".join(f"{place}: {error}" for place, error in wrong.items())
    assert len(found()) > 200, "the search no longer finds the statements"


def test_an_invalid_statement_is_refused(db: Database) -> None:
    for wrong in ("SELECT id FROM accounts WHERE id IN @ids", "SELECT nothing FROM accounts"):
        with pytest.raises(Exception, match=r"syntax error|unrecognized token|nothing") as caught:
            db.write_blocking(lambda tx, wrong=wrong: prepare(tx, wrong))
        assert isinstance(caught.value, psycopg.Error) == (db.dialect.name == "postgresql")


def test_no_placeholder_marks_are_left() -> None:
    """Statements once contained marks that belong to no SQL dialect."""
    files = [*SOURCES, *ROOT.rglob("*.sql"), *(ROOT / "storage").rglob("*.py")]
    found = [
        f"{path}: {mark}"
        for path in files
        for mark in re.findall(r"@[A-Z]\w*|\bIN @\w+", path.read_text(encoding="utf-8"))
    ]
    assert not found


@pytest.mark.parametrize(
    ("statement", "on_sqlite"),
    [
        ("WHERE id = ANY(:ids)", "WHERE id IN (SELECT value FROM json_each(:ids))"),
        ("WHERE a || ' ' || b <> ALL(:e164s)", "WHERE a || ' ' || b NOT IN (SELECT value FROM json_each(:e164s))"),
        ("WHERE id = :id FOR NO KEY UPDATE", "WHERE id = :id "),
        ("LIMIT :n FOR NO KEY UPDATE SKIP LOCKED", "LIMIT :n "),
        ("THEN nextval('addresses_id_seq') END", "THEN (SELECT coalesce(max(id), 0) + 1 FROM addresses) END"),
        (
            "SELECT 'one''s' FROM a WHERE x = ANY(:xs) AND y = ANY(:ys) FOR NO KEY UPDATE",
            "SELECT 'one''s' FROM a WHERE x IN (SELECT value FROM json_each(:xs))"
            " AND y IN (SELECT value FROM json_each(:ys)) ",
        ),
    ],
)
def test_each_rule_translates_only_for_sqlite(statement: str, on_sqlite: str) -> None:
    assert SQLite().render(statement) == on_sqlite
    assert re.sub(r"%\((\w+)\)s", r":\1", PostgreSQL().render(statement)) == statement


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'id = ANY(:ids)', 'x <> ALL(:xs)'",
        "SELECT 'FOR NO KEY UPDATE', 'FOR NO KEY UPDATE SKIP LOCKED'",
        "SELECT 'nextval(''addresses_id_seq'')', 'it''s :name'",
        'SELECT "FOR NO KEY UPDATE", "= ANY(:ids)" FROM a',
        "SELECT 1 -- = ANY(:ids) FOR NO KEY UPDATE",
        "SELECT x = ANY(ys), x < ALL(ys), currval('addresses_id_seq')",
    ],
)
def test_nothing_else_is_translated(statement: str) -> None:
    assert SQLite().render(statement) == statement
    assert PostgreSQL().render(statement) == statement


def test_postgresql_receives_statements_as_written() -> None:
    """Except for its driver's syntax of parameters and of the percent sign."""
    for place, statement in found().items():
        rendered = PostgreSQL().render(statement)
        assert re.sub(r"%\((\w+)\)s", r":\1", rendered).replace("%%", "%") == statement, place
    assert PostgreSQL().render("SELECT x::text, :x % 2") == "SELECT x::text, %(x)s %% 2"
