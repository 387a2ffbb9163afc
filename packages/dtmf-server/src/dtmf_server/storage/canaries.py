"""Canaries: the tests of whether a one-time code arrives at a number, and the last result of each. Times are wall time."""

from collections.abc import Sequence
from typing import NamedTuple

from dtmf_server.storage.db import Row, Tx


class Canary(NamedTuple):
    """The result of the last test: yes, no or untested, and when it was made; None if untested."""

    result: str = "untested"
    at_us: int | None = None


def add(tx: Tx, *, carrier: str, e164: str, sender: str, sent_by: str, text: str, wall_us: int) -> int:
    """Add a test that waits to be sent. Return its ID."""
    row = tx.one(
        "INSERT INTO canary_runs (carrier, e164, sender, sent_by, text, state, reason, asked_wall_us)"
        " VALUES (:carrier, :e164, :sender, :sent_by, :text, 'waiting', '', :wall_us) RETURNING id",
        carrier=carrier,
        e164=e164,
        sender=sender,
        sent_by=sent_by,
        text=text,
        wall_us=wall_us,
    )
    assert row is not None, "an INSERT returns its row"
    return int(row["id"])


def by_id(tx: Tx, id_: int) -> Row | None:
    """Return a test."""
    return tx.one("SELECT * FROM canary_runs WHERE id = :id", id=id_)


def waiting(tx: Tx) -> Row | None:
    """Return the oldest test that waits to be sent, locked."""
    return tx.one("SELECT * FROM canary_runs WHERE state = 'waiting' ORDER BY id LIMIT 1 FOR NO KEY UPDATE")


def is_waiting(tx: Tx) -> bool:
    """Return whether a test waits to be sent."""
    return tx.one("SELECT 1 FROM canary_runs WHERE state = 'waiting' LIMIT 1") is not None


def set_state(tx: Tx, id_: int, state: str, *, reason: str = "", wall_us: int) -> None:
    """Set the state of a test, unless it is over."""
    tx.run(
        "UPDATE canary_runs SET state = :state, reason = :reason,"
        " submitted_wall_us = CASE WHEN :state = 'submitting' THEN :wall_us ELSE submitted_wall_us END"
        " WHERE id = :id AND state <> 'over'",
        id=id_,
        state=state,
        reason=reason,
        wall_us=wall_us,
    )


def finish(tx: Tx, id_: int) -> None:
    """End a test."""
    tx.run("UPDATE canary_runs SET state = 'over' WHERE id = :id", id=id_)


def set_arrived(tx: Tx, id_: int, *, received: str, by: str, result: str, wall_us: int) -> None:
    """Record the SMS that arrived, and end the test."""
    tx.run(
        "UPDATE canary_runs SET state = 'over', received = :received, arrived_by = :by, result = :result,"
        " arrived_wall_us = :wall_us WHERE id = :id",
        id=id_,
        result=result,
        received=received,
        by=by,
        wall_us=wall_us,
    )


def of_numbers(tx: Tx, e164s: Sequence[str]) -> list[Row]:
    """Return the tests of these numbers for which no SMS has arrived, the newest first."""
    return tx.all(
        "SELECT * FROM canary_runs WHERE e164 = ANY(:e164s) AND arrived_wall_us IS NULL AND state <> 'waiting'"
        " ORDER BY id DESC",
        e164s=list(e164s),
    )


def senders_to(tx: Tx, phone: str) -> list[str]:
    """Return the senders of the tests that a carrier may have, to the number that ends with these digits."""
    rows = tx.all("SELECT e164, sender FROM canary_runs WHERE state NOT IN ('waiting', 'not_sent')")
    return [row["sender"] for row in rows if row["e164"].endswith(phone)]


def put_result(tx: Tx, *, e164: str, carrier: str, kind: str, result: str, wall_us: int) -> None:
    """Replace the last result of this number, carrier and kind."""
    tx.run(
        "INSERT INTO canaries (e164, carrier, kind, result, at_wall_us) VALUES (:e164, :carrier, :kind, :result, :wall_us)"
        " ON CONFLICT (e164, carrier, kind) DO UPDATE SET result = excluded.result, at_wall_us = excluded.at_wall_us",
        e164=e164,
        carrier=carrier,
        kind=kind,
        result=result,
        wall_us=wall_us,
    )


def results(tx: Tx) -> list[Row]:
    """Return every last result, by carrier and number."""
    return tx.all("SELECT * FROM canaries ORDER BY carrier, e164, kind")


def forget(tx: Tx, *, asked_before_us: int) -> int:
    """Delete tests that are older. Return how many."""
    return tx.run("DELETE FROM canary_runs WHERE asked_wall_us < :before_us", before_us=asked_before_us)


def newest(tx: Tx, group_id: str, kind: str) -> Canary:
    """Return the result of the last canary of a kind (short_code, one_time_code) at a number of this group."""
    row = tx.one(
        "SELECT c.result, c.at_wall_us FROM canaries c JOIN numbers n ON n.e164 = c.e164"
        " WHERE n.group_id = :group_id AND c.kind = :kind ORDER BY c.at_wall_us DESC LIMIT 1",
        group_id=group_id,
        kind=kind,
    )
    return Canary("yes" if row["result"] in ("received", "differs") else "no", row["at_wall_us"]) if row else Canary()
