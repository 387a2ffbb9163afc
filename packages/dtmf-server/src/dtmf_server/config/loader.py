"""Reads settings from a TOML file and the environment, and reports exactly where an invalid one is.

Environment variables follow one rule: DTMF_ and the setting's path in capitals, joined by two underscores (DTMF_MODE,
DTMF_SERVER__PORT). Tables of a list are numbered from 0 (DTMF_CARRIER__0__PASSWORD). Lists are comma-separated. A
variable that ends in _FILE names a file that contains the value. A variable that names no setting is an error, except
those of the client and the tests. In the file, `password_file` names a file that contains `password`; so can every other
secret be kept out of it.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from dtmf_server.config.carrier import KEY, SettingsOf, no_kinds, with_kinds
from dtmf_server.config.lightning import KEY as LIGHTNING
from dtmf_server.config.lightning import LightningSettingsOf, no_lightning, with_lightning
from dtmf_server.config.section import (
    Section,
    description,
    extra,
    fields,
    is_section,
    item_type,
    known,
    leaves,
    type_at,
)
from dtmf_server.config.source import ConfigError, KeyPath, Source, dotted, parsed, read_text

PREFIX = "DTMF_"
NOT_SETTINGS = re.compile(r"DTMF_(TOKEN|URL|TEST_.*)\Z", re.DOTALL)  # those of the client and the tests

S = TypeVar("S", bound=Section)


def read(
    root: type[S],
    path: Path | None,
    environ: Mapping[str, str],
    *,
    settings_of: SettingsOf = no_kinds,
    lightning_of: LightningSettingsOf = no_lightning,
) -> tuple[S, Source]:
    """Return the settings of a file (None: an empty one), overridden by the environment, and the source of each.
    `settings_of` returns the settings class of a kind of carrier, `lightning_of` that of a kind of Lightning node. Raises
    ConfigError."""
    name = "" if path is None else str(path)
    text = "" if path is None else read_text(path, "configuration")
    table = parsed(text, name)
    kinds, named = _kinds_from_environment(environ)
    source = Source(name, text, named)
    root = with_kinds(root, table, kinds, settings_of, source.where)
    root = with_lightning(root, table, _lightning_kind(environ, named), lightning_of, source.where)
    folder = path.parent if path else Path()
    _read_secret_files(root, table, (), source, lambda name: _passed_on(folder / name, environ))
    variables: dict[KeyPath, str] = {}
    for keys, variable, value in sorted(_from_environment(root, environ), key=lambda found: found[0]):
        _put(table, keys, value, variable)
        variables[keys] = variable
    source = Source(name, text, variables)
    for unknown in _unknown(root, table, ()):
        raise ConfigError(f"{source.where(unknown)}: {_nearest(root, unknown)}")
    settings = _converted(root, table, source)
    for keys, value in leaves(settings, ()):
        if not _works(value, type_at(root, keys)):
            raise ConfigError(f"{source.where(keys)}: {_wrong(root, keys, value)}")
    return settings, source


def _from_environment(root: type[Section], environ: Mapping[str, str]) -> Iterator[tuple[KeyPath, str, Any]]:
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or NOT_SETTINGS.match(variable):
            continue
        name = variable.removesuffix("_FILE")
        path = _path_of(name)
        kind = type_at(root, path)
        if get_origin(kind) is not Annotated or _variable_of(path) != name:
            settings = [_variable_of(path) for path in known(root, ())]
            nearest = difflib.get_close_matches(variable.upper(), settings, 1, 0)[0]
            raise ConfigError(f"the environment variable {variable!r} is not a setting; the nearest is {nearest}")
        if name != variable and name in environ:
            raise ConfigError(f"{name} and {variable} are both set: use only one of them")
        yield path, variable, _from_text(kind, text if name == variable else _secret(variable, Path(text)))


def _kinds_from_environment(environ: Mapping[str, str]) -> tuple[dict[int, str], dict[KeyPath, str]]:
    """Return the kind of each carrier, by index, that variables configure ("": not set), and the variables that set
    it."""
    kinds: dict[int, str] = {}
    variables: dict[KeyPath, str] = {}
    for variable, text in environ.items():
        name = variable.removesuffix("_FILE")
        path = _path_of(name) if variable.startswith(PREFIX) else ()
        if len(path) != 3 or path[0] != KEY or not isinstance(path[1], int) or _variable_of(path) != name:
            continue
        kinds.setdefault(path[1], "")
        if path[2] == "kind":
            kinds[path[1]] = text if name == variable else _secret(variable, Path(text))
            variables[path] = variable
    return kinds, variables


def _lightning_kind(environ: Mapping[str, str], variables: dict[KeyPath, str]) -> str | None:
    """Return the kind of Lightning node that a variable sets, and add the variable."""
    name = _variable_of((LIGHTNING, "kind"))
    for variable in (name, f"{name}_FILE"):
        if variable in environ:
            variables[LIGHTNING, "kind"] = variable
            text = environ[variable]
            return text if variable == name else _secret(variable, Path(text))
    return None


def _read_secret_files(
    section: type[Section], table: Any, path: KeyPath, source: Source, find: Callable[[str], Path]
) -> None:
    """Replace each key like `password_file` of a secret by the secret from that file, which `find` returns. A relative path is
    relative to the folder of the configuration."""
    for key, value in [*table.items()] if isinstance(table, dict) else ():
        kind = fields(section).get(key)
        secret = key.removesuffix("_file")
        if isinstance(kind, type) and issubclass(kind, Section):
            _read_secret_files(kind, value, (*path, key), source, find)
        elif get_origin(kind) is tuple and isinstance(value, list):
            for index, item in enumerate(value):
                _read_secret_files(item_type(kind, index), item, (*path, key, index), source, find)
        elif kind is None and secret != key and extra(fields(section).get(secret)).get("secret"):
            where = f"{source.where((*path, key))}: {dotted((*path, key))}"
            if secret in table:
                raise ConfigError(f"{where}: {secret} is set too: use only one of them")
            if not isinstance(value, str) or not value:
                raise ConfigError(f"{where} must be the path of a file, not {_shown(value)}")
            try:
                table[secret] = _secret(dotted((*path, key)), find(value))
            except ConfigError as error:
                raise ConfigError(f"{source.where((*path, key))}: {error}") from None
            del table[key]


def _passed_on(path: Path, environ: Mapping[str, str]) -> Path:
    """Return the copy of a secret that systemd passes on to the service (`LoadCredential=secrets:/etc/dtmf/secrets`), if there
    is one, or the path itself, which only root may be able to read."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    copy = Path(folder) / f"{path.parent.name}_{path.name}" if folder else path
    return copy if copy.is_file() else path


def _secret(variable: str, path: Path) -> str:
    """Return the content of a file, without the trailing line end that editors add."""
    return read_text(path, variable).removesuffix("\n").removesuffix("\r")


def _from_text(kind: Any, text: str) -> Any:
    """Return the value of a variable's text, or the text itself, which the type check will reject."""
    kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return text


def _put(table: Any, path: KeyPath, value: Any, variable: str) -> None:
    """Set a key, creating tables as needed. If the file has something other than a table, leave it: the type check
    reports it."""
    for key, following in pairwise(path):
        if isinstance(table, list) and isinstance(key, int):
            if key > len(table):
                raise ConfigError(f"{variable}: there are {len(table)} of these, counted from 0")
            table.extend([{}] if key == len(table) else [])
            table = table[key]
        elif isinstance(table, dict):
            table = table.setdefault(key, [] if isinstance(following, int) else {})
    if isinstance(table, dict):
        table[path[-1]] = value


def _unknown(section: type[Section], table: Any, path: KeyPath) -> Iterator[KeyPath]:
    for key, value in table.items() if isinstance(table, dict) else ():
        kind = fields(section).get(key)
        if kind is None:
            yield (*path, key)
        elif is_section(kind):
            yield from _unknown(kind, value, (*path, key))
        elif get_origin(kind) is tuple and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _unknown(item_type(kind, index), item, (*path, key, index))


def _nearest(root: type[Section], path: KeyPath) -> str:
    """Name the setting that is closest to an unknown key: in its own table, else anywhere."""
    settings = [[key for key in found if isinstance(key, str)] for found in known(root, ())]
    keys = [key for key in path if isinstance(key, str)]
    own = {name: [*keys[:-1], name] for name in fields(type_at(root, path[:-1]))}
    anywhere = {found[-1]: found for found in reversed(settings)}
    for among, cutoff in ((own, 0.6), (anywhere, 0.8), (own, 0.0)):
        if close := difflib.get_close_matches(keys[-1], list(among), 1, cutoff):
            return f"{dotted(path)} is not a setting; the nearest is {'.'.join(among[close[0]])}"
    raise AssertionError("a cutoff of 0 matches")


def _converted(root: type[S], table: dict[str, Any], source: Source) -> S:
    try:
        return msgspec.convert(table, root)
    except msgspec.ValidationError as error:
        message, _, place = str(error).rpartition(" - at `$")
    path = tuple(int(i) if i else key for key, i in re.findall(r"\.(\w+)|\[([0-9]+)\]", place))
    if missing := re.search(r"missing required field `(\w+)`", message):
        needed = f"{dotted(path)} needs {missing[1]}, {description(type_at(root, (*path, missing[1])))}"
        raise ConfigError(f"{source.where(path)}: {needed}")
    while type_at(root, path) is None:
        path = path[:-1]  # an item of a list of strings: the description is that of the list
    value: Any = table
    for key in path:
        value = value[key]
    raise ConfigError(f"{source.where(path)}: {_wrong(root, path, value)}")


def _works(value: Any, kind: Any) -> bool:
    texts = [text for text in (value if isinstance(value, tuple) else (value,)) if isinstance(text, str)]
    works = extra(kind).get("works") or bool
    return all(text.isprintable() and text and works(text) for text in texts)


def _wrong(root: type[Section], path: KeyPath, value: Any) -> str:
    kind = type_at(root, path)
    must = f"{dotted(path)} must be {description(kind)}"
    return must if extra(kind).get("secret") else f"{must}, not {_shown(value)}"


def _shown(value: Any) -> str:
    """Format an invalid value on one line, shortened. The content of tables is not shown: they may hold secrets."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_shown(item) for item in value[:5])}{', …' if len(value) > 5 else ''}]"
    shown = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else f"{value}"
    return shown if len(shown) <= 60 else f"{shown[:60]}…"


def _path_of(variable: str) -> KeyPath:
    parts = variable.removeprefix(PREFIX).split("__")
    return tuple(int(part) if re.fullmatch("[0-9]{1,4}", part) else part.lower() for part in parts)


def _variable_of(path: KeyPath) -> str:
    return PREFIX + "__".join(str(key).upper() for key in path)
