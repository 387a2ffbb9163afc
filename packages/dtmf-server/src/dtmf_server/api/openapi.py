"""The OpenAPI document: Litestar's, plus what Litestar can't know: bodies, headers, problems, security."""

from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from dtmf_server.api import scopes
from dtmf_server.api.pagination import ID_MAX
from dtmf_server.api.request_body import is_required, type_of
from dtmf_server.api.schemas import responses

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_PROBLEMS = {
    status: {"$ref": "#/components/responses/Problem"}
    for status in ("4XX", "5XX")  # `code` identifies the error
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "requests with the same key take effect once; the response is stored for 48 hours",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`return=representation` returns the message",
    "schema": {"type": "string", "examples": ["return=representation"]},
}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "the id of the last event received, as EventSource sends it; overrides `after`; ignored if empty",
    "schema": {"type": "string", "pattern": "^[0-9]{0,19}$"},
}
_EVENT_STREAM = {"schema": {"type": "string", "description": "Server-Sent Events; `data` is an Event as JSON"}}


@lru_cache(maxsize=1)
def document(app: Litestar) -> Json:
    """Return the complete document. Built once."""
    found: Json = app.openapi_schema.to_schema()
    handlers = list(_handlers(app))
    bodies = [type_ for _, _, handler in handlers if (type_ := type_of(handler))]
    _, schemas = msgspec.json.schema_components([responses.Problem, *bodies], ref_template=_REF)
    found["components"]["schemas"] |= schemas
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}}
    found["components"]["responses"] = {
        "Problem": {"description": "An error, identified by `code`", "content": content}
    }
    for path, method, handler in handlers:
        _complete(found["paths"][path][method], method, handler)
    _mend_schemas(found)
    return found


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Yield every documented operation: path, method in lower case, handler."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if handler.resolve_include_in_schema():
                yield from ((route.path_format, method.lower(), handler) for method in handler.http_methods)


def _complete(operation: Json, method: str, handler: HTTPRouteHandler) -> None:
    """Add what Litestar leaves out of an operation, and remove the 400 response, which we never send."""
    if body_type := type_of(handler):
        schema = {"$ref": _REF.format(name=body_type.__name__)}
        operation["requestBody"] = {
            "content": {"application/json": {"schema": schema}},
            "required": is_required(body_type),
        }
    operation["operationId"] = handler.handler_name
    if handler.security is not None:
        operation["security"] = list(handler.security)
    _name_scope(operation, handler)
    headers = [_KEY] if method in ("post", "delete") else []
    if "201" in operation["responses"] and "204" in operation["responses"]:
        headers.append(_PREFER)
    if handler.opt.get("event_stream"):
        headers.append(_LAST_EVENT_ID)
        operation["responses"]["200"]["content"]["text/event-stream"] = _EVENT_STREAM
    if headers:
        operation.setdefault("parameters", []).extend(headers)
    operation["responses"].pop("400", None)
    for status, response in operation["responses"].items():
        response["description"] = HTTPStatus(int(status)).phrase
    operation["responses"] |= _PROBLEMS
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "e164":
            parameter["schema"] = {"$ref": _REF.format(name="E164")}
        # Optional query parameters are omitted; a query can't express null.
        kinds = [kind for kind in parameter["schema"].pop("oneOf", []) if kind != {"type": "null"}]
        parameter["schema"] |= kinds[0] if len(kinds) == 1 else {}


def _name_scope(operation: Json, handler: HTTPRouteHandler) -> None:
    """Add the scope that the operation needs, as OpenAPI 3.1 allows for bearer tokens, and as a sentence."""
    needs = handler.opt.get("needs", scopes.PUBLIC)
    if needs == scopes.PUBLIC:
        return
    fields = scopes.FIELDS.get(handler.handler_name, {})
    alternatives = sorted(set(fields.values())) or [needs]
    operation["security"] = [{"token": [] if each == scopes.ANY else [each]} for each in alternatives]
    sentence = {
        scopes.ANY: "Every token may call this.",
        scopes.UNRESTRICTED: "Only unrestricted tokens may call this.",
    }.get(needs, f"Needs the scope `{needs}`.")
    if fields:
        sentence = (
            "Needs a scope for each field: " + ", ".join(f"`{fields[name]}` for `{name}`" for name in fields) + "."
        )
    operation["description"] = f"{operation['description'].rstrip()}\n\n{sentence}"


def _mend_schemas(found: Json) -> None:
    """Make the bounds of integers exact integers, and define E164."""
    found["components"]["schemas"]["E164"] = {
        "type": "string",
        "pattern": r"^\+[1-9][0-9]{1,14}$",
        "examples": ["+1234567890"],
    }
    waiting: list[Any] = [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("type") == "integer":
                value |= {key: min(int(value[key]), ID_MAX) for key in ("minimum", "maximum") if key in value}
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
