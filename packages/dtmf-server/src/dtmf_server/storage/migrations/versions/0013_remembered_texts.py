"""Remembered answers know whose texts they show, so that these can be erased with the rental's."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_KNOWN = sa.text("rental_id IS NOT NULL")
# Where the rental of an answer is found, by a field that only such answers have.
_OWNERS = {"content": "messages", "attempts": "deliveries"}


def upgrade() -> None:
    """A column at the end of `idempotency`, filled in for the answers that are remembered now, and its index."""
    op.add_column("idempotency", sa.Column("rental_id", _ID))
    connection = op.get_bind()
    for account_id, key, body in connection.exec_driver_sql(
        "SELECT account_id, key, body FROM idempotency WHERE body IS NOT NULL"
    ).fetchall():
        owner = _owner_of(bytes(body))
        if owner is not None:
            table, id_ = owner
            connection.execute(
                sa.text(
                    f"UPDATE idempotency SET rental_id = (SELECT rental_id FROM {table} WHERE id = :id)"
                    " WHERE account_id = :account_id AND key = :key"
                ),
                {"id": id_, "account_id": account_id, "key": key},
            )
    op.create_index(
        "ix_idempotency_rental_id", "idempotency", ["rental_id"], sqlite_where=_KNOWN, postgresql_where=_KNOWN
    )


def _owner_of(body: bytes) -> tuple[str, int] | None:
    """The table and id of what an answer shows with texts; None for an answer without any."""
    try:
        shown: Any = json.loads(body)
    except ValueError:  # a page's address
        return None
    if not isinstance(shown, dict) or not isinstance(shown.get("id"), int):
        return None
    return next(((table, shown["id"]) for field, table in _OWNERS.items() if field in shown), None)
