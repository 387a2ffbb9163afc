"""`--format`: items as tab-separated values, or by a template of their fields."""

from __future__ import annotations

import re
from json import dumps
from string import Formatter
from typing import TYPE_CHECKING, Any

from . import output
from .formatting import escape_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

TSV = "tsv"
_BREAKS = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}  # in a value: one item stays one line
_FIELD = re.compile("[a-z][a-z0-9_]*")


def printer(
    *, json: bool, form: str | None, quiet: bool, identity: str = "{id}", lines: bool = True
) -> Callable[[Iterable[Any]], None] | None:
    """Return the function that prints items as --json, --format or --quiet asks, None if none of them is given. `identity`
    is the template of --quiet; with `lines`, JSON is one item per line."""
    if json + quiet + (form is not None) > 1:
        raise ValueError("--json, --format and --quiet don't go together")
    if json or form == "json":
        return output.json_lines if lines else output.json
    if not quiet and form is None:
        return None
    template = identity if form is None else _checked(form)
    return lambda items: _print(items, template)


def _checked(template: str) -> str:
    """Raise ValueError unless the template has fields only: no attribute, no index, no conversion."""
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


def _print(items: Iterable[Mapping[str, Any]], template: str) -> None:
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
    text = value if isinstance(value, str) else dumps(value, ensure_ascii=False)
    return "".join(_BREAKS.get(character, character) for character in text)
