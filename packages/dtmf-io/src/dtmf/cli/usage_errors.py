"""Usage errors: what is wrong with a command line, and the probable correction."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from .commands import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import CycloptsError


def complaint(error: CycloptsError, tokens: Sequence[str]) -> str:
    """Return the error line for a command that cyclopts can't parse."""
    command = " ".join(error.command_chain or tokens[:1])
    return f"{_complaint(error, tokens)} (dtmf {command} --help)"


def _complaint(error: Any, tokens: Sequence[str]) -> str:
    match error:
        case UnknownCommandError():
            found = _unknown_command(error)
        case UnknownOptionError():
            found = _unknown_option(error)
        case UnusedCliTokensError():
            found = _too_many(error)
        case MissingArgumentError() if error.argument is not None:
            found = _missing(error.keyword or error.argument.name, tokens)
        case CoercionError() if error.token is not None and error.argument is not None:
            found = _misfit(error)
        case _:
            found = str(error).rstrip(".")
    return found


def _missing(name: str, tokens: Sequence[str]) -> str:
    if not name.startswith("-"):
        return f"{name} is missing"
    after = next((value for option, value in pairwise(tokens) if option == name), "")
    hint = f" (a value that begins with a hyphen: {name}={after})" if re.match(r"-[^-]", after) else ""
    return f"{name} needs a value{hint}"


def _unknown_command(error: Any) -> str:
    written, names = error.unused_tokens[0], _below(error.app)
    return f"there is no command {written!r}{_meant(written, names) or '; use one of: ' + ', '.join(names)}"


def _too_many(error: Any) -> str:
    words = error.unused_tokens
    return f"too many arguments: {' '.join(map(repr, words))}{_meant(words[0], _below(error.app))}"


def _below(app: Any) -> list[str]:
    return [] if app is None else [name for name in app if not name.startswith("-")]


def _unknown_option(error: Any) -> str:
    written = str(error.token.keyword or error.token.value).partition("=")[0]
    names = [name for argument in error.argument_collection for name in argument.names]
    return f"there is no option {written}{_meant(written, [*names, '--help'])}"


def _misfit(error: Any) -> str:
    """Return the error for a value of the wrong type."""
    name, value = error.token.keyword or error.argument.name.lstrip("-"), error.token.value
    choices = list(map(str, get_args(error.target_type)))
    if not choices:
        return f"{name} must be {'a whole number' if error.target_type is int else 'another value'}, not {value!r}"
    return f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, not {value!r}{_meant(value, choices)}"


def _meant(written: str, names: list[str]) -> str:
    found = nearest(written, names)
    return f"; did you mean {found}?" if found else ""
