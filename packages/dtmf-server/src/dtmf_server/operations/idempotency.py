"""Safe retries: a request with an Idempotency-Key is executed once, and its response is returned again."""

from collections.abc import Callable

from msgspec import Struct

from dtmf_server.core.errors import AlreadyIssued, IdempotencyMismatch
from dtmf_server.storage import idempotency
from dtmf_server.storage.db import Tx


class StoredResponse(Struct, frozen=True):
    """A successful response as sent. `secret`: it contains a token and must never be stored. `rental_id`: the rental
    whose texts it contains."""

    status: int
    body: bytes | None = None
    secret: bool = False
    rental_id: int | None = None


def run_idempotent(
    tx: Tx, *, account_id: int, key: str, fingerprint: bytes, wall_us: int, action: Callable[[Tx], StoredResponse]
) -> StoredResponse:
    """Return the response to this key's request, which is executed at most once.

    The key is stored in the transaction of the effect: a concurrent request waits for the first. A refusal rolls the
    key back with everything else, so only successes are stored. Raises IdempotencyMismatch, AlreadyIssued.
    """
    earlier = idempotency.begin(tx, account_id=account_id, key=key, fingerprint=fingerprint, wall_us=wall_us)
    if earlier is None:
        answer = action(tx)
        idempotency.finish(
            tx,
            account_id=account_id,
            key=key,
            status=answer.status,
            body=answer.body,
            secret=answer.secret,
            rental_id=answer.rental_id,
        )
        return answer
    if bytes(earlier["fingerprint"]) != fingerprint:
        raise IdempotencyMismatch
    if earlier["secret"]:
        raise AlreadyIssued
    return StoredResponse(earlier["status"], None if earlier["body"] is None else bytes(earlier["body"]))
