"""Sessions of the website and one-time sign-in links. Only the SHA-256 of a cookie or link is stored."""

from dtmf_server.storage.db import Row, Tx


def add(tx: Tx, *, sha256: bytes, account_id: int, token_id: int, wall_us: int) -> None:
    """Open a session for the owner of this token."""
    tx.run(
        "INSERT INTO web_sessions (sha256, account_id, token_id, created_wall_us, seen_wall_us)"
        " VALUES (:sha256, :account_id, :token_id, :wall_us, :wall_us)",
        sha256=sha256,
        account_id=account_id,
        token_id=token_id,
        wall_us=wall_us,
    )


def find(tx: Tx, sha256: bytes, *, seen_after_us: int, created_after_us: int) -> Row | None:
    """Return the session if it is neither idle nor too old, and its token still works; with when its account was
    suspended."""
    return tx.one(
        "SELECT s.id, s.account_id, s.token_id, s.seen_wall_us, a.suspended_at_us FROM web_sessions s"
        " JOIN tokens t ON t.id = s.token_id JOIN accounts a ON a.id = s.account_id"
        " WHERE s.sha256 = :sha256 AND s.seen_wall_us > :seen_after_us AND s.created_wall_us > :created_after_us"
        " AND t.revoked_at_us IS NULL",
        sha256=sha256,
        seen_after_us=seen_after_us,
        created_after_us=created_after_us,
    )


def touch(tx: Tx, session_id: int, *, wall_us: int) -> None:
    """Record a visit."""
    tx.run("UPDATE web_sessions SET seen_wall_us = :wall_us WHERE id = :id", id=session_id, wall_us=wall_us)


def end(tx: Tx, sha256: bytes) -> None:
    """Sign out."""
    tx.run("DELETE FROM web_sessions WHERE sha256 = :sha256", sha256=sha256)


def end_all(tx: Tx, account_id: int) -> None:
    """Sign out everywhere, and revoke unused links."""
    tx.run("DELETE FROM web_sessions WHERE account_id = :account_id", account_id=account_id)
    tx.run("DELETE FROM sign_in_links WHERE account_id = :account_id", account_id=account_id)


def count(tx: Tx, account_id: int, *, seen_after_us: int, created_after_us: int) -> int:
    """Return the number of browsers in which the account is signed in."""
    row = tx.one(
        "SELECT count(*) AS n FROM web_sessions s JOIN tokens t ON t.id = s.token_id WHERE s.account_id = :account_id"
        " AND s.seen_wall_us > :seen_after_us AND s.created_wall_us > :created_after_us AND t.revoked_at_us IS NULL",
        account_id=account_id,
        seen_after_us=seen_after_us,
        created_after_us=created_after_us,
    )
    assert row is not None
    return int(row["n"])


def forget(tx: Tx, *, seen_before_us: int, created_before_us: int, wall_us: int) -> int:
    """Delete ended sessions and expired links. Return the number of sessions."""
    tx.run("DELETE FROM sign_in_links WHERE expires_wall_us <= :wall_us", wall_us=wall_us)
    return tx.run(
        "DELETE FROM web_sessions WHERE seen_wall_us <= :seen_before_us OR created_wall_us <= :created_before_us",
        seen_before_us=seen_before_us,
        created_before_us=created_before_us,
    )


def add_link(tx: Tx, *, sha256: bytes, account_id: int, token_id: int, expires_wall_us: int) -> None:
    """Add a link that signs in once."""
    tx.run(
        "INSERT INTO sign_in_links (sha256, account_id, token_id, expires_wall_us)"
        " VALUES (:sha256, :account_id, :token_id, :expires_wall_us)",
        sha256=sha256,
        account_id=account_id,
        token_id=token_id,
        expires_wall_us=expires_wall_us,
    )


def link(tx: Tx, sha256: bytes, *, wall_us: int) -> Row | None:
    """Return the link if it is neither used nor expired, and its token still works."""
    return tx.one(
        "SELECT l.account_id, l.token_id FROM sign_in_links l JOIN tokens t ON t.id = l.token_id"
        " WHERE l.sha256 = :sha256 AND l.expires_wall_us > :wall_us AND t.revoked_at_us IS NULL",
        sha256=sha256,
        wall_us=wall_us,
    )


def use_link(tx: Tx, sha256: bytes) -> bool:
    """Use the link. Return False if it was already used."""
    return bool(tx.run("DELETE FROM sign_in_links WHERE sha256 = :sha256", sha256=sha256))
