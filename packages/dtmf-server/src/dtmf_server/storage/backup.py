"""Backups: every table in one consistent read, in one portable file for both engines.

The file is gzip. Its first line identifies the format; each table's name and columns are followed by its rows, one JSON
array per line; the last line has the row count, so a truncated file is never restored. gzip's checksum is at the end,
so a file is read completely once before any of it is trusted. A restore is one transaction into an empty database: if
it is killed at any point, nothing has changed.
"""

import gzip
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
from sqlalchemy import Boolean, LargeBinary, Table

from dtmf_server.storage import schema
from dtmf_server.storage.db import Tx
from dtmf_server.storage.files import new_file

FORMAT = "dtmf backup 1"
PAGE = 2000
# The first bytes of every file from `write`. No checksum covers them, so no other value is accepted.
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"

_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


class NotABackup(Exception):
    """The file is not a complete backup of this service."""


def write(tx: Tx, path: Path, *, revision: str) -> int:
    """Write a backup and return the number of rows. The file appears under its name only once it is complete and on
    disk; only its owner can read it. Raises FileExistsError if the name is taken."""
    rows = 0
    with (
        new_file(path) as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as file,
    ):
        _line(file, {"format": FORMAT, "revision": revision})
        for table in schema.metadata.sorted_tables:
            columns = [str(column.name) for column in table.columns]
            _line(file, {"table": str(table.name), "columns": columns})
            for row in _rows(tx, table):
                _line(file, [row[column] for column in columns])
                rows += 1
        _line(file, {"rows": rows})
    return rows


def begins_like_one(path: Path) -> bool:
    """Return True if the file begins like a backup; the rest is not read."""
    with path.open("rb") as raw:
        return raw.read(len(_GZIP_HEAD)) == _GZIP_HEAD


def revision_of(path: Path) -> str:
    """Return the schema revision of the backup. Raises NotABackup if any byte of the file was changed."""
    with path.open("rb") as raw:
        if raw.read(len(_GZIP_HEAD)) != _GZIP_HEAD:
            raise NotABackup(f"{path} is not a backup of this service")
    with _opened(path) as file:
        try:
            while file.read(1 << 20):
                pass
        except _DAMAGE as error:
            raise NotABackup(f"{path} is damaged or was cut short ({error})") from error
    with _opened(path) as file:
        return str(_header(file, path)["revision"])


def read(tx: Tx, path: Path) -> int:
    """Restore a backup into a database that has only its empty tables. Return the number of rows. Raises NotABackup."""
    refuse_in_use(tx)
    tx.run("DELETE FROM accounts")  # the system accounts, which the backup contains too
    tables = {table.name: table for table in schema.metadata.sorted_tables}
    table, columns, batch, rows = None, (), list[tuple[Any, ...]](), 0
    with _opened(path) as file:
        _header(file, path)
        lines = _lines(file, path)
        for line in lines:
            if isinstance(line, list):
                batch.append(tuple(line))
                rows += 1
                if len(batch) < PAGE:
                    continue
            if table is not None:
                tx.insert(table, columns, _as_columns_want(table, columns, batch))
                batch = []
            if isinstance(line, dict) and "rows" in line:
                if line["rows"] != rows:
                    raise NotABackup(f"{path} has {rows} rows, but its last line says {line['rows']}")
                if next(lines, None) is not None:
                    raise NotABackup(f"{path} has data after its last line")
                tx.resync_sequences(list(tables.values()))
                return rows
            if isinstance(line, dict):
                if line.get("table") not in tables:
                    raise NotABackup(f"{path} has a table {line.get('table')!r}, which this service does not have")
                table, columns = tables[line["table"]], tuple(line.get("columns", ()))
                if not columns or not {*columns} <= {str(column.name) for column in table.columns}:
                    raise NotABackup(f"{path} has columns of {table.name} that this service does not have: {columns}")
    raise NotABackup(f"{path} was cut short: it has no last line")


def refuse_in_use(tx: Tx) -> None:
    """Raise NotABackup if the database already belongs to a service."""
    if tx.one("SELECT 1 FROM service") is not None:
        raise NotABackup("this database is in use: a backup can only be restored into an empty one")


def _rows(tx: Tx, table: Table) -> Iterator[Any]:
    """Yield a table's rows in the order of its key, read in pages."""
    keys = [str(column.name) for column in table.primary_key.columns]
    order = ", ".join(keys)
    after: dict[str, Any] = {}
    while True:
        marks = ", ".join(f":{key}" for key in keys)
        where = f" WHERE ({order}) > ({marks})" if after else ""
        rows = tx.all(f"SELECT * FROM {table.name}{where} ORDER BY {order} LIMIT {PAGE}", **after)
        yield from rows
        if len(rows) < PAGE:
            return
        after = {key: rows[-1][key] for key in keys}


def _as_columns_want(table: Table, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Convert the values that JSON and SQLite have no type for: bytes are base64, SQLite's booleans are 0 and 1."""
    wants = [_WANTS.get(type(table.c[column].type)) for column in columns]
    if not any(wants):
        return rows
    return [
        tuple(value if want is None or value is None else want(value) for want, value in zip(wants, row, strict=True))
        for row in rows
    ]


_DAMAGE = (OSError, EOFError, zlib.error, msgspec.DecodeError)
_WANTS: dict[type, Callable[[Any], Any]] = {LargeBinary: b64decode, Boolean: bool}


def _line(file: IO[bytes] | gzip.GzipFile, value: Any) -> None:
    file.write(_encode(value) + b"\n")


def _opened(path: Path) -> gzip.GzipFile:
    return gzip.open(path, "rb")


def _header(file: gzip.GzipFile, path: Path) -> dict[str, Any]:
    try:
        header = _decode(file.readline())
    except _DAMAGE as error:
        raise NotABackup(f"{path} is not a backup of this service") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT or "revision" not in header:
        raise NotABackup(f"{path} is not a backup of this service, or of a newer one")
    return header


def _lines(file: gzip.GzipFile, path: Path) -> Iterator[Any]:
    try:
        for line in file:
            yield _decode(line)
    except _DAMAGE as error:
        raise NotABackup(f"{path} is damaged or was cut short ({error})") from error
