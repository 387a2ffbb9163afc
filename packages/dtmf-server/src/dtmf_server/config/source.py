"""The sources of settings: files are read and parsed here, and the line of a key is found."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZE_MAX = 1 << 20  # bytes of a configuration or secret file

KeyPath = tuple[str | int, ...]


class ConfigError(Exception):
    """The configuration is invalid; the message is one line that says where and why, and contains no secret."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where settings come from: a file's text, and the environment variables that override it."""

    name: str
    text: str
    variables: Mapping[KeyPath, str]

    def where(self, path: KeyPath) -> str:
        """Return the variable, or the file and line, that set this key, or else its table."""
        table = tomllib.loads(self.text)
        for known in (path[:length] for length in range(len(path), 0, -1)):
            if known in self.variables:
                return self.variables[known]
            if has(table, known):
                return f"{self.name}:{line_of(self.text, known)}"
        return self.name or "environment"


def line_of(text: str, path: KeyPath) -> int:
    """Return the line on which a key of this TOML starts, by bisection: a prefix of whole statements is valid TOML
    too."""
    lines = text.split("\n")
    without, having = 0, len(lines)
    while True:
        middle = (without + having) // 2
        for end in sorted(range(without + 1, having), key=lambda end: abs(end - middle)):
            try:
                table = tomllib.loads("\n".join(lines[:end]))
                break
            except tomllib.TOMLDecodeError:
                continue  # this prefix ends within a multi-line statement
        else:
            return without + 1
        without, having = (without, end) if has(table, path) else (end, having)


def read_text(path: Path, what: str) -> str:
    """Return the text of a file. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise ConfigError(f"{str(path)!r}: can't read this {what} file: {reason}") from error
    if len(content) > SIZE_MAX:
        raise ConfigError(f"{path}: this {what} file is larger than {SIZE_MAX} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not valid UTF-8: save the file in that encoding") from None


def parsed(text: str, name: str) -> dict[str, Any]:
    """Parse a TOML text. Raises ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).rpartition(" (at ")
        line = re.match(r"line ([0-9]+), (column [0-9]+)", place)
        at = (line[1], f" at {line[2]}") if line else (len(text.rstrip().split("\n")), " at the end")
        raise ConfigError(f"{name}:{at[0]}: not valid TOML: {message}{at[1]}") from None
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply") from None


def has(table: Any, path: KeyPath) -> bool:
    """Return True if there is a value at this path."""
    for key in path:
        is_item = isinstance(table, list) and isinstance(key, int) and key < len(table)
        if not is_item and not (isinstance(table, dict) and key in table):
            return False
        table = table[key]
    return True


def dotted(path: KeyPath) -> str:
    """Format a key in dotted form: carrier[0].port."""
    parts = []
    for key in path:
        plain = isinstance(key, str) and re.fullmatch(r"[A-Za-z0-9_-]+", key)
        parts.append(f".{key}" if plain else f"[{key}]" if isinstance(key, int) else f".{key!r}")
    return "".join(parts).removeprefix(".")
