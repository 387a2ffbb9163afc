"""`--format`: items as tab-separated values, or by a template of their fields."""

from __future__ import annotations

import json
import re
from string import Formatter
from typing import TYPE_CHECKING, Any

from . import output
from .formatting import escape_controls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TSV = "tsv"
_BREAKS = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}  # in a value: one item stays one line
_FIELD = re.compile("[a-z][a-z0-9_]*")


def check_template(template: str) -> str:
    """Return the template. Raises ValueError unless it has fields only: no attribute, no index, no conversion."""
    try:
        fields = [each for each in Formatter().parse(template) if each[1] is not None]
    except ValueError as error:
        raise ValueError(f"--format {template!r}: {error}") from error
    if template != TSV and not fields:
        raise ValueError(f"--format must be json, tsv, or a template with fields, like '{{id}}', not {template!r}")
    for _, name, spec, conversion in fields:
        if not _FIELD.fullmatch(name or "") or conversion or "{" in (spec or ""):
            raise ValueError(f"--format {template!r}: use only the names of fields, like '{{id}}' or '{{id:>8}}'")
    return template


def print_items(items: Iterable[Mapping[str, Any]], template: str) -> None:
    """Print each item on a line of its own."""
    for item in items:
        values = {name: _shown(value) for name, value in item.items()}
        print(escape_controls("\t".join(map(str, values.values())) if template == TSV else _filled(template, values)))
        output.flush()


def _filled(template: str, values: Mapping[str, str | int | float]) -> str:
    try:
        return template.format_map(values)
    except KeyError as error:
        raise ValueError(f"--format: there is no field {error}; the fields are {', '.join(values)}") from error
    except ValueError as error:
        raise ValueError(f"--format {template!r}: {error}") from error


def _shown(value: Any) -> str | int | float:
    """Return numbers as they are, so that a template can align them, and everything else as a text of one line."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(_BREAKS.get(character, character) for character in text)
