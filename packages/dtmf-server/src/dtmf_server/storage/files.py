"""Files that are written completely or not at all, are readable only by their owner, and never replace another file."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dtmf_server.core.errors import CannotStart


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears as `path`, mode 0600 and synced to disk, when the block ends.

    If the block raises, or the process is killed, no file appears. Raises FileExistsError if the name is taken, at the
    start or at the end: by a file, a folder, a device, or a dangling link.
    """
    refuse_existing(path)
    descriptor, name = _unnamed(path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            yield file
            file.flush()
            os.fsync(descriptor)
            _give_name(descriptor, name, path)
    finally:
        if name is not None:
            name.unlink(missing_ok=True)
    _sync_folder(path.parent)


def refuse_existing(path: Path) -> None:
    """Raise FileExistsError if the name is taken."""
    if os.path.lexists(path):
        raise FileExistsError(
            errno.EEXIST, "this name is already taken, and the existing file is not replaced", str(path)
        )


def _unnamed(folder: Path) -> tuple[int, Path | None]:
    """Create a new file in the folder: without a name, so that it vanishes with its process, or else with a temporary
    one."""
    flags = getattr(os, "O_TMPFILE", None)
    if flags is not None and Path("/proc/self/fd").exists():
        with contextlib.suppress(OSError):  # the file system may not support them
            return os.open(folder, flags | os.O_WRONLY, 0o600), None
    name = folder / f".{secrets.token_hex(8)}.part"
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), name


def _give_name(descriptor: int, name: Path | None, path: Path) -> None:
    """Link the file to its name, which fails if the name is taken; without hard links, reserve the name first."""
    try:
        if name is None:
            _link_unnamed(descriptor, path)
        else:
            os.link(name, path)
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError:
        if name is None:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        name.replace(path)


def _link_unnamed(descriptor: int, path: Path) -> None:
    """Link the file through its entry in /proc (open(2), O_TMPFILE); Python only does that with a folder descriptor."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.link(f"/proc/self/fd/{descriptor}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _sync_folder(folder: Path) -> None:
    """Sync the names of the folder's files to disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put(path: Path, text: str, *, begins: str) -> None:
    """Write a small file of this service atomically, mode 0600, replacing an earlier one.

    Raises CannotStart if the existing file does not begin like this service's own, or is not a regular file.
    """
    if os.path.lexists(path) and not _is_own(path, begins):
        raise CannotStart(
            f"{path} was not written by this service and would be overwritten: move it, or choose another --data DIR"
        )
    name = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
        name.replace(path)
    finally:
        name.unlink(missing_ok=True)


def _is_own(path: Path, begins: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        found = file.read(len(begins))
    return found in (b"", begins.encode())
