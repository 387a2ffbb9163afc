"""The migrations create exactly the tables, checks, indexes and triggers that `schema/` defines."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy

from dtmf_server.operations import verify
from dtmf_server.storage import migrate, schema, schema_revision
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database
from postgres import drop_database, fresh_database

Parts = dict[str, list[str]]  # name of a table, index, trigger or function → its parts

POSTGRESQL = {
    "column": "SELECT table_name AS thing, concat_ws(' ', column_name, data_type, is_nullable, column_default) AS part"
    " FROM information_schema.columns WHERE table_schema = 'public'",
    "constraint": "SELECT conrelid::regclass::text AS thing, conname || ' ' || pg_get_constraintdef(oid) AS part"
    " FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "index": "SELECT tablename AS thing, indexdef AS part FROM pg_indexes WHERE schemaname = 'public'",
    "trigger": "SELECT tgrelid::regclass::text AS thing, pg_get_triggerdef(oid) AS part FROM pg_trigger"
    " WHERE NOT tgisinternal",
    "function": "SELECT proname::text AS thing, pg_get_functiondef(oid) AS part FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace",
    "sequence": "SELECT sequencename::text AS thing, concat_ws(' ', data_type, start_value, increment_by) AS part"
    " FROM pg_sequences",
}


def parts_of(definition: str) -> list[str]:
    """Return a table's columns and constraints, or the words of any other statement, normalised."""
    plain = re.sub(r"\s+", " ", definition.replace('"', "")).strip()
    # SQLite adds a column with its foreign key only as one definition.
    plain = re.sub(r"(\w+) (\w+) (CONSTRAINT fk_\w+) (REFERENCES \w+ \(id\))", r"\1 \2, \3 FOREIGN KEY(\1) \4", plain)
    head, bracket, rest = plain.partition(" (")
    if not head.startswith("CREATE TABLE") or not bracket:
        return [plain]
    body, _, options = rest.rpartition(")")
    found, depth, start = [], 0, 0
    for at, letter in enumerate(body):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            found.append(body[start:at].strip())
            start = at + 1
    return sorted([head, *found, body[start:].strip(), options.strip()])


def described(tx: Tx, *, engine: str) -> Parts:
    """Return all of the database's definitions, except for Alembic's own table."""
    found: Parts = {}
    if engine == "sqlite":
        for row in tx.all("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
            found[f"{row['type']} {row['name']}"] = parts_of(row["sql"])
    else:
        for kind, statement in POSTGRESQL.items():
            for row in tx.all(statement):
                found.setdefault(f"{kind} of {row['thing']}", []).append(" ".join(row["part"].split()))
    return {name: sorted(parts) for name, parts in found.items() if "alembic_version" not in name}


@contextmanager
def empty_database(engine: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the URL of an empty database."""
    if engine == "sqlite":
        yield f"sqlite:///{folder / 'fresh.db'}"
        return
    server = request.getfixturevalue("postgres_url")
    url = fresh_database(server)
    yield url
    drop_database(server, url)


def create_all(url: str) -> None:
    """Create the tables from the metadata, without migrations."""
    engine = sqlalchemy.create_engine(migrate._driver_url(url), poolclass=sqlalchemy.pool.NullPool)
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        for statement in append_only_triggers(engine.dialect.name):
            connection.exec_driver_sql(statement.replace("%", "%%"))
    engine.dispose()


def description(url: str) -> Parts:
    """Return the definitions of the database at this URL."""
    with closing(open_database(url)) as db:
        return db.read_blocking(partial(described, engine=db.dialect.name))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_migrated_schema_is_the_one_the_code_describes(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with empty_database(engine, tmp_path, request) as fresh:
        create_all(fresh)
        expected = description(fresh)
    (tmp_path / "migrated").mkdir()
    with empty_database(engine, tmp_path / "migrated", request) as migrated:
        migrate.upgrade(migrated)
        found = description(migrated)
    assert found == expected
    everything = "\n".join(part for parts in found.values() for part in parts)
    # The comparison must have covered each kind of object, or it proves nothing.
    for seen in ("CHECK (", "ck_accounts_balance", "WHERE", "append-only", "transfers_append_only", "REFERENCES"):
        assert seen in everything, seen


@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX ix_accounts_depletes",
        "CREATE INDEX one_more ON accounts (balance)",
        "ALTER TABLE accounts ADD COLUMN extra BIGINT",
        "DROP TRIGGER {trigger}",
    ],
)
def test_the_comparison_detects_a_difference(database_url: str, change: str) -> None:
    before = description(database_url)
    sqlite = database_url.startswith("sqlite")
    statement = change.format(
        trigger="transfers_append_only_update" if sqlite else "transfers_append_only ON transfers"
    )
    with closing(open_database(database_url)) as db:
        db.write_blocking(lambda tx: tx.run(statement))
    assert description(database_url) != before


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    before = description(database_url)
    assert migrate.current(database_url) == migrate.head()
    migrate.upgrade(database_url)
    assert description(database_url) == before
    with closing(open_database(database_url)) as db:
        assert db.read_blocking(verify.differences) == []


def test_the_newest_revision_is_known_without_alembic(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    assert schema_revision.newest() == migrate.head()
    for engine in ("sqlite", "postgresql"):
        with empty_database(engine, tmp_path, request) as url:
            assert not schema_revision.is_newest(url)
            migrate.upgrade(url, "0016")
            assert not schema_revision.is_newest(url)
            migrate.upgrade(url)
            assert schema_revision.is_newest(url)


def test_a_file_that_cannot_be_read_has_no_revision(tmp_path: Path) -> None:
    missing, damaged, directory = tmp_path / "missing?#%.db", tmp_path / "damaged.db", tmp_path / "directory"
    damaged.write_bytes(b"not a database" * 1000)
    directory.mkdir()
    for path in (missing, damaged, directory):
        assert not schema_revision.is_newest(f"sqlite:///{path}")
    assert not missing.exists()


def test_a_migration_that_fails_halfway_changes_nothing(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in ("sqlite", "postgresql"):
        with empty_database(engine, tmp_path, request) as url:
            monkeypatch.setattr(migrate.command, "upgrade", partial(_upgrade_and_fail, migrate.command.upgrade))
            with pytest.raises(RuntimeError, match="after the last statement"):
                migrate.upgrade(url)
            monkeypatch.undo()
            assert migrate.current(url) is None
            assert description(url) == {}
            migrate.upgrade(url)
            assert migrate.current(url) == migrate.head()


def _upgrade_and_fail(upgrade: object, *arguments: object) -> None:
    assert callable(upgrade)
    upgrade(*arguments)
    raise RuntimeError("after the last statement")


_APPEND_ONLY = ("transfers", "minute_bookings", "operator_actions", "rental_prices")


def append_only_triggers(dialect_name: str) -> list[str]:
    """Return the statements that make the books append-only."""
    if dialect_name == "sqlite":
        return [
            f"CREATE TRIGGER {table}_append_only_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for table in _APPEND_ONLY
            for verb in ("UPDATE", "DELETE")
        ]
    refuse = (
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    return [refuse] + [
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for table in _APPEND_ONLY
    ]
