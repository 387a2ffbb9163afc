"""The record of API requests that write: what each one was and what it changed. Times are wall time."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

IDS_MAX = 50  # of each table, in one request's changes
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(dict[str, list[int]]).decode


class ApiRequest(Struct, frozen=True, kw_only=True):
    """A request. `code`: why it was refused; None for a success. `changes`: IDs of rows by table."""

    request_id: str
    account_id: int
    token_id: int | None
    operation: str
    status: int
    code: str | None = None
    is_repeated: bool = False
    at_wall_us: int
    changes: dict[str, list[int]] = {}


def add(tx: Tx, requests: Sequence[ApiRequest]) -> None:
    """Record requests."""
    columns = (
        "request_id",
        "account_id",
        "token_id",
        "operation",
        "status",
        "code",
        "is_repeated",
        "at_wall_us",
        "changes",
    )
    tx.insert(
        schema.api_requests,
        columns,
        [
            (
                r.request_id,
                r.account_id,
                r.token_id,
                r.operation,
                r.status,
                r.code,
                r.is_repeated,
                r.at_wall_us,
                _json(r.changes),
            )
            for r in requests
        ],
    )


def _json(changes: dict[str, list[int]]) -> str:
    return _encode({table: ids[:IDS_MAX] for table, ids in changes.items()}).decode() if changes else "{}"


def of_request_id(tx: Tx, request_id: str) -> list[Row]:
    """Return what is recorded of a request: one row, or two if it failed after its transaction."""
    return tx.all(
        "SELECT * FROM api_requests WHERE request_id = :request_id ORDER BY id LIMIT 10", request_id=request_id
    )


def changes_of(row: Row) -> dict[str, list[int]]:
    """Return the IDs of rows that a request changed, by table; at most IDS_MAX of each."""
    return _decode(row["changes"].encode())


def forget(tx: Tx, *, before_wall_us: int, limit: int) -> int:
    """Delete some of the requests made before then. Return how many; call until 0."""
    return tx.run(
        "DELETE FROM api_requests WHERE id IN (SELECT id FROM api_requests ORDER BY id LIMIT :limit)"
        " AND at_wall_us < :before_wall_us",
        before_wall_us=before_wall_us,
        limit=limit,
    )
