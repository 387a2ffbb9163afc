"""Errors as `application/problem+json`: refusals, HTTP errors, and bugs, which are logged and say nothing."""

import logging
from collections.abc import Mapping

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException, ValidationException

from dtmf_server.api.calls import Request
from dtmf_server.core.errors import Refusal
from dtmf_server.log import request_id

_QUERY_NAMES = {"group_type": "type", "token_id": "id"}  # of handlers' parameters, where Python's name differs

log = logging.getLogger("dtmf.api")

_TITLES = {
    400: ("bad_request", "Bad request"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    413: ("body_too_large", "Body too large"),
}


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
        "type": "about:blank",
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


def invalid_parameter(_: Request, error: ValidationException) -> Response[bytes]:
    """A query parameter that does not fit: 422, naming it."""
    found = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    name, message = found.get("key", "request"), found.get("message", error.detail)
    name = _QUERY_NAMES.get(name, name)
    return problem(
        422,
        code="invalid_request",
        title="Invalid request",
        detail=f"{name}: {message}",
        members={"field": name},
    )


def http_error(request: Request, error: HTTPException) -> Response[bytes]:
    """What the HTTP layer refuses: unknown path, wrong method, too long a body."""
    if error.status_code >= 500:
        return crashed(request, error)
    code, title = _TITLES.get(error.status_code, ("refused", "Refused"))
    detail = error.detail
    if error.status_code == 404:
        detail = f"there is no {request.url.path}: GET /schema/openapi.json lists what there is"
    return problem(error.status_code, code=code, title=title, detail=detail, headers=error.headers)


def crashed(_: Request, error: Exception) -> Response[bytes]:
    """A bug of ours: logged whole, told as nothing but its request id."""
    log.error("unexpected error", exc_info=error)
    return problem(
        500,
        code="internal_error",
        title="Internal error",
        detail="this is a fault of the service; nothing was stored. Its log has this request_id",
    )


HANDLERS = {
    Refusal: refused,
    ValidationException: invalid_parameter,
    HTTPException: http_error,
    Exception: crashed,
}
