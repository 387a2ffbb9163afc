"""A simulated gammu-smsd: tables of the same shape on SQLite and PostgreSQL, and what smsd does to them.

It inserts what a modem receives, moves what it sends from `outbox` to `sentitems`, applies delivery reports, and shows in
`phones` that it is alive. Like smsd 1.42 it writes local time to most columns, here of the zone that it is given.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import psycopg

_CODINGS = ("Default_No_Compression", "Unicode_No_Compression", "8bit", "Default_Compression", "Unicode_Compression")
_SENT = ("SendingOK", "SendingOKNoReport", "SendingError", "DeliveryOK", "DeliveryFailed", "DeliveryPending")
_STATUSES = (*_SENT, "DeliveryUnknown", "Error")
TABLES = ("inbox", "outbox", "outbox_multipart", "phones", "sentitems", "gammu")
COLUMNS: dict[str, dict[str, str]] = {
    "gammu": {"Version": "{number} 0 PRIMARY KEY"},
    "inbox": {
        "UpdatedInDB": "{time}", "ReceivingDateTime": "{time}", "Text": "TEXT NOT NULL", "SenderNumber": "{address}",
        "Coding": "{coding}", "UDH": "TEXT NOT NULL", "SMSCNumber": "{address}", "Class": "{number} -1", "TextDecoded": "{text}",
        "ID": "{id}", "RecipientID": "TEXT NOT NULL", "Processed": "{flag}", "Status": "{number} -1",
    },
    "outbox": {
        "UpdatedInDB": "{time}", "InsertIntoDB": "{time}", "SendingDateTime": "{time}", "SendBefore": "time DEFAULT '23:59:59'",
        "SendAfter": "time DEFAULT '00:00:00'", "Text": "TEXT", "DestinationNumber": "{address}", "Coding": "{coding}",
        "UDH": "TEXT", "Class": "INTEGER DEFAULT -1", "TextDecoded": "{text}", "ID": "{id}", "MultiPart": "{flag}",
        "RelativeValidity": "INTEGER DEFAULT -1", "SenderID": "varchar(255)", "SendingTimeOut": "{time}",
        "DeliveryReport": "varchar(10) DEFAULT 'default' CHECK (\"DeliveryReport\" IN ('default', 'yes', 'no'))",
        "CreatorID": "TEXT NOT NULL", "Retries": "INTEGER DEFAULT 0", "Priority": "INTEGER DEFAULT 0",
        "Status": "{waiting}", "StatusCode": "{number} -1",
    },
    "outbox_multipart": {
        "Text": "TEXT", "Coding": "{coding}", "UDH": "TEXT", "Class": "INTEGER DEFAULT -1", "TextDecoded": "TEXT",
        "ID": "INTEGER", "SequencePosition": "{number} 1", "Status": "{waiting}", "StatusCode": "{number} -1",
    },
    "phones": {
        "ID": "TEXT NOT NULL", "UpdatedInDB": "{time}", "InsertIntoDB": "{time}", "TimeOut": "{time}",
        "Send": "{flag}", "Receive": "{flag}",
        "IMEI": "varchar(35) PRIMARY KEY NOT NULL", "IMSI": "varchar(35) NOT NULL DEFAULT ''",
        "NetCode": "varchar(10) DEFAULT 'ERROR'", "NetName": "varchar(35) DEFAULT 'ERROR'", "Client": "TEXT NOT NULL",
        "Battery": "{number} -1", "Signal": "{number} -1", "Sent": "{number} 0", "Received": "{number} 0",
    },
    "sentitems": {
        "UpdatedInDB": "{time}", "InsertIntoDB": "{time}", "SendingDateTime": "{time}", "DeliveryDateTime": "{bare_time}",
        "Text": "TEXT NOT NULL", "DestinationNumber": "{address}", "Coding": "{coding}", "UDH": "TEXT NOT NULL",
        "SMSCNumber": "{address}", "Class": "{number} -1", "TextDecoded": "{text}", "ID": "INTEGER",
        "SenderID": "varchar(255) NOT NULL", "SequencePosition": "{number} 1",
        "Status": "{done}", "StatusError": "{number} -1", "TPMR": "{number} -1", "RelativeValidity": "{number} -1",
        "CreatorID": "TEXT NOT NULL", "StatusCode": "{number} -1",
    },
}  # fmt: skip
_KEY = ', PRIMARY KEY ("ID", "SequencePosition")'
_KEYS = {"outbox_multipart": _KEY, "sentitems": _KEY}
_STATUS = "varchar(255) NOT NULL DEFAULT '{first}' CHECK (\"Status\" IN {all})"
_KINDS = {
    "number": "INTEGER NOT NULL DEFAULT",
    "text": "TEXT NOT NULL DEFAULT ''",
    "address": "varchar(20) NOT NULL DEFAULT ''",
    "coding": f"varchar(255) NOT NULL DEFAULT '{_CODINGS[0]}' CHECK (\"Coding\" IN {_CODINGS})",
    "waiting": _STATUS.format(first="Reserved", all=(*_STATUSES, "Reserved")),
    "done": _STATUS.format(first="SendingOK", all=_STATUSES),
}
_SQLITE = {
    "id": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "bare_time": "NUMERIC",
    "time": "NUMERIC NOT NULL DEFAULT (datetime('now'))",
    "flag": "TEXT NOT NULL DEFAULT 'false'",
}
_POSTGRESQL = {
    "id": "serial PRIMARY KEY",
    "bare_time": "timestamp(0)",
    "time": "timestamp(0) NOT NULL DEFAULT LOCALTIMESTAMP(0)",
    "flag": "boolean NOT NULL DEFAULT 'false'",
}


def statements(*, is_postgresql: bool, version: int = 17) -> list[str]:
    """Return the statements that create the tables, without triggers."""
    kinds = _KINDS | (_POSTGRESQL if is_postgresql else _SQLITE)
    made = []
    for table, columns in COLUMNS.items():
        named = ", ".join(f'"{name}" {kind.format(**kinds)}' for name, kind in columns.items())
        made.append(f"CREATE TABLE {table} ({named}{_KEYS.get(table, '')})")
    return [*made, f"INSERT INTO gammu VALUES ({version})"]


class Smsd:
    """smsd on one database, an SQLite path or a PostgreSQL URL. Its clock is the test's."""

    def __init__(self, database: str, *, zone: tzinfo = UTC, phone_id: str = "modem1") -> None:
        self.database, self.zone, self.phone_id = database, zone, phone_id
        self.is_postgresql = database.startswith("postgres")

    def execute(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement in its own transaction."""
        if self.is_postgresql:
            with psycopg.connect(self.database, autocommit=True) as connection:
                cursor = connection.execute(sql.replace("?", "%s"), parameters)  # type: ignore[arg-type]  # a test's own SQL
                return cursor.fetchall() if cursor.description else []
        with closing(sqlite3.connect(self.database, timeout=30, isolation_level=None)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def create(self, *, version: int = 17) -> None:
        """Create the tables."""
        for statement in statements(is_postgresql=self.is_postgresql, version=version):
            self.execute(statement)

    def recreate(self) -> None:
        """Replace the database by an empty one, whose IDs begin again."""
        if self.is_postgresql:
            for table in TABLES:
                self.execute(f"DROP TABLE {table}")
        else:
            Path(self.database).unlink()
        self.create()

    def alive(self, now_us: int, *, signal: int = 60) -> None:
        """Show that smsd runs the modem, as it does every minute."""
        now = self.local(now_us)
        if self.execute('SELECT 1 FROM phones WHERE "ID" = ?', self.phone_id):  # it must never be absent
            columns = '"Signal" = ?, "UpdatedInDB" = ?, "TimeOut" = ?'
            self.execute(f'UPDATE phones SET {columns} WHERE "ID" = ?', signal, now, now, self.phone_id)
            return
        self.execute(
            'INSERT INTO phones ("ID", "IMEI", "Client", "Signal", "UpdatedInDB", "TimeOut") VALUES (?, ?, ?, ?, ?, ?)',
            self.phone_id,
            f"imei of {self.phone_id}",
            "Gammu 1.42.0",
            signal,
            now,
            now,
        )

    def receive(
        self,
        text: str | bytes,
        *,
        at_us: int,
        sender: str = "+447700900999",
        coding: str = "",
        udh: str = "",
        phone_id: str | None = None,
        text_decoded: str | None = None,
    ) -> int:
        """Insert an SMS, or a part of one, as received from the modem, and return its ID. Octets are 8bit."""
        coding = coding or ("8bit" if isinstance(text, bytes) else "Default_No_Compression")
        octets = text if isinstance(text, bytes) else text.encode("utf-16-be", "surrogatepass")
        decoded = text_decoded if text_decoded is not None else "" if isinstance(text, bytes) else text
        return int(
            self.execute(
                'INSERT INTO inbox ("ReceivingDateTime", "Text", "SenderNumber", "Coding", "UDH", "TextDecoded",'
                ' "RecipientID") VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING "ID"',
                self.local(at_us),
                octets.hex().upper(),
                sender,
                coding,
                udh,
                decoded,
                self.phone_id if phone_id is None else phone_id,
            )[0][0]
        )

    def send(self, status: str = "SendingOK", *, status_error: int = -1, status_code: int = -1) -> list[str]:
        """Send what waits for this modem, segment by segment, and return the texts. `sentitems` comes first, as in smsd."""
        texts = []
        waiting = self.execute(
            'SELECT "ID", "CreatorID", "DestinationNumber", "Coding", "UDH", "Text", "TextDecoded" FROM outbox'
            ' WHERE "SenderID" = ? AND "SendingDateTime" < ? ORDER BY "ID"',
            self.phone_id,
            "2001-01-01 00:00:00",
        )
        for id_, creator, to, *first in waiting:
            others = self.execute(
                'SELECT "Coding", "UDH", "Text", "TextDecoded" FROM outbox_multipart WHERE "ID" = ?'
                ' ORDER BY "SequencePosition"',
                id_,
            )
            for number, (coding, udh, hexadecimal, decoded) in enumerate([tuple(first), *others], 1):
                assert bytes.fromhex(hexadecimal).decode("utf-16-be") == decoded
                self.execute(
                    'INSERT INTO sentitems ("ID", "SequencePosition", "CreatorID", "SenderID", "DestinationNumber",'
                    ' "Coding", "UDH", "Text", "TextDecoded", "Status", "StatusError", "StatusCode")'
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    *(id_, number, creator, self.phone_id, to, coding, udh or "", hexadecimal, decoded, status),
                    status_error,
                    status_code,
                )
                texts.append(decoded)
            self.execute('DELETE FROM outbox WHERE "ID" = ?', id_)
            self.execute('DELETE FROM outbox_multipart WHERE "ID" = ?', id_)
        return texts

    def report(
        self, status: str, *, status_error: int = -1, number: int | None = None, at_us: int | None = None
    ) -> None:
        """Apply a delivery report to every segment that was sent, or to the segments of this number."""
        condition = "" if number is None else f' WHERE "SequencePosition" = {number}'
        self.execute(f'UPDATE sentitems SET "Status" = ?, "StatusError" = ?{condition}', status, status_error)
        if at_us is not None:
            self.execute(f'UPDATE sentitems SET "UpdatedInDB" = ?{condition}', self.local(at_us))

    def unprocessed(self) -> list[int]:
        """Return the IDs of SMS that are not marked as processed."""
        return [row[0] for row in self.execute('SELECT "ID" FROM inbox WHERE "Processed" = \'false\' ORDER BY "ID"')]

    def local(self, at_us: int) -> str:
        """Return a time as smsd writes it."""
        return datetime.fromtimestamp(at_us // 1_000_000, self.zone).strftime("%Y-%m-%d %H:%M:%S")


def parts(text: str, *, ref: int, size: int = 67) -> Sequence[tuple[str, str]]:
    """Return the parts of a long SMS and the header of each, in hexadecimal."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [(piece, f"050003{ref:02X}{len(pieces):02X}{at:02X}") for at, piece in enumerate(pieces, 1)]
