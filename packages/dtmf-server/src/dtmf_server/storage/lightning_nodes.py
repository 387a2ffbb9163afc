"""The Lightning nodes that the service has used, and the state of the configured one."""

from dtmf_server.core.lightning import SettledPayment
from dtmf_server.storage.db import Row, Tx

_COLUMNS = "id, identity, backend, cursor, cursor_lost_wall_us, received_msat, fee_msat, rounding_msat, credited_sats"


def state(tx: Tx) -> Row | None:
    """Return the state of the configured node with its row's columns, or None if none was ever configured."""
    return tx.one(
        "SELECT s.backend, s.node_id, s.polled_wall_us, s.last_error, s.inbound_msat, n.identity, n.cursor,"
        " n.cursor_lost_wall_us FROM lightning_state s LEFT JOIN lightning_nodes n ON n.id = s.node_id"
    )


def by_identity(tx: Tx, identity: str) -> Row | None:
    """Return the node with this identity."""
    return tx.one(f"SELECT {_COLUMNS} FROM lightning_nodes WHERE identity = :identity", identity=identity)


def by_id(tx: Tx, node_id: int) -> Row:
    """Return the node."""
    row = tx.one(f"SELECT {_COLUMNS} FROM lightning_nodes WHERE id = :id", id=node_id)
    assert row is not None
    return row


def add(tx: Tx, *, identity: str, backend: str, cursor: str | None) -> int:
    """Add a node, or find it if another process just did. Return its ID."""
    tx.run(
        "INSERT INTO lightning_nodes (identity, backend, cursor) VALUES (:identity, :backend, :cursor)"
        " ON CONFLICT (identity) DO NOTHING",
        identity=identity,
        backend=backend,
        cursor=cursor,
    )
    row = by_identity(tx, identity)
    assert row is not None
    return int(row["id"])


def use(tx: Tx, *, backend: str, node_id: int | None) -> None:
    """Make this the configured node; None: it has not been reached yet."""
    tx.run(
        "INSERT INTO lightning_state (id, backend, node_id) VALUES (1, :backend, :node_id)"
        " ON CONFLICT (id) DO UPDATE SET backend = excluded.backend, node_id = excluded.node_id",
        backend=backend,
        node_id=node_id,
    )


def record_poll(tx: Tx, *, wall_us: int, inbound_msat: int | None, error: str | None) -> None:
    """Record a poll that succeeded. `error`: what is wrong with the node all the same."""
    tx.run(
        "UPDATE lightning_state SET polled_wall_us = :wall_us, last_error = :error, inbound_msat = :inbound_msat",
        error=error,
        wall_us=wall_us,
        inbound_msat=inbound_msat,
    )


def record_error(tx: Tx, *, error: str) -> None:
    """Record why the node cannot be used."""
    tx.run("UPDATE lightning_state SET last_error = :error", error=error)


def lock(tx: Tx, node_id: int) -> Row:
    """Lock the node until the transaction ends, so that its payments are booked one after the other."""
    row = tx.one(f"SELECT {_COLUMNS} FROM lightning_nodes WHERE id = :id FOR NO KEY UPDATE", id=node_id)
    assert row is not None
    return row


def move_cursor(tx: Tx, node_id: int, cursor: str, *, lost_wall_us: int | None = None) -> None:
    """Move the node's cursor. `lost_wall_us`: when it was found to have gone backwards."""
    tx.run(
        "UPDATE lightning_nodes SET cursor = :cursor,"
        " cursor_lost_wall_us = coalesce(CAST(:lost_wall_us AS BIGINT), cursor_lost_wall_us) WHERE id = :id",
        id=node_id,
        cursor=cursor,
        lost_wall_us=lost_wall_us,
    )


def add_payment(tx: Tx, node_id: int, payment: SettledPayment) -> None:
    """Add a payment to the node's sums."""
    tx.run(
        "UPDATE lightning_nodes SET received_msat = received_msat + :received_msat, fee_msat = fee_msat + :fee_msat,"
        " rounding_msat = rounding_msat + :rounding_msat, credited_sats = credited_sats + :credited_sats WHERE id = :id",
        id=node_id,
        received_msat=payment.received_msat,
        fee_msat=payment.fee_msat,
        rounding_msat=payment.rounding_msat,
        credited_sats=payment.credited_sats,
    )
