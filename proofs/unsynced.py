"""A disk that preserves synced data, and of the rest only what happened to be written back before the power was cut.

Rules:
1. Readers see writes immediately. Writes reach the disk when their file is synced.
2. Unsynced pages may reach the disk at any time, in any order, and torn: some sectors written and others not.
3. Created, renamed and removed names reach the disk in order: when any file or the folder is synced, or by chance.
4. Killing the process that holds this cuts the power. `surviving` then copies what the disk has.
"""

import json
import shutil
from pathlib import Path
from random import Random

PAGE, SECTOR = 4096, 512
WRITTEN_BACK = 0.1  # the fraction of writes followed by a write-back of some page or names
NAMES = "names.json"

Names = dict[str, int]  # one flat folder: name → file number


class UnsyncedDisk:
    """A flat folder of files. `store` is the disk: names.json, and one file per number."""

    def __init__(self, store: Path, chance: Random) -> None:
        self._store, self._chance = store, chance
        path = store / NAMES
        self.names: Names = json.loads(path.read_text()) if path.exists() else {}
        self._unsynced_names: list[Names] = []
        self._next = max([0, *self.names.values()]) + 1
        self._files = {number: bytearray(self._on_disk(number)) for number in self.names.values()}
        self._dirty: dict[int, set[int]] = {number: set() for number in self._files}

    def create(self, name: str) -> int:
        """Create an empty file; return its number."""
        number, self._next = self._next, self._next + 1
        self._files[number], self._dirty[number] = bytearray(), set()
        self._rename({**self.names, name: number})
        return number

    def remove(self, name: str) -> None:
        """Remove a name."""
        self._rename({other: number for other, number in self.names.items() if other != name})

    def rename(self, old: str, new: str) -> None:
        """Rename a file, replacing any file of the new name."""
        kept = {name: number for name, number in self.names.items() if name not in (old, new)}
        self._rename({**kept, new: self.names[old]})

    def size(self, number: int) -> int:
        """Return the size that readers see."""
        return len(self._files[number])

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Read written data, synced or not."""
        return bytes(self._files[number][offset : offset + length])

    def write(self, number: int, offset: int, data: bytes) -> None:
        """Write what readers see."""
        content = self._files[number]
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data
        self._dirty[number] |= set(range(offset // PAGE, (offset + len(data) - 1) // PAGE + 1))
        if self._chance.random() < WRITTEN_BACK:
            self._write_something_back()

    def truncate(self, number: int, size: int) -> None:
        """Truncate or zero-extend the file; the disk has the new size after a sync."""
        content = self._files[number]
        self._dirty[number] |= set(range(min(size, len(content)) // PAGE, max(size, len(content)) // PAGE + 1))
        del content[size:]
        content.extend(bytes(size - len(content)))

    def sync(self, number: int) -> None:
        """Write the file, and all names so far, to the disk."""
        with self._opened(number) as file:
            for page in sorted(self._dirty[number]):
                file.seek(page * PAGE)
                file.write(self._files[number][page * PAGE : (page + 1) * PAGE])
            file.truncate(len(self._files[number]))
        self._dirty[number].clear()
        self.sync_names()

    def sync_names(self) -> None:
        """Write all names so far to the disk."""
        if self._unsynced_names:
            self._keep(self._unsynced_names[-1])
            self._unsynced_names.clear()

    def sync_all(self) -> None:
        """Sync everything, as a clean shutdown does."""
        for number in self.names.values():
            self.sync(number)
        self.sync_names()

    def _rename(self, names: Names) -> None:
        self.names = names
        self._unsynced_names.append(names)

    def _keep(self, names: Names) -> None:
        unfinished = self._store / f"{NAMES}.part"
        unfinished.write_text(json.dumps(names))
        unfinished.replace(self._store / NAMES)

    def _write_something_back(self) -> None:
        """Write something back, as an idle kernel does."""
        if self._unsynced_names and self._chance.random() < 0.5:
            self._keep(self._unsynced_names.pop(0))
            return
        dirty = [(number, page) for number, pages in self._dirty.items() for page in pages]
        if not dirty:
            return
        number, page = self._chance.choice(sorted(dirty))
        content = self._files[number][page * PAGE : (page + 1) * PAGE]
        written = {at for at in range(0, len(content), SECTOR) if self._chance.random() < 0.8}
        with self._opened(number) as file:
            for at in sorted(written):
                file.seek(page * PAGE + at)
                file.write(content[at : at + SECTOR])

    def _on_disk(self, number: int) -> bytes:
        path = self._store / str(number)
        return path.read_bytes() if path.exists() else b""

    def _opened(self, number: int):  # type: ignore[no-untyped-def]  # a binary file, whatever its class
        path = self._store / str(number)
        path.touch()
        return path.open("r+b")


def surviving(store: Path, folder: Path) -> Path:
    """Copy the files as they are on the disk into a folder; return it."""
    folder.mkdir()
    path = store / NAMES
    for name, number in (json.loads(path.read_text()) if path.exists() else {}).items():
        if (store / str(number)).exists():
            shutil.copyfile(store / str(number), folder / name)
        else:
            (folder / name).touch()
    return folder
