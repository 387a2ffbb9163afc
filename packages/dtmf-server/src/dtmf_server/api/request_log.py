"""Notes requests that write, for `dtmf-server requests show`; a worker records them in portions (workers/request_log.py)."""

from dataclasses import dataclass

from litestar import Response

from dtmf_server.core import api_token, money
from dtmf_server.http.client_address import header
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.runtime.logging import request_id
from dtmf_server.runtime.request_log import RefusedRequest
from dtmf_server.storage import api_requests
from dtmf_server.storage.api_requests import ApiRequest

READS = ("GET", "HEAD", "OPTIONS", "TRACE")


@dataclass(slots=True)
class Done:
    """The effect of a request's transaction. `changes`: the IDs of rows by table; None: the response to an earlier request was
    repeated."""

    account_id: int = 0
    token_id: int | None = None
    changes: dict[str, list[int]] | None = None


def is_recorded(request: Request) -> bool:
    """Return whether requests are recorded."""
    return runtime_of(request).settings.request_retention_us > 0


def note_success(request: Request, found: object, done: Done) -> None:
    """Note a request whose transaction was committed. A request that opens an account belongs to it."""
    if not is_recorded(request):
        return
    runtime, changes = runtime_of(request), done.changes or {}
    opened = changes.get("accounts")
    runtime.request_log.add(
        ApiRequest(
            request_id=request_id.get() or "",
            account_id=opened[0] if opened and done.account_id == money.NOBODY else done.account_id,
            token_id=done.token_id,
            operation=_operation(request),
            status=_status(found),
            is_repeated=done.changes is None,
            at_wall_us=runtime.clock.wall_us(),
            changes={table: ids[: api_requests.IDS_MAX] for table, ids in changes.items()},
        )
    )


def _status(found: object) -> int:
    if isinstance(found, StoredResponse):
        return found.status
    return (found.status_code or 200) if isinstance(found, Response) else 200


def note_refusal(request: Request, *, status: int, code: str) -> None:
    """Note a request that was refused or failed; it is recorded if its token exists. Reads, and requests to the website,
    are not noted."""
    route = request.scope.get("route_handler")
    if request.method in READS or route is None or "needs" not in route.opt or not is_recorded(request):
        return
    scheme, _, token = header(request.scope, b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not api_token.is_well_formed(token.strip()):
        return
    runtime, sha256 = runtime_of(request), api_token.sha256(token.strip())
    at_us = runtime.clock.wall_us()
    refused = RefusedRequest(request_id.get() or "", sha256, _operation(request), status, code, at_us)
    runtime.request_log.add_refused(refused)


def _operation(request: Request) -> str:
    """Return the operation of a request as in the OpenAPI document: method and path."""
    return f"{request.method} {request.scope['path_template']}"
