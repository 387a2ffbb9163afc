"""Requirements that some proofs have on the machine, installed in the documented way if possible.

Each function raises NotRun, with a one-sentence reason, if the requirement can't be met.
"""

import ctypes.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.environments import CACHE

from proofs.claim import NotRun

# The wheel is pure Python on top of the system's libfuse.
MFUSEPY = "mfusepy==3.1.1 --hash=sha256:69fb70cfc7f7cce595e6ff586f8451d8298f01f18286a157f24f564b24ec5a37"


def fuse() -> Path:
    """Provide FUSE; return the folder of mfusepy."""
    if not Path("/dev/fuse").exists():
        raise NotRun("it needs FUSE, but this machine has no /dev/fuse")
    _packages("FUSE", ["fuse3", "libfuse2"], has=_has_fuse)
    folder = CACHE / f"mfusepy-py{sys.version_info[0]}.{sys.version_info[1]}"
    if not (folder / "mfusepy.py").exists():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = folder / "wanted.txt"
        wanted.write_text(MFUSEPY + "\n")
        options = ["--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(folder)]
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options, "-r", str(wanted)]
        if _run(command) != 0:
            raise NotRun("it needs the Python package mfusepy, which pip could not install")
    return folder


def fusermount() -> str:
    """Return the program that unmounts."""
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    assert program is not None, "fuse() installs it"
    return program


def _has_fuse() -> bool:
    programs = ("fusermount3", "fusermount")
    return any(map(ctypes.util.find_library, ("fuse3", "fuse"))) and any(map(shutil.which, programs))


def network_namespaces() -> None:
    """Check that network namespaces can be created with `ip`."""
    if os.geteuid() != 0:
        raise NotRun("it needs network namespaces, which only root may create")
    _packages("iproute2", ["iproute2"], has=lambda: shutil.which("ip") is not None)
    probe = f"dtmf-probe-{os.getpid()}"
    if _run(["ip", "netns", "add", probe]) != 0:
        raise NotRun("it needs network namespaces, but `ip netns add` is refused here")
    _run(["ip", "netns", "delete", probe])


_building = threading.Lock()


def bitcoind() -> Mapping[str, str]:
    """Return Bitcoin Core: the one that BITCOIND names, one in PATH, or one built once."""
    from bitcoin.bitcoind import NoBitcoind  # type: ignore[import-not-found]  # tests/bitcoin: found at run time
    from bitcoin.bitcoind import bitcoind as found

    with _building:
        try:
            return {"DTMF_TEST_BITCOIND": str(found())}
        except (NoBitcoind, OSError, subprocess.SubprocessError) as error:
            raise NotRun(f"it needs Bitcoin Core: {error}") from error


def _packages(what: str, names: list[str], *, has: Callable[[], bool]) -> None:
    """Install Debian packages, unless they are already installed."""
    if has():
        return
    by_hand = f"it needs {what}: on Debian and Ubuntu `apt-get install {' '.join(names)}`, as root"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NotRun(by_hand)
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", *names]):
        if _run(command) != 0:
            raise NotRun(f"{by_hand}; apt-get failed here")
    if not has():
        raise NotRun(f"it needs {what}, which is still missing after `apt-get install {' '.join(names)}`")


def _run(command: list[str]) -> int:
    """Run a command and return its exit status, discarding its output."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, check=False, capture_output=True, env=environment).returncode
