"""Carriers as the database knows them: a row to lock each by, and how their links stand."""

from collections.abc import Sequence

from dtmf_server.storage.db import Row, Tx


def add(tx: Tx, name: str) -> None:
    """Makes the carrier's row where there is none yet."""
    tx.run("INSERT INTO carriers (name) VALUES (:name) ON CONFLICT (name) DO NOTHING", name=name)


def lock(tx: Tx, name: str) -> None:
    """Lock the carrier until the transaction ends: two that store parts of one SMS, or an answer and the receipt that
    overtakes it, must see each other. It is locked before any account."""
    statement = "SELECT name FROM carriers WHERE name = :name FOR NO KEY UPDATE"
    if tx.one(statement, name=name) is None:
        add(tx, name)
        tx.one(statement, name=name)  # another transaction may have added it first


def caught_up_us(tx: Tx, *, name: str) -> int | None:
    """The wall time up to which everything that the carrier received has been fetched; None if nothing was."""
    row = tx.one("SELECT caught_up_wall_us FROM carriers WHERE name = :name", name=name)
    return None if row is None else row["caught_up_wall_us"]


def set_caught_up(tx: Tx, *, name: str, wall_us: int) -> None:
    """Everything that the carrier received before this wall time has been fetched."""
    tx.run("UPDATE carriers SET caught_up_wall_us = :wall_us WHERE name = :name", name=name, wall_us=wall_us)


def note_links(tx: Tx, rows: Sequence[tuple[object, ...]], *, carrier: str, wall_us: int) -> None:
    """Writes how the carrier's links stand: link, state, since, heard, arrived, submitted, errors, p95, reason."""
    lock(tx, carrier)  # an old process may still be writing while the next one starts
    tx.run("DELETE FROM carrier_links WHERE carrier = :carrier", carrier=carrier)
    for link, state, since, heard, arrived, submitted, errors, p95_us, reason in rows:
        tx.run(
            "INSERT INTO carrier_links (carrier, link, state, since_wall_us, heard_wall_us, arrived, submitted,"
            " errors, p95_us, reason, noted_wall_us) VALUES (:carrier, :link, :state, :since, :heard, :arrived,"
            " :submitted, :errors, :p95_us, :reason, :wall_us)",
            carrier=carrier,
            link=link,
            state=state,
            since=since,
            heard=heard,
            arrived=arrived,
            submitted=submitted,
            errors=errors,
            p95_us=p95_us,
            reason=reason,
            wall_us=wall_us,
        )


def forget_links(tx: Tx, *, except_carriers: Sequence[str]) -> None:
    """Forgets the links of carriers that are configured no more."""
    tx.run("DELETE FROM carrier_links WHERE carrier <> ALL(:kept)", kept=list(except_carriers))


def links(tx: Tx) -> list[Row]:
    """How every link stood when its process last said so."""
    return tx.all("SELECT * FROM carrier_links ORDER BY carrier, link")
