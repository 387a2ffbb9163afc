"""The unsynced disk as a FUSE filesystem: `python powerfs.py STORE MOUNTPOINT SEED CAPACITY`.

To cut the power, kill it with SIGKILL. CAPACITY limits the total bytes of all files; 0 means no limit.
"""

import errno
import os
import stat
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import mfusepy
from unsynced import UnsyncedDisk

BLOCK = 4096


class PowerFS(mfusepy.Operations):  # type: ignore[misc]  # without types
    """One flat folder."""

    use_ns = True

    def __init__(self, store: Path, chance: Random, *, capacity: int) -> None:
        self._disk, self._capacity = UnsyncedDisk(store, chance), capacity
        self._modes: dict[int, int] = {}

    def _number(self, path: str) -> int:
        if (number := self._disk.names.get(path[1:])) is None:
            raise mfusepy.FuseOSError(errno.ENOENT)
        return number

    def _used(self) -> int:
        return sum(map(self._disk.size, self._disk.names.values()))

    def _bound(self, number: int, size: int) -> None:
        """Fail if a growing file exceeds the capacity."""
        grows = size - self._disk.size(number)
        if self._capacity and grows > 0 and self._used() + grows > self._capacity:
            raise mfusepy.FuseOSError(errno.ENOSPC)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        now_ns = time.time_ns()
        times = {"st_atime": now_ns, "st_mtime": now_ns, "st_ctime": now_ns, "st_uid": os.getuid()}
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, **times}
        number = fh or self._number(path)
        mode = stat.S_IFREG | self._modes.get(number, 0o644)
        return {"st_mode": mode, "st_nlink": 1, "st_size": self._disk.size(number), **times}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self._disk.names]

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        number = self._disk.create(path[1:])
        self._modes[number] = stat.S_IMODE(mode)
        return number

    def open(self, path: str, flags: int) -> int:
        number = self._number(path)
        if flags & os.O_TRUNC:
            self._disk.truncate(number, 0)
        return number

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return self._disk.read(fh, offset, size)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._bound(fh, offset + len(data))
        self._disk.write(fh, offset, data)
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        number = fh or self._number(path)
        self._bound(number, length)
        self._disk.truncate(number, length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._disk.sync(fh)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._disk.sync_names()
        return 0

    def unlink(self, path: str) -> int:
        self._number(path)
        self._disk.remove(path[1:])
        return 0

    def rename(self, old: str, new: str) -> int:
        self._number(old)
        self._disk.rename(old[1:], new[1:])
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._modes[self._number(path)] = stat.S_IMODE(mode)
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        blocks = (self._capacity or 1 << 40) // BLOCK
        free = blocks - self._used() // BLOCK
        return {"f_bsize": BLOCK, "f_frsize": BLOCK, "f_blocks": blocks, "f_bfree": free, "f_bavail": free}

    def destroy(self, path: str) -> None:
        self._disk.sync_all()


if __name__ == "__main__":
    store, mountpoint, seed, capacity = sys.argv[1:]
    filesystem = PowerFS(Path(store), Random(seed), capacity=int(capacity))
    mfusepy.FUSE(filesystem, mountpoint, foreground=True, nothreads=True, attr_timeout=0, entry_timeout=0)
