"""Queries on smsd's tables. Each runs in a transaction of `SmsdDatabase`."""

from collections.abc import Sequence
from typing import NamedTuple

from dtmf_server.carriers.gammu.database import Execute
from dtmf_server.carriers.gammu.rows import InboxRow, OutboxPart, SentRow

# The zone of smsd's clock does not matter for a time that is long past: the SMS may be sent at once.
_LONG_AGO = "2000-01-01 00:00:00"
_SENT = (
    'SELECT "ID", "CreatorID", "SenderID", "DestinationNumber", "SequencePosition", "Status", "StatusError", "StatusCode"'
    " FROM sentitems"
)


class Phone(NamedTuple):
    """A row of `phones`: what smsd last wrote about a modem. `signal` and `battery` are percentages, -1 if unknown."""

    phone_id: str
    updated: str
    timeout: str
    sent: int
    received: int
    signal: int
    battery: int


def unprocessed(execute: Execute, phone_ids: Sequence[str], *, after_id: int, limit: int) -> list[InboxRow]:
    """Return the next SMS of these modems that nothing has processed, by ID."""
    rows = execute(
        'SELECT "ID", "RecipientID", "SenderNumber", CAST("ReceivingDateTime" AS text), "Coding", "UDH", "Text",'
        f' "TextDecoded" FROM inbox WHERE "Processed" = \'false\' AND "ID" > ? AND "RecipientID" IN ({_marks(phone_ids)})'
        f' ORDER BY "ID" LIMIT {limit}',
        (after_id, *phone_ids),
    )
    return [InboxRow(int(row[0]), *("" if value is None else str(value) for value in row[1:])) for row in rows]


def last_id(execute: Execute) -> int:
    """Return the highest ID of an SMS that was received; 0 for none."""
    return int(execute('SELECT coalesce(max("ID"), 0) FROM inbox')[0][0])


def mark_processed(execute: Execute, rows: Sequence[InboxRow]) -> None:
    """Mark these SMS as processed. A row of another database that has one of their IDs by now is not touched."""
    for row in rows:
        execute(
            'UPDATE inbox SET "Processed" = \'true\' WHERE "ID" = ? AND "RecipientID" = ?'
            ' AND CAST("ReceivingDateTime" AS text) = ?',
            (row.id, row.phone_id, row.received),
        )


def backlog(execute: Execute, phone_ids: Sequence[str]) -> tuple[int, int]:
    """Return how many unprocessed SMS there are of these modems, and of others."""
    ours = f'"RecipientID" IN ({_marks(phone_ids)})'
    row = execute(
        f"SELECT coalesce(sum(CASE WHEN {ours} THEN 1 ELSE 0 END), 0), count(*) FROM inbox"
        " WHERE \"Processed\" = 'false'",
        phone_ids,
    )[0]
    return int(row[0]), int(row[1]) - int(row[0])


def enqueue(
    execute: Execute, creator: str, phone_id: str, to: str, parts: Sequence[OutboxPart], *, wants_report: bool
) -> int:
    """Hand an SMS to smsd, which sends it by this modem, and return smsd's ID of it."""
    first, *others = parts
    (row,) = execute(
        'INSERT INTO outbox ("CreatorID", "SenderID", "DestinationNumber", "Coding", "UDH", "Text", "TextDecoded",'
        ' "MultiPart", "DeliveryReport", "SendingDateTime", "SendingTimeOut", "Class")'
        ' VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, -1) RETURNING "ID"',
        (
            creator,
            phone_id,
            to,
            *first,
            "true" if others else "false",
            "yes" if wants_report else "no",
            _LONG_AGO,
            _LONG_AGO,
        ),
    )
    for number, part in enumerate(others, 2):
        execute(
            'INSERT INTO outbox_multipart ("ID", "SequencePosition", "Coding", "UDH", "Text", "TextDecoded", "Class")'
            " VALUES (?, ?, ?, ?, ?, ?, -1)",
            (row[0], number, *part),
        )
    return int(row[0])


def find(execute: Execute, creator: str) -> int | None:
    """Return the ID under which smsd has this SMS, waiting or sent; None if it does not have it. smsd adds an SMS to
    `sentitems` before it deletes it from `outbox`, so `outbox` is read first."""
    for table in ("outbox", "sentitems"):
        if rows := execute(f'SELECT "ID" FROM {table} WHERE "CreatorID" = ?', (creator,)):
            return int(rows[0][0])
    return None


def sent(execute: Execute, ids: Sequence[int]) -> dict[str, list[SentRow]]:
    """Return the segments that smsd is done with of the SMS with these IDs, by CreatorID."""
    found: dict[str, list[SentRow]] = {}
    if ids:
        rows = execute(f'{_SENT} WHERE "ID" IN ({_marks(ids)}) ORDER BY "ID", "SequencePosition"', ids)
        for row in map(_sent_row, rows):
            found.setdefault(row.creator, []).append(row)
    return found


def changed(execute: Execute, prefix: str, *, since: str, after_id: int, limit: int) -> list[int]:
    """Return the IDs of SMS that were sent or reported since this time of smsd's, in order."""
    rows = execute(
        'SELECT DISTINCT "ID" FROM sentitems WHERE "CreatorID" LIKE ? AND CAST("UpdatedInDB" AS text) >= ? AND "ID" > ?'
        f' ORDER BY "ID" LIMIT {limit}',
        (prefix + "%", since, after_id),
    )
    return [int(row[0]) for row in rows]


def phones(execute: Execute) -> list[Phone]:
    """Return what smsd wrote about each modem, the latest last."""
    rows = execute(
        'SELECT "ID", CAST("UpdatedInDB" AS text), CAST("TimeOut" AS text), "Sent", "Received", "Signal", "Battery"'
        ' FROM phones ORDER BY "UpdatedInDB"'
    )
    return [Phone(str(row[0]), str(row[1]), str(row[2]), *(int(value or 0) for value in row[3:])) for row in rows]


def version(execute: Execute) -> int:
    """Return the version of smsd's tables."""
    return int(execute('SELECT "Version" FROM gammu')[0][0])


def _sent_row(row: Sequence[object]) -> SentRow:
    id_, creator, phone_id, to, number, status, error, code = row
    where = (int(str(id_)), str(creator), str(phone_id), str(to), int(str(number)))
    return SentRow(*where, str(status), int(str(error)), int(str(code)))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
