"""Query string validation: reject duplicate, missing and unknown parameters.

Unknown parameters are rejected because they may be misspelled, except where every parameter is required. There a
misspelled one is reported as missing, and others are ignored: existing clients may send cache busters."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Literal, get_args, get_origin

from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from dtmf_server.api.error_messages import translate_query
from dtmf_server.core.errors import InvalidRequest
from dtmf_server.http.request import Request

# msgspec would accept 1e3 as a whole number, 2018 as a time in 1970, and 1 as true.
_FORMS: dict[type, tuple[re.Pattern[str], str]] = {
    bool: (re.compile("true|false"), "must be true or false"),
    int: (re.compile(r"-?[0-9]+"), "must be a whole number, in the digits 0 to 9"),
    datetime: (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].+"), "must be a time like 2018-01-01T01:01:01"),
}


def check(request: Request) -> None:
    """Reject an ambiguous or incomplete query. Runs before every API request."""
    if request.method == "OPTIONS" or not (request.scope["query_string"] or _required(request.route_handler)):
        return
    names = _names(request.route_handler)
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in names.values():
            if len(_required(request.route_handler)) == len(names):
                continue
            takes = ", ".join(names.values())
            raise InvalidRequest(name, f"is not a parameter of this request; valid parameters: {takes}")
        if given.count(name) > 1:
            raise InvalidRequest(name, "is given more than once: send it once")
    for name, (form, words) in _forms(request.route_handler).items():
        if name in given and not form.fullmatch(request.query_params[name]):
            raise InvalidRequest(name, words)
    for name in _required(request.route_handler):
        if name not in given:
            raise InvalidRequest(name, f"is missing: add ?{name}=… to the URL")


def refusal(request: Request, error: ValidationException) -> InvalidRequest:
    """Convert Litestar's validation error, with the parameter's published name and a plain message."""
    found = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    key, message = found.get("key", "request"), translate_query(found.get("message", error.detail))
    if "can't be" in message and (allowed := _choices(request.route_handler, key)):
        message += f"; it must be {' or '.join(allowed)}"
    return InvalidRequest(_names(request.route_handler).get(key, key), message)


@lru_cache(maxsize=256)  # as many as there are handlers
def _names(handler: BaseRouteHandler) -> dict[str, str]:
    """Map Python names of the handler's query parameters to published names."""
    return {
        name: field.kwarg_definition.name or name
        for name, field in handler.parsed_fn_signature.parameters.items()
        if isinstance(field.kwarg_definition, QueryParameter)
    }


@lru_cache(maxsize=256)
def _required(handler: BaseRouteHandler) -> list[str]:
    fields = handler.parsed_fn_signature.parameters
    return [wire_name for name, wire_name in _names(handler).items() if not fields[name].has_default]


@lru_cache(maxsize=256)
def _forms(handler: BaseRouteHandler) -> dict[str, tuple[re.Pattern[str], str]]:
    """Map published names to the pattern and message of parameters that have one."""
    fields = handler.parsed_fn_signature.parameters
    kinds = {name: (fields[name].annotation, *get_args(fields[name].annotation)) for name in _names(handler)}
    return {
        wire_name: form
        for name, wire_name in _names(handler).items()
        for kind, form in _FORMS.items()
        if kind in kinds[name]
    }


def _choices(handler: BaseRouteHandler, name: str) -> list[str]:
    """Return the allowed values of a parameter with a Literal type."""
    field = handler.parsed_fn_signature.parameters.get(name)
    kinds = () if field is None else (field.annotation, *get_args(field.annotation))  # T, or T | None
    return [str(value) for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
