"""Parse JSON request bodies. Ignores Content-Type, because plain `curl -d` sends a form's; errors name the field."""

import json
import re
from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from litestar.handlers import HTTPRouteHandler

from dtmf_server.api.error_messages import translate
from dtmf_server.core.errors import InvalidRequest

T = TypeVar("T")

BODY_MAX_BYTES = 64 * 1024
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(body: bytes, type_: type[T]) -> T:
    """Decode the body as `type_`. Raises InvalidRequest naming the field."""
    try:
        decoded = cast(T, _decoder(cast(Hashable, type_)).decode(body))
        _refuse_duplicates(body)
    except msgspec.ValidationError as error:
        raise _invalid_field(str(error), type_) from error
    except RecursionError as error:
        raise InvalidRequest("body", "is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest("body", f"is not UTF-8: {error.reason} near byte {error.start}") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest("body", _not_json(body, str(error), type_)) from error
    return decoded


def require_empty(body: bytes) -> None:
    """Reject a body where none is expected; an empty object counts as none."""
    if body.strip():
        decode(body, _Nothing)


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def _invalid_field(text: str, type_: type[Any]) -> InvalidRequest:
    """Convert a validation error to one that names the field."""
    at, message = _PATH.search(text), _PATH.sub("", text)
    named = re.search(r"field `([^`]+)`", message)
    field = (at and at.group(1)) or (named and named.group(1)) or "body"
    said = translate(message)
    if named or field == "body":
        said += f"; valid fields: {_fields(type_)}"
    return InvalidRequest(field, said)


def _not_json(body: bytes, message: str, type_: type[Any]) -> str:
    if not body.strip():
        return f"is empty: send a JSON object with {_fields(type_)}"
    if _LONE_SURROGATE.search(body):
        return "contains half of a surrogate pair (\\ud800 to \\udfff), which is not a character"
    return translate(message)


def _fields(type_: type[Any]) -> str:
    return ", ".join(field.encode_name for field in msgspec.structs.fields(type_)) or "no fields"


def _refuse_duplicates(body: bytes) -> None:
    """Reject duplicate fields, which parsers resolve differently. The body is known to be a small, flat object."""

    def pairs(found: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in found]
        for name in names:
            if names.count(name) > 1:
                raise InvalidRequest(name, "is given more than once: send it once")

    json.loads(body, object_pairs_hook=pairs, parse_int=str, parse_float=str)


def type_of(handler: HTTPRouteHandler) -> type[Any] | None:
    """Return the type of the handler's JSON body; None if it has none."""
    body: type[Any] | None = handler.opt.get("body")
    return body


def is_required(type_: type[Any]) -> bool:
    """True if a field has no default, so the body is required."""
    return any(field.required for field in msgspec.structs.fields(type_))
