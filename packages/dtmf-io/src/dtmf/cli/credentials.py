"""The credential store of `dtmf login`: an address and its token, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from . import exit_codes
from .exit_codes import CommandError


class Credentials(NamedTuple):
    """A token and the only address it is sent to."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Credentials(url={self.url!r})"


def path() -> Path:
    """Return the path of the file: in XDG_CONFIG_HOME, else in the platform's configuration folder."""
    return _folder() / "dtmf" / "login.json"


def read() -> Credentials | None:
    """Return the saved credentials, None if there are none. Raises CommandError if others can read the file, or if
    its content is invalid."""
    file = path()
    try:
        require_private(file)
        found = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CommandError(exit_codes.AUTH, f"can't read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _spoiled(file) from error
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in Credentials._fields):
        raise _spoiled(file)
    return Credentials(found["url"], found["token"])


def save(credentials: Credentials) -> Path:
    """Write the file atomically, with mode 0600 from the start, and return its path."""
    file = path()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".login-")  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(credentials._asdict(), stream)
                stream.write("\n")
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CommandError(exit_codes.FAILED, f"can't save the token in {file}: {error.strerror}") from error
    return file


def delete() -> bool:
    """Delete the file. Returns whether it existed."""
    try:
        path().unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CommandError(exit_codes.FAILED, f"can't remove {path()}: {error.strerror}") from error
    return True


def require_private(file: Path) -> None:
    """Raise CommandError if other users may have read or written the token file."""
    if os.name != "posix":
        return
    found = file.stat()
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        raise CommandError(exit_codes.AUTH, f"{file} belongs to another user: save your own token with dtmf login")
    if found.st_mode & 0o077:
        raise CommandError(exit_codes.AUTH, f"{file} can be read by others, so its token is not used: chmod 600 {file}")


def _folder() -> Path:
    chosen = os.environ.get("XDG_CONFIG_HOME", "")
    if Path(chosen).is_absolute():  # relative paths must be ignored (XDG base directories 0.8)
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    if os.name == "nt" and os.environ.get("APPDATA"):
        return Path(os.environ["APPDATA"])
    return Path.home() / ".config"


def _spoiled(file: Path) -> CommandError:
    return CommandError(exit_codes.AUTH, f"{file} was not written by dtmf login: run dtmf login to replace it")
