"""Record the API requests of this process."""

import asyncio
from contextlib import suppress
from functools import partial

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.runtime.context import Runtime
from dtmf_server.runtime.request_log import RefusedRequest
from dtmf_server.storage import account_erasure, api_requests, tokens
from dtmf_server.storage.api_requests import ApiRequest
from dtmf_server.storage.db import Tx

INTERVAL_S = 1.0
PORTION = 500  # requests in one transaction


async def run_request_log(runtime: Runtime) -> None:
    """Record requests every INTERVAL_S until cancelled, and what is left then. Requests that the database
    can't store are dropped."""
    try:
        while True:
            await asyncio.sleep(INTERVAL_S)
            await record_requests(runtime)
    finally:
        await record_requests(runtime)


async def record_requests(runtime: Runtime) -> None:
    """Record the requests since the last call. A power loss may undo it."""
    while any(taken := runtime.request_log.take(PORTION)):
        successes, refusals = taken
        with suppress(StorageUnavailable):
            await runtime.db.write(partial(_record, successes=successes, refusals=refusals), durable=False)


def _record(tx: Tx, *, successes: list[ApiRequest], refusals: list[RefusedRequest]) -> None:
    """Record requests, except those of deleted accounts, and refusals whose token does not exist."""
    owners = tokens.owners(tx, {refusal.token_sha256 for refusal in refusals}) if refusals else {}
    found = successes + [
        ApiRequest(
            request_id=refusal.request_id,
            account_id=owner["account_id"],
            token_id=owner["id"],
            operation=refusal.operation,
            status=refusal.status,
            code=refusal.code,
            at_wall_us=refusal.at_wall_us,
        )
        for refusal in refusals
        if (owner := owners.get(refusal.token_sha256))
    ]
    closed = account_erasure.closed_among(tx, {request.account_id for request in found})
    api_requests.add(tx, [request for request in found if request.account_id not in closed])
