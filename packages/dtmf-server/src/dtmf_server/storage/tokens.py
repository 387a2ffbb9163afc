"""API tokens. Only the SHA-256 of a token is stored."""

import json
from collections.abc import Collection, Iterable

from dtmf_server.core.token_budget import TokenBudget
from dtmf_server.core.token_grant import Grant
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

_WORKING = "revoked_at_us IS NULL AND (expires_wall_us IS NULL OR expires_wall_us > :wall_us)"


def add(
    tx: Tx,
    *,
    account_id: int,
    sha256: bytes,
    label: str,
    now_us: int,
    grant: Grant | None = None,
    parent_id: int | None = None,
) -> int:
    """Add a token, unrestricted without a grant. Return its ID."""
    given = grant or Grant()
    row = tx.one(
        "INSERT INTO tokens (account_id, sha256, label, created_at_us, parent_id, scopes, allowed_groups,"
        " expires_wall_us, sats_max, sats_per_day, rentals_max) VALUES (:account_id, :sha256, :label, :now_us,"
        " :parent_id, :scopes, :groups, :expires_wall_us, :sats_max, :sats_per_day, :rentals_max) RETURNING id",
        account_id=account_id,
        sha256=sha256,
        label=label,
        now_us=now_us,
        parent_id=parent_id,
        scopes=None if given.scopes is None else " ".join(given.scopes),
        groups=None if given.groups is None else json.dumps(given.groups),
        expires_wall_us=given.expires_wall_us,
        sats_max=given.sats_max,
        sats_per_day=given.sats_per_day,
        rentals_max=given.rentals_max,
    )
    assert row is not None
    tx.note("tokens", [row["id"]])
    return int(row["id"])


def grant_of(row: Row) -> Grant | None:
    """Return what the token of this row may do; None if it is unrestricted."""
    if row["scopes"] is None:
        return None
    groups = row["allowed_groups"]
    return Grant(
        tuple(row["scopes"].split()),
        None if groups is None else tuple(json.loads(groups)),
        row["expires_wall_us"],
        row["sats_max"],
        row["sats_per_day"],
        row["rentals_max"],
    )


def opened_by(tx: Tx, sha256: bytes, *, wall_us: int) -> Row | None:
    """Return a token's ID, scopes, expiry and account, or None if it was revoked, has expired or never existed; with when the
    account was suspended, and the offset of the sandbox's clock, since every request needs them."""
    return tx.one(
        "SELECT id, account_id, scopes, expires_wall_us, (SELECT clock_offset_us FROM service) AS clock_offset_us,"
        " (SELECT suspended_at_us FROM accounts a WHERE a.id = account_id) AS suspended_at_us"
        f" FROM tokens WHERE sha256 = :sha256 AND {_WORKING}",
        sha256=sha256,
        wall_us=wall_us,
    )


def found(tx: Tx, sha256: bytes) -> Row | None:
    """Return the ID, account and scopes of a token that was not revoked."""
    return tx.one(
        "SELECT id, account_id, scopes FROM tokens WHERE sha256 = :sha256 AND revoked_at_us IS NULL", sha256=sha256
    )


def label(tx: Tx, token_id: int) -> str | None:
    """Return a token's label; empty once its account was deleted."""
    row = tx.one("SELECT label FROM tokens WHERE id = :id", id=token_id)
    return None if row is None else row["label"]


def owners(tx: Tx, sha256s: set[bytes]) -> dict[bytes, Row]:
    """Return the ID and account of each of these tokens that was not revoked, of open accounts."""
    rows = tx.select_in(schema.tokens, "sha256", sorted(sha256s))
    return {bytes(row["sha256"]): row for row in rows if row["revoked_at_us"] is None}


def of_account(tx: Tx, account_id: int, *, wall_us: int) -> list[Row]:
    """Return an account's working tokens, oldest first."""
    return tx.all(
        f"SELECT * FROM tokens WHERE account_id = :account_id AND {_WORKING} ORDER BY id",
        account_id=account_id,
        wall_us=wall_us,
    )


def newest_of_account(tx: Tx, account_id: int, *, wall_us: int, limit: int) -> list[Row]:
    """Return an account's last working tokens, newest first, without their hashes."""
    return tx.all(
        "SELECT id, label, created_at_us, scopes, expires_wall_us FROM tokens WHERE account_id = :account_id"
        f" AND {_WORKING} ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        wall_us=wall_us,
        limit=limit,
    )


def of_parent(tx: Tx, parent_id: int, *, wall_us: int) -> list[Row]:
    """Return a restricted token and those that it created, of those that work, oldest first."""
    return tx.all(
        f"SELECT * FROM tokens WHERE (id = :id OR parent_id = :id) AND {_WORKING} ORDER BY id",
        id=parent_id,
        wall_us=wall_us,
    )


def by_id(tx: Tx, account_id: int, token_id: int) -> Row | None:
    """Return one token of the account, working or not."""
    return tx.one(
        "SELECT * FROM tokens WHERE id = :id AND account_id = :account_id", id=token_id, account_id=account_id
    )


def accounts_of_label(tx: Tx, label: str, *, limit: int) -> list[int]:
    """Return the IDs of accounts that have, or had, a token with this label."""
    rows = tx.all(
        "SELECT DISTINCT account_id FROM tokens WHERE label = :label ORDER BY account_id LIMIT :limit",
        label=label,
        limit=limit,
    )
    return [row["account_id"] for row in rows]


def count_unrestricted(tx: Tx, account_id: int) -> int:
    """Return the number of the account's unrestricted tokens."""
    row = tx.one(
        "SELECT count(*) AS n FROM tokens WHERE account_id = :account_id AND revoked_at_us IS NULL AND scopes IS NULL",
        account_id=account_id,
    )
    assert row is not None
    return int(row["n"])


def with_children(tx: Tx, token_id: int) -> list[int]:
    """Return the token and the tokens that it created, of those not revoked."""
    rows = tx.all(
        "SELECT id FROM tokens WHERE (id = :id OR parent_id = :id) AND revoked_at_us IS NULL ORDER BY id", id=token_id
    )
    return [row["id"] for row in rows]


def revoke(tx: Tx, token_ids: list[int], *, now_us: int) -> None:
    """Revoke tokens."""
    tx.run("UPDATE tokens SET revoked_at_us = :now_us WHERE id = ANY(:ids)", ids=token_ids, now_us=now_us)


def first_expired(tx: Tx, *, wall_us: int) -> Row | None:
    """Return the token that expired first, of those that were not revoked; a parent before its children."""
    return tx.one(
        "SELECT id, account_id, expires_wall_us FROM tokens WHERE expires_wall_us IS NOT NULL AND revoked_at_us IS NULL"
        " AND expires_wall_us <= :wall_us ORDER BY expires_wall_us, id LIMIT 1",
        wall_us=wall_us,
    )


def next_expiry_wall_us(tx: Tx) -> int | None:
    """Return when the next token expires."""
    row = tx.one(
        "SELECT min(expires_wall_us) AS first FROM tokens WHERE expires_wall_us IS NOT NULL AND revoked_at_us IS NULL"
    )
    assert row is not None
    first: int | None = row["first"]
    return first


def by_ids(tx: Tx, token_ids: Collection[int]) -> dict[int, Row]:
    """Return these tokens by their IDs."""
    rows = tx.all("SELECT * FROM tokens WHERE id = ANY(:ids)", ids=sorted(token_ids))
    return {row["id"]: row for row in rows}


def budget_of(row: Row) -> TokenBudget:
    """Return what counts against the limits of the token of this row."""
    return TokenBudget(
        row["id"],
        row["sats_max"],
        row["sats_per_day"],
        row["reserved_sats"],
        row["spent_sats"],
        row["day"],
        row["day_sats"],
    )


def store_budgets(tx: Tx, budgets: Iterable[TokenBudget]) -> None:
    """Write what counts against the limits of these tokens. The account must be locked."""
    columns = ("id", "reserved_sats", "spent_sats", "day", "day_sats")
    tx.update(schema.tokens, columns, [(b.token_id, b.reserved, b.spent, b.day, b.day_sats) for b in budgets])


def count_adopted(tx: Tx, token_ids: list[int], sats: int) -> None:
    """Count what a rental cost these tokens before it was adopted."""
    tx.run("UPDATE tokens SET adopted_sats = adopted_sats + :sats WHERE id = ANY(:ids)", ids=token_ids, sats=sats)


def restricted(tx: Tx) -> list[Row]:
    """Return every restricted token, working or not; for verification."""
    return tx.all("SELECT * FROM tokens WHERE scopes IS NOT NULL ORDER BY id")


def first_account(tx: Tx) -> int | None:
    """Return the account that got the first token, of those not deleted, or None."""
    row = tx.one(
        "SELECT t.account_id FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE a.closed_at_us IS NULL"
        " ORDER BY t.id LIMIT 1"
    )
    return int(row["account_id"]) if row else None


def count_rental(tx: Tx, token_ids: list[int]) -> None:
    """Count one more rental of these tokens."""
    tx.run("UPDATE tokens SET rentals_started = rentals_started + 1 WHERE id = ANY(:ids)", ids=token_ids)
