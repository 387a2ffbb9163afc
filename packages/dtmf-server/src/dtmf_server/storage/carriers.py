"""Carriers in the database: a row to lock each one by, and the state of their links."""

from collections.abc import Sequence

from dtmf_server.storage.db import Row, Tx


def add(tx: Tx, name: str) -> None:
    """Add the carrier's row if there is none yet."""
    tx.run("INSERT INTO carriers (name) VALUES (:name) ON CONFLICT (name) DO NOTHING", name=name)


def lock(tx: Tx, name: str) -> None:
    """Lock the carrier until the transaction ends: two transactions that store parts of one SMS, or a submit answer and
    the receipt that overtakes it, must see each other. It is locked before any account."""
    statement = "SELECT name FROM carriers WHERE name = :name FOR NO KEY UPDATE"
    if tx.one(statement, name=name) is None:
        add(tx, name)
        tx.one(statement, name=name)  # another transaction may have added it first


def caught_up_us(tx: Tx, *, name: str) -> int | None:
    """The wall time up to which everything that the carrier received has been fetched; None if nothing was."""
    row = tx.one("SELECT caught_up_wall_us FROM carriers WHERE name = :name", name=name)
    return None if row is None else row["caught_up_wall_us"]


def all_caught_up(tx: Tx) -> dict[str, int]:
    """Return `caught_up_us` of each carrier that has it."""
    rows = tx.all("SELECT name, caught_up_wall_us FROM carriers WHERE caught_up_wall_us IS NOT NULL ORDER BY name")
    return {row["name"]: row["caught_up_wall_us"] for row in rows}


def set_caught_up(tx: Tx, *, name: str, wall_us: int) -> None:
    """Everything that the carrier received before this wall time has been fetched."""
    tx.run("UPDATE carriers SET caught_up_wall_us = :wall_us WHERE name = :name", name=name, wall_us=wall_us)


def heartbeat_us(tx: Tx, *, name: str) -> int | None:
    """Return the wall time of the carrier's last heartbeat; None if there was none."""
    row = tx.one("SELECT heartbeat_wall_us FROM carriers WHERE name = :name", name=name)
    return None if row is None else row["heartbeat_wall_us"]


def set_heartbeat(tx: Tx, *, name: str, wall_us: int) -> None:
    """Record a heartbeat of the carrier."""
    add(tx, name)
    tx.run("UPDATE carriers SET heartbeat_wall_us = :wall_us WHERE name = :name", name=name, wall_us=wall_us)


def note_links(tx: Tx, rows: Sequence[tuple[object, ...]], *, carrier: str, wall_us: int) -> None:
    """Write the state of the carrier's links: link, state, since, heard, arrived, submitted, errors, p95, reason."""
    lock(tx, carrier)  # a stopping process may still be writing while the next one starts
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
    """Delete the links of carriers that are no longer configured."""
    tx.run("DELETE FROM carrier_links WHERE carrier <> ALL(:kept)", kept=list(except_carriers))


def links(tx: Tx) -> list[Row]:
    """Return the state of every link, as last recorded by its process."""
    return tx.all("SELECT * FROM carrier_links ORDER BY carrier, link")
