"""Sessions of the operator's console and its one-time links. Only the SHA-256 of a cookie or link is stored."""

from dtmf_server.storage.db import Row, Tx


def add_link(tx: Tx, *, sha256: bytes, operator: str, expires_wall_us: int) -> None:
    """Add a link that signs in once, as this operator."""
    tx.run(
        "INSERT INTO operator_links (sha256, operator, expires_wall_us) VALUES (:sha256, :operator, :expires_wall_us)",
        sha256=sha256,
        operator=operator,
        expires_wall_us=expires_wall_us,
    )


def link(tx: Tx, sha256: bytes, *, wall_us: int) -> Row | None:
    """Return the link if it is neither used nor expired."""
    return tx.one(
        "SELECT operator, expires_wall_us FROM operator_links WHERE sha256 = :sha256 AND expires_wall_us > :wall_us",
        sha256=sha256,
        wall_us=wall_us,
    )


def use_link(tx: Tx, sha256: bytes) -> bool:
    """Use the link. Return False if it was already used."""
    return bool(tx.run("DELETE FROM operator_links WHERE sha256 = :sha256", sha256=sha256))


def add(tx: Tx, *, sha256: bytes, operator: str, wall_us: int) -> None:
    """Open a session of this operator."""
    tx.run(
        "INSERT INTO operator_sessions (sha256, operator, created_wall_us, seen_wall_us)"
        " VALUES (:sha256, :operator, :wall_us, :wall_us)",
        sha256=sha256,
        operator=operator,
        wall_us=wall_us,
    )


def find(tx: Tx, sha256: bytes, *, seen_after_us: int, created_after_us: int) -> Row | None:
    """Return the session if it is neither idle nor too old."""
    return tx.one(
        "SELECT id, operator, created_wall_us, seen_wall_us FROM operator_sessions WHERE sha256 = :sha256"
        " AND seen_wall_us > :seen_after_us AND created_wall_us > :created_after_us",
        sha256=sha256,
        seen_after_us=seen_after_us,
        created_after_us=created_after_us,
    )


def all_open(tx: Tx, *, seen_after_us: int, created_after_us: int, limit: int) -> list[Row]:
    """Return the sessions that are neither idle nor too old, oldest first."""
    return tx.all(
        "SELECT id, operator, created_wall_us, seen_wall_us FROM operator_sessions WHERE seen_wall_us > :seen_after_us"
        " AND created_wall_us > :created_after_us ORDER BY id LIMIT :limit",
        seen_after_us=seen_after_us,
        created_after_us=created_after_us,
        limit=limit,
    )


def touch(tx: Tx, session_id: int, *, wall_us: int) -> None:
    """Record a request of this session."""
    tx.run("UPDATE operator_sessions SET seen_wall_us = :wall_us WHERE id = :id", id=session_id, wall_us=wall_us)


def end(tx: Tx, session_id: int) -> str | None:
    """End a session. Return its operator; None if there is no such session."""
    row = tx.one("DELETE FROM operator_sessions WHERE id = :id RETURNING operator", id=session_id)
    return None if row is None else str(row["operator"])


def end_by_cookie(tx: Tx, sha256: bytes) -> None:
    """End the session of a cookie, if it is one."""
    tx.run("DELETE FROM operator_sessions WHERE sha256 = :sha256", sha256=sha256)


def end_all(tx: Tx) -> list[int]:
    """End every session and revoke every link. Return the IDs of the sessions."""
    tx.run("DELETE FROM operator_links")
    return [row["id"] for row in tx.all("DELETE FROM operator_sessions RETURNING id")]


def revoke_links(tx: Tx, operator: str) -> int:
    """Revoke the unused links of an operator. Return how many."""
    return tx.run("DELETE FROM operator_links WHERE operator = :operator", operator=operator)


def forget(tx: Tx, *, seen_before_us: int, created_before_us: int, wall_us: int) -> int:
    """Delete ended sessions and expired links. Return the number of sessions."""
    tx.run("DELETE FROM operator_links WHERE expires_wall_us <= :wall_us", wall_us=wall_us)
    return tx.run(
        "DELETE FROM operator_sessions WHERE seen_wall_us <= :seen_before_us OR created_wall_us <= :created_before_us",
        seen_before_us=seen_before_us,
        created_before_us=created_before_us,
    )
