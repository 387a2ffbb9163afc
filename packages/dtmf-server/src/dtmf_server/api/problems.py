"""Problem details (`application/problem+json`) for refusals, HTTP errors and unexpected exceptions."""

import logging
import random
from collections.abc import Mapping

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException, ValidationException

from dtmf_server.api import query_validation, request_log
from dtmf_server.api.error_catalog import problem_type
from dtmf_server.api.request_body import BODY_MAX_BYTES
from dtmf_server.core.errors import Refusal
from dtmf_server.http.request import BROKEN_OFF, Request
from dtmf_server.runtime.logging import request_id

log = logging.getLogger("dtmf.api")

_TITLES = {
    400: ("bad_request", "Bad request"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    413: ("body_too_large", "Body too large"),
}


def new_request_id() -> str:
    """Create a request ID, shown in the response and the log. It isn't secret."""
    return f"req_{random.getrandbits(64):016x}"


def problem(
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    members: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """Build problem details (RFC 9457) with the request ID and further members."""
    body = {
        "type": problem_type(code),
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id.get(),
        **(members or {}),
    }
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/problem+json",
        headers=dict(headers or {}),
    )


def refused(request: Request, error: Refusal) -> Response[bytes]:
    """Convert a refusal."""
    request_log.note_refusal(request, status=error.status, code=error.code)
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if "retry_after" in error.members:
        headers["Retry-After"] = str(error.members["retry_after"])
    return problem(
        error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        members=error.members,
        headers=headers,
    )


def invalid_parameter(request: Request, error: ValidationException) -> Response[bytes]:
    """Convert an invalid query parameter to a 422 that names it."""
    return refused(request, query_validation.refusal(request, error))


def http_error(request: Request, error: HTTPException) -> Response[bytes]:
    """Convert an HTTP error: unknown path, wrong method, body too large."""
    if error.detail == BROKEN_OFF:  # the client has gone; not an error of the service
        return problem(
            400, code="bad_request", title="Bad request", detail="the connection closed before the request was complete"
        )
    if error.status_code >= 500:
        return crashed(request, error)
    code, title = _TITLES.get(error.status_code, ("refused", "Refused"))
    detail = error.detail
    if error.status_code == 404:
        detail = f"{request.url.path} does not exist: GET /schema/openapi.json lists all paths"
    elif error.status_code == 405:
        allowed = allowed_methods(error)
        detail = f"{request.url.path} does not allow {request.method}; it allows {allowed}"
        return problem(405, code=code, title=title, detail=detail, headers={"allow": allowed})
    elif error.status_code == 413:
        detail = f"the body is larger than the limit of {BODY_MAX_BYTES:,} bytes"
    return problem(error.status_code, code=code, title=title, detail=detail, headers=error.headers)


def allowed_methods(error: HTTPException) -> str:
    """Return the methods that the path allows. The middleware answers HEAD and OPTIONS."""
    given = {*(error.headers or {}).get("allow", "").split(", ")} - {""}
    return ", ".join(sorted({*given, "OPTIONS"} | ({"HEAD"} if "GET" in given else set())))


def crashed(request: Request, error: Exception) -> Response[bytes]:
    """Log an unexpected exception; show only the request ID."""
    request_log.note_refusal(request, status=500, code="internal_error")
    log.error("unexpected error", exc_info=error)
    return problem(
        500,
        code="internal_error",
        title="Internal error",
        detail="something went wrong in the service; nothing was stored. Report this request_id to the operator",
    )
