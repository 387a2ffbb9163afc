"""Errors as `application/problem+json`: refusals, HTTP errors, and bugs, which are logged and say nothing."""

import logging
import random
from collections.abc import Mapping

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException, ValidationException

from dtmf_server.api import query_validation
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
    """An id that the answer and the log have in common; it is no secret."""
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
    """A problem as RFC 9457 has it, with the request's id and whatever else helps."""
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


def refused(_: Request, error: Refusal) -> Response[bytes]:
    """What the service refuses, by its own name."""
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
    """A query parameter that does not fit: 422, naming it."""
    return refused(request, query_validation.refusal(request, error))


def http_error(request: Request, error: HTTPException) -> Response[bytes]:
    """What the HTTP layer refuses: unknown path, wrong method, too long a body."""
    if error.detail == BROKEN_OFF:  # nobody is there to read it, but it is no fault of ours
        return problem(400, code="bad_request", title="Bad request", detail="the request broke off")
    if error.status_code >= 500:
        return crashed(request, error)
    code, title = _TITLES.get(error.status_code, ("refused", "Refused"))
    detail = error.detail
    if error.status_code == 404:
        detail = f"there is no {request.url.path}: GET /schema/openapi.json lists what there is"
    elif error.status_code == 405:
        allowed = allowed_methods(error)
        detail = f"{request.url.path} does not take {request.method}; it takes {allowed}"
        return problem(405, code=code, title=title, detail=detail, headers={"allow": allowed})
    elif error.status_code == 413:
        detail = f"the body has more than the {BODY_MAX_BYTES:,} bytes that are read"
    return problem(error.status_code, code=code, title=title, detail=detail, headers=error.headers)


def allowed_methods(error: HTTPException) -> str:
    """The methods that the path takes. HEAD and OPTIONS are answered by the middleware."""
    given = {*(error.headers or {}).get("allow", "").split(", ")} - {""}
    return ", ".join(sorted({*given, "OPTIONS"} | ({"HEAD"} if "GET" in given else set())))


def crashed(_: Request, error: Exception) -> Response[bytes]:
    """A bug of ours: logged whole, told as nothing but its request id."""
    log.error("unexpected error", exc_info=error)
    return problem(
        500,
        code="internal_error",
        title="Internal error",
        detail="this is a fault of the service; nothing was stored. Its log has this request_id",
    )
