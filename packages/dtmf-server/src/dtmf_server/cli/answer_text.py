"""Answers of the operator's commands, as JSON and as text."""

from collections.abc import Mapping
from typing import Any

import msgspec

from dtmf_server.core.timestamps import iso


def as_json(value: Any) -> Any:
    """Return a value of an operation as JSON: times in UTC without the `_us` of their names, bytes as hexadecimal digits."""
    return _json(msgspec.to_builtins(value, builtin_types=(bytes,)))


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(_member(name, each) for name, each in value.items())
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value


def _member(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_at_us") or name == "at_us":
        return name.removesuffix("_us"), None if value is None else time(value)
    return name, _json(value)


def time(at_us: int) -> str:
    """Format a time in whole seconds, UTC."""
    return iso(at_us)[:19] + "Z"


def fields(values: Mapping[str, Any]) -> str:
    """Format values as `name value, …`, without those that are missing."""
    shown = _json(dict(values))
    return ", ".join(f"{name} {value}" for name, value in shown.items() if value not in (None, ""))
