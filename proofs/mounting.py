"""Filesystems for the proofs, mounted for the duration of a block."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proofs import requirements
from proofs.claim import NotRun

HERE = Path(__file__).parent
MOUNT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted power filesystem."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    def cut_power(self) -> None:
        """Cut the power now."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def power_filesystem(store: Path, folder: Path, *, seed: str, capacity: int = 0) -> Iterator[Mount]:
    """Mount the disk in `store` on the folder. At the end it is cleanly unmounted, unless the power was cut."""
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(requirements.fuse()), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(HERE / "powerfs.py"), str(store), str(folder), seed, str(capacity)]
    process = subprocess.Popen(command, env=environment)
    try:
        _wait_until_mounted(folder, process)
        yield Mount(folder, process)
    finally:
        lazily = ["-z"] if process.poll() is not None else []
        subprocess.run([requirements.fusermount(), "-u", *lazily, str(folder)], check=False, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(MOUNT_TIMEOUT_S)
        process.kill()
        process.wait()


def _wait_until_mounted(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + MOUNT_TIMEOUT_S
    while not os.path.ismount(folder):
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise NotRun("it needs to mount a FUSE filesystem, which is refused here")
        time.sleep(0.01)


@contextlib.contextmanager
def small_disk(folder: Path, *, capacity: int) -> Iterator[str]:
    """Yield a disk of this many bytes on the folder, and its kind: a tmpfs, or else the power filesystem with a limit."""
    folder.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={capacity}", "dtmf-proof", str(folder)]
    if os.geteuid() == 0 and subprocess.run(["mount", *options], check=False, capture_output=True).returncode == 0:
        try:
            yield "tmpfs"
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    store = folder.with_name(folder.name + "-store")
    store.mkdir()
    with power_filesystem(store, folder, seed="full", capacity=capacity):
        yield "FUSE"
