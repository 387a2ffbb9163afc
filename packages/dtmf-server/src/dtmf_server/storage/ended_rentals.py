"""Ended rentals whose texts are still stored: by account, newest end first, in pages."""

from dtmf_server.storage.db import Row, Tx

_KEPT = "account_id = :account_id AND ended_at_us IS NOT NULL AND erased_at_us IS NULL"


def newest(tx: Tx, account_id: int, *, before: int | None, limit: int) -> list[Row]:
    """Return an account's ended rentals, the last to end first; if `before` is given, those that ended before that
    rental."""
    older = (
        "" if before is None else " AND (ended_at_us, id) < (SELECT ended_at_us, id FROM rentals WHERE id = :before)"
    )
    return tx.all(
        f"SELECT * FROM rentals WHERE {_KEPT}{older} ORDER BY ended_at_us DESC, id DESC LIMIT :limit",
        account_id=account_id,
        before=before,
        limit=limit,
    )


def of_id(tx: Tx, account_id: int, rental_id: int) -> Row | None:
    """Return one ended rental."""
    return tx.one(
        f"SELECT * FROM rentals WHERE id = :rental_id AND {_KEPT}", account_id=account_id, rental_id=rental_id
    )


def of_number(tx: Tx, account_id: int, e164: str, *, limit: int) -> list[Row]:
    """Return an account's ended rentals of one number, the last to end first."""
    return tx.all(
        f"SELECT * FROM rentals WHERE {_KEPT} AND e164 = :e164 ORDER BY ended_at_us DESC, id DESC LIMIT :limit",
        account_id=account_id,
        e164=e164,
        limit=limit,
    )


def newest_depleted(tx: Tx, account_id: int, *, ended_after_us: int) -> list[Row]:
    """Return up to 10 rentals that a lack of balance has ended since then, the last to end first."""
    return tx.all(
        f"SELECT * FROM rentals WHERE {_KEPT} AND ended_at_us > :ended_after_us AND end_reason = 'depleted'"
        " ORDER BY ended_at_us DESC, id DESC LIMIT 10",
        account_id=account_id,
        ended_after_us=ended_after_us,
    )


def newest_live_start_us(tx: Tx, account_id: int) -> int | None:
    """Return when the newest of the account's live rentals started, or None."""
    row = tx.one(
        "SELECT started_at_us FROM rentals WHERE account_id = :account_id AND ended_at_us IS NULL"
        " ORDER BY id DESC LIMIT 1",
        account_id=account_id,
    )
    return None if row is None else int(row["started_at_us"])


def runs_out(tx: Tx, account_id: int, *, now_us: int) -> Row:
    """Return the account's current time, when its balance runs out and when its first rental reaches a limit (None:
    never), as booked: in the past if the meter has yet to write what ended then."""
    row = tx.one(
        "SELECT depletes_at_us, limit_at_us, CASE WHEN settled_at_us > :now_us THEN settled_at_us ELSE :now_us END AS now_us"
        " FROM accounts WHERE id = :account_id",
        account_id=account_id,
        now_us=now_us,
    )
    assert row is not None
    return row
