"""Filesystems for the proofs, mounted while a block runs; what they need is installed where that is possible."""

import contextlib
import ctypes.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import CACHE
from benchmarks.proofs.row import NotRun

HERE = Path(__file__).parent
# The wheel is plain Python over the system's libfuse.
MFUSEPY = "mfusepy==3.1.1 --hash=sha256:69fb70cfc7f7cce595e6ff586f8451d8298f01f18286a157f24f564b24ec5a37"
MOUNT_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted power filesystem."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    def cut_power(self) -> None:
        """Now."""
        self.process.kill()
        self.process.wait()


def library() -> Path:
    """The folder of mfusepy. Raises NotRun when it or libfuse can't be had here."""
    if not Path("/dev/fuse").exists():
        raise NotRun("this machine has no FUSE (/dev/fuse)")
    if not any(map(ctypes.util.find_library, ("fuse3", "fuse"))) or not _fusermount():
        _install_fuse()
    folder = CACHE / f"mfusepy-py{sys.version_info[0]}.{sys.version_info[1]}"
    if not (folder / "mfusepy.py").exists():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = folder / "wanted.txt"
        wanted.write_text(MFUSEPY + "\n")
        options = ["--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(folder)]
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options, "-r", str(wanted)]
        if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode != 0:
            raise NotRun("mfusepy can't be installed here")
    return folder


def _fusermount() -> str | None:
    return shutil.which("fusermount3") or shutil.which("fusermount")


def _install_fuse() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NotRun("it needs FUSE: on Debian and Ubuntu `apt install fuse3 libfuse2`, as root")
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "fuse3", "libfuse2"]):
        if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode != 0:
            raise NotRun("it needs FUSE, which apt could not install")


@contextlib.contextmanager
def power_filesystem(store: Path, folder: Path, *, seed: str, capacity: int = 0) -> Iterator[Mount]:
    """The disk in `store`, mounted on the folder. At the end it is unmounted in order, unless the power was cut."""
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(library()), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(HERE / "powerfs.py"), str(store), str(folder), seed, str(capacity)]
    process = subprocess.Popen(command, env=environment)
    try:
        _wait_until(os.path.ismount, folder, process)
        yield Mount(folder, process)
    finally:
        lazily = ["-z"] if process.poll() is not None else []
        program = _fusermount()
        assert program is not None, "it was there"
        subprocess.run([program, "-u", *lazily, str(folder)], check=False, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(MOUNT_TIMEOUT_S)
        process.kill()
        process.wait()


def _wait_until(is_mounted: object, folder: Path, process: "subprocess.Popen[bytes]") -> None:
    assert callable(is_mounted)
    deadline_s = time.monotonic() + MOUNT_TIMEOUT_S
    while not is_mounted(folder):
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise NotRun("a FUSE filesystem can't be mounted here")
        time.sleep(0.01)


@contextlib.contextmanager
def small_disk(folder: Path, *, capacity: int) -> Iterator[str]:
    """A disk of so many bytes on the folder, and what kind it is: a tmpfs, or else the power filesystem with a bound."""
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
