"""The settings in effect, and where each comes from."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from dtmf_server.config.meanings import MEANINGS
from dtmf_server.config.section import Section, extra, leaves, type_at
from dtmf_server.config.source import KeyPath, Source, dotted, has, line_of, parsed

DEFAULT = "default"


class EffectiveSetting(Struct, frozen=True):
    """A setting. `value`: None if it is not set or secret. `source`: a file and line, an environment variable, or
    "default"."""

    key: str
    value: Any
    is_set: bool
    is_secret: bool
    source: str
    meaning: str


def effective(config: Section, source: Source) -> Iterator[EffectiveSetting]:
    """Yield every setting, in the order of the schema, without the values of secrets."""
    table = parsed(source.text, source.name)
    for path, value in leaves(config, ()):
        is_secret = _is_secret(config, path)
        yield EffectiveSetting(
            key=dotted(path),
            value=None if is_secret else value,
            is_set=value is not None,
            is_secret=is_secret,
            source=_source(path, table, source),
            meaning=_meaning(config, path),
        )


def secrets_in_file(config: Section, source: Source) -> list[str]:
    """Return the secrets whose values are in the configuration file itself."""
    table = parsed(source.text, source.name)
    return [dotted(path) for path, _ in leaves(config, ()) if _is_secret(config, path) and has(table, path)]


def _is_secret(config: Section, path: KeyPath) -> bool:
    return bool(extra(type_at(type(config), path)).get("secret"))


def _source(path: KeyPath, table: dict[str, Any], source: Source) -> str:
    if path in source.variables:
        return source.variables[path]
    for written in (path, (*path[:-1], f"{path[-1]}_file")):
        if has(table, written):
            return f"{source.name}:{line_of(source.text, written)}"
    return DEFAULT


def _meaning(config: Section, path: KeyPath) -> str:
    """Return the purpose of a setting; "" for one of a plug-in."""
    keys = [key for key in path if isinstance(key, str)]
    owner: Any = config
    for key in path[:-1]:
        owner = owner[key] if isinstance(key, int) else getattr(owner, key)
    of_kind = [*keys[:-1], str(getattr(owner, "kind", "")), keys[-1]]
    return MEANINGS.get(".".join(keys)) or MEANINGS.get(".".join(of_kind), "")
