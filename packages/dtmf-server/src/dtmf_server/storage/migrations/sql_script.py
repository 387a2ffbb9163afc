"""The frozen SQL of a migration, for both engines: statements separated by a semicolon and an empty line.

What the engines spell differently is marked:
    @ID @ONE     the key of a table, and of one that has a single row
    @ID(name)    one that never gives an id again, whatever became of its row; `name` is its constraint
    @REF @BYTES  a column that refers to such a key, and one of octets
A statement that begins with `-- sqlite` or `-- postgresql` is for that engine alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from alembic import op

_SPELLED = {
    "sqlite": {
        r"@ID\((\w+)\)": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
        "@ID": "INTEGER NOT NULL",
        "@ONE": "SMALLINT NOT NULL",
        "@REF": "INTEGER",
        "@BYTES": "BLOB",
    },
    "postgresql": {
        r"@ID\((\w+)\)": r"BIGSERIAL NOT NULL CONSTRAINT \1 PRIMARY KEY",
        "@ID": "BIGSERIAL NOT NULL",
        "@ONE": "SMALLSERIAL NOT NULL",
        "@REF": "BIGINT",
        "@BYTES": "BYTEA",
    },
}


def run(migration: str) -> None:
    """Runs the statements beside a migration, given by its `__file__`."""
    connection = op.get_bind()
    text = Path(migration).with_suffix(".sql").read_text(encoding="utf-8")
    for statement in statements(text, connection.dialect.name):
        connection.exec_driver_sql(statement.replace("%", "%%"))


def statements(text: str, engine: str) -> Iterator[str]:
    """Those for this engine, as it spells them."""
    for mark, spelled in _SPELLED[engine].items():
        text = re.sub(mark, spelled, text)
    for statement in text.split(";\n\n"):
        whose, _, rest = statement.partition("\n")
        if whose.removeprefix("-- ") not in _SPELLED:
            yield statement.strip().removesuffix(";")
        elif whose == f"-- {engine}":
            yield rest.strip().removesuffix(";")
