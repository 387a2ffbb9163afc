"""The effect of an API request, found by its request ID; and the state of a webhook, found by the webhook-id that its
receiver got. Without message texts and phone numbers of correspondents."""

from collections.abc import Sequence

from msgspec import Struct

from dtmf_server.storage import api_requests, request_effects, tokens
from dtmf_server.storage.db import Row, Tx

WEBHOOK_ID = "dlv_"


class Effect(Struct, frozen=True):
    """A row that a request created or changed, as it is now: its kind, like 'rental', its ID and its columns."""

    kind: str
    id: int
    values: dict[str, object]


class RequestExplanation(Struct, frozen=True, kw_only=True):
    """A recorded request. `code`: why it was refused. `is_repeated`: it got the stored response to an earlier request with the
    same Idempotency-Key, and changed nothing. `other_changes`: how many rows of other tables it wrote."""

    request_id: str
    at_us: int
    account_id: int
    token_id: int | None
    token_label: str | None
    operation: str
    status: int
    code: str | None
    is_repeated: bool
    effects: Sequence[Effect]
    other_changes: dict[str, int]


def explain(tx: Tx, request_id: str) -> list[RequestExplanation]:
    """Return what is recorded of a request: nothing if it only read, was refused without a valid token, or is older than
    `retention.request_days`; two if it failed after its transaction."""
    return [_explanation(tx, row) for row in api_requests.of_request_id(tx, request_id)]


def _explanation(tx: Tx, row: Row) -> RequestExplanation:
    changes = api_requests.changes_of(row)
    effects = [
        _effect(kind, each)
        for kind, (table, read) in request_effects.READERS.items()
        if changes.get(table)
        for each in read(tx, changes[table])
    ]
    read = {table for table, _ in request_effects.READERS.values()}
    return RequestExplanation(
        request_id=row["request_id"],
        at_us=row["at_wall_us"],
        account_id=row["account_id"],
        token_id=row["token_id"],
        token_label=None if row["token_id"] is None else tokens.label(tx, row["token_id"]),
        operation=row["operation"],
        status=row["status"],
        code=row["code"],
        is_repeated=bool(row["is_repeated"]),
        effects=effects,
        other_changes={table: len(ids) for table, ids in changes.items() if table not in read},
    )


def delivery(tx: Tx, webhook_id: str) -> Effect | None:
    """Return the delivery with this webhook-id (`dlv_…`), or None."""
    digits = webhook_id.removeprefix(WEBHOOK_ID)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        return None
    rows = request_effects.deliveries(tx, [int(digits)])
    return _effect("delivery", rows[0]) if rows else None


def _effect(kind: str, row: Row) -> Effect:
    return Effect(kind, row["id"], {name: value for name, value in dict(row).items() if name != "id"})
