"""Values as TOML."""

import json
from collections.abc import Mapping
from typing import Any


def toml_value(value: Any) -> str:
    """Format a value of a setting on one line. A TOML basic string is written like one of JSON."""
    if isinstance(value, Mapping):
        entries = [f"{json.dumps(str(key))} = {toml_value(each)}" for key, each in value.items()]
        return f"{{ {', '.join(entries)} }}" if entries else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False)
