"""The audit log: what operators did, to what, and why. Append-only; the rows are written with their action."""

from dtmf_server.storage.db import Row, Tx


def append(
    tx: Tx,
    *,
    operator: str,
    action: str,
    object_: str,
    reason: str,
    wall_us: int,
    account_id: int | None = None,
    sats: int | None = None,
) -> None:
    """Record an action in the transaction that carries it out."""
    tx.run(
        "INSERT INTO operator_actions (at_wall_us, operator, action, object, account_id, sats, reason)"
        " VALUES (:wall_us, :operator, :action, :object, :account_id, :sats, :reason)",
        wall_us=wall_us,
        operator=operator,
        action=action,
        object=object_,
        account_id=account_id,
        sats=sats,
        reason=reason,
    )


def newest(tx: Tx, *, before: int, limit: int) -> list[Row]:
    """Return the actions with IDs below `before`, newest first."""
    return tx.all(
        "SELECT * FROM operator_actions WHERE id < :before ORDER BY id DESC LIMIT :limit", before=before, limit=limit
    )


def newest_of_account(tx: Tx, account_id: int, *, before: int, limit: int) -> list[Row]:
    """Return the actions that concern one account, in the same way."""
    return tx.all(
        "SELECT * FROM operator_actions WHERE account_id = :account_id AND id < :before ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        before=before,
        limit=limit,
    )
