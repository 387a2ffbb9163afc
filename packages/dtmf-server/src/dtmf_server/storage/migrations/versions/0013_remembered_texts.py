"""Stored responses record whose texts they contain, so that these can be erased with the rental's."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_KNOWN = sa.text("rental_id IS NOT NULL")
# Where to find the rental of a response, by a field that only such responses have.
_OWNERS = {"content": "messages", "attempts": "deliveries"}


def upgrade() -> None:
    """Add a column at the end of `idempotency`, with its index, and fill it in for existing responses."""
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
    """Return the table and ID of what a response's texts belong to; None for a response without texts."""
    try:
        shown: Any = json.loads(body)
    except ValueError:  # the URL of a page
        return None
    if not isinstance(shown, dict) or not isinstance(shown.get("id"), int):
        return None
    return next(((table, shown["id"]) for field, table in _OWNERS.items() if field in shown), None)
