"""A disk that keeps what was synced, and of the rest only what chance had written back before the power went.

Rules:
1. Writes change what readers see, at once. On the disk they are when their file is synced.
2. Unsynced pages may reach the disk at any time, in any order, and torn: some of their sectors and not the others.
3. New, renamed and removed names reach the disk in their order: when any file or the folder is synced, or by chance.
4. Whoever kills the process that holds this has cut the power. `surviving` then copies what the disk has.
"""

import json
import shutil
from pathlib import Path
from random import Random

PAGE, SECTOR = 4096, 512
WRITTEN_BACK = 0.1  # of writes that are followed by the write-back of some page, or of some names
NAMES = "names.json"

Names = dict[str, int]  # of a flat folder: name → number of the file


class UnsyncedDisk:
    """A flat folder of files. `store` is the disk: names.json, and a file per number."""

    def __init__(self, store: Path, chance: Random) -> None:
        self._store, self._chance = store, chance
        path = store / NAMES
        self.names: Names = json.loads(path.read_text()) if path.exists() else {}
        self._unsynced_names: list[Names] = []
        self._next = max([0, *self.names.values()]) + 1
        self._files = {number: bytearray(self._on_disk(number)) for number in self.names.values()}
        self._dirty: dict[int, set[int]] = {number: set() for number in self._files}

    def create(self, name: str) -> int:
        """The number of a new, empty file."""
        number, self._next = self._next, self._next + 1
        self._files[number], self._dirty[number] = bytearray(), set()
        self._rename({**self.names, name: number})
        return number

    def remove(self, name: str) -> None:
        """Takes the name away."""
        self._rename({other: number for other, number in self.names.items() if other != name})

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, in place of whatever had it."""
        kept = {name: number for name, number in self.names.items() if name not in (old, new)}
        self._rename({**kept, new: self.names[old]})

    def size(self, number: int) -> int:
        """Bytes that readers see."""
        return len(self._files[number])

    def read(self, number: int, offset: int, length: int) -> bytes:
        """What was written, synced or not."""
        return bytes(self._files[number][offset : offset + length])

    def write(self, number: int, offset: int, data: bytes) -> None:
        """Changes what readers see."""
        content = self._files[number]
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data
        self._dirty[number] |= set(range(offset // PAGE, (offset + len(data) - 1) // PAGE + 1))
        if self._chance.random() < WRITTEN_BACK:
            self._write_something_back()

    def truncate(self, number: int, size: int) -> None:
        """Cuts the file or fills it up with zeros; on the disk once it is synced."""
        content = self._files[number]
        self._dirty[number] |= set(range(min(size, len(content)) // PAGE, max(size, len(content)) // PAGE + 1))
        del content[size:]
        content.extend(bytes(size - len(content)))

    def sync(self, number: int) -> None:
        """Puts the file on the disk, and every name given so far."""
        with self._opened(number) as file:
            for page in sorted(self._dirty[number]):
                file.seek(page * PAGE)
                file.write(self._files[number][page * PAGE : (page + 1) * PAGE])
            file.truncate(len(self._files[number]))
        self._dirty[number].clear()
        self.sync_names()

    def sync_names(self) -> None:
        """Puts every name given so far on the disk."""
        if self._unsynced_names:
            self._keep(self._unsynced_names[-1])
            self._unsynced_names.clear()

    def sync_all(self) -> None:
        """What an orderly end does."""
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
        """As a kernel does when it has nothing better to do."""
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
    """A folder with the files as they are on the disk."""
    folder.mkdir()
    path = store / NAMES
    for name, number in (json.loads(path.read_text()) if path.exists() else {}).items():
        if (store / str(number)).exists():
            shutil.copyfile(store / str(number), folder / name)
        else:
            (folder / name).touch()
    return folder
