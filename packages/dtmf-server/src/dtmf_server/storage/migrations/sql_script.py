"""The frozen SQL of a migration, for both engines: statements separated by a semicolon and an empty line.

Statements are PostgreSQL's. SQLite has other types for keys and bytes; five rules translate them:
    BIGSERIAL NOT NULL CONSTRAINT … PRIMARY KEY    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT: no ID is reused
    BIGSERIAL                                      INTEGER
    SMALLSERIAL                                    SMALLINT
    BYTEA                                          BLOB
    BIGINT of a column that references an id       INTEGER A statement that begins with `-- sqlite` or `-- postgresql`
is only for that engine, and runs unchanged.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from alembic import op

from dtmf_server.storage.dialect import translator

_ENGINES = ("sqlite", "postgresql")
_REFERS_TO_ID = re.compile(r"FOREIGN KEY\((\w+)\) REFERENCES \w+ \(id\)")
_TYPES = {
    r"\bBIGSERIAL NOT NULL CONSTRAINT \w+ PRIMARY KEY\b": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    r"\bBIGSERIAL\b": "INTEGER",
    r"\bSMALLSERIAL\b": "SMALLINT",
    r"\bBYTEA\b": "BLOB",
}


def run(migration: str) -> None:
    """Run the statements of the .sql file beside a migration, given by its `__file__`."""
    connection = op.get_bind()
    text = Path(migration).with_suffix(".sql").read_text(encoding="utf-8")
    for statement in statements(text, connection.dialect.name):
        connection.exec_driver_sql(statement.replace("%", "%%"))


def statements(text: str, engine: str) -> Iterator[str]:
    """Yield the statements for this engine, in its syntax."""
    for statement in text.split(";\n\n"):
        whose, _, rest = statement.partition("\n")
        if whose.removeprefix("-- ") not in _ENGINES:
            shared = statement.strip().removesuffix(";")
            yield _for_sqlite(shared) if engine == "sqlite" else shared
        elif whose == f"-- {engine}":
            yield rest.strip().removesuffix(";")


def _for_sqlite(statement: str) -> str:
    references = {rf"\b{column} BIGINT\b": f"{column} INTEGER" for column in _REFERS_TO_ID.findall(statement)}
    return translator(_TYPES | references)(statement)
