"""Request bodies: JSON, whatever the Content-Type says (plain `curl -d` calls it a form); errors name the field."""

import re
from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema

from dtmf.e164 import parse as parse_e164
from dtmf_server.core.errors import InvalidRequest

T = TypeVar("T")

BODY_MAX_BYTES = 64 * 1024
_SCHEMA_NAMES = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "anyOf": "any_of",
    "additionalProperties": "additional_properties",
    "exclusiveMinimum": "exclusive_minimum",
}
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")


def decode(body: bytes, type_: type[T]) -> T:
    """The body as `type_`. Raises InvalidRequest naming the field."""
    try:
        return cast(T, _decoder(cast(Hashable, type_)).decode(body))
    except msgspec.ValidationError as error:
        text = str(error)
        at = _PATH.search(text)
        message = _PATH.sub("", text)
        missing = re.search(r"field `([^`]+)`", message)
        field = (at and at.group(1)) or (missing and missing.group(1)) or "body"
        raise InvalidRequest(field, message) from error
    except RecursionError as error:
        raise InvalidRequest("body", "nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest("body", f"not the JSON object that is wanted here ({error})") from error


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def e164(field: str, value: str) -> str:
    """The number, or InvalidRequest naming the field."""
    try:
        return parse_e164(value)
    except ValueError as error:
        raise InvalidRequest(field, str(error)) from error


def text(field: str, value: str) -> str:
    """The text, or InvalidRequest if a database or a phone can't hold it."""
    if "\0" in value:
        raise InvalidRequest(field, "a NUL character can't be stored; leave it out")
    return value


def documents(type_: type[Any]) -> type[Operation]:
    """The OpenAPI operation of a handler whose JSON body is `type_`."""
    schema = _inlined(msgspec.json.schema(type_))

    class JsonBody(Operation):
        def __post_init__(self) -> None:
            media = OpenAPIMediaType(schema=Schema(**schema))
            self.request_body = RequestBody(content={"application/json": media}, required=True)

    return JsonBody


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A msgspec schema as keyword arguments of Litestar's Schema."""
    definition = schema["$defs"][schema["$ref"].rsplit("/", 1)[1]]

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        fields = {_SCHEMA_NAMES.get(key, key): item for key, item in value.items() if key != "title"}
        if "properties" in fields:
            fields["properties"] = {key: Schema(**convert(item)) for key, item in fields["properties"].items()}
        if "any_of" in fields:
            fields["any_of"] = [Schema(**convert(item)) for item in fields["any_of"]]
        return fields

    converted: dict[str, Any] = convert(definition)
    return converted
